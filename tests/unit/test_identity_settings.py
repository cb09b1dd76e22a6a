"""Without tokens an edge serves its own machine alone, unless that is said twice."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import main
from app.identity import identifier_of, is_loopback, require_identity
from app.services.errors import StartError
from app.settings import Settings
from tests.tokens import pem, token

JWT: dict[str, Any] = {
    "auth": "jwt",
    "jwt_issuer": "https://issuer.example",
    "jwt_audience": "fairline",
}

#   address            this machine's own
HOSTS = [
    ("127.0.0.1", True),
    ("127.8.8.8", True),
    ("::1", True),
    ("localhost", True),
    ("0.0.0.0", False),
    ("::", False),
    ("", False),
    ("192.0.2.1", False),
    ("localhost.example", False),
    ("127.0.0.1.example", False),
]


@pytest.mark.parametrize(("host", "is_own"), HOSTS)
def test_beyond_loopback_it_must_be_said_twice(host: str, *, is_own: bool) -> None:
    assert is_loopback(host) == is_own
    if is_own:
        require_identity(Settings(http_host=host))
    else:
        with pytest.raises(StartError, match="may act as anybody"):
            require_identity(Settings(http_host=host))
        with pytest.raises(StartError, match="may act as anybody"):
            require_identity(Settings(http_host=host, auth="none"))
    require_identity(Settings(http_host=host, auth_none_beyond_loopback=True))


@pytest.mark.parametrize("words", [["run"], ["edge"]])
def test_whatever_serves_http_refuses_to_start(
    monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("FAIRLINE_HTTP_HOST", "0.0.0.0")
    monkeypatch.setenv("FAIRLINE_KAFKA_URL", "127.0.0.1:1")
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "FAIRLINE_AUTH_NONE_BEYOND_LOOPBACK" in result.stderr


async def test_tokens_are_checked_as_the_settings_say(tmp_path: Path) -> None:
    file = tmp_path / "keys.pem"
    file.write_bytes(pem())
    settings = Settings(**JWT, jwt_keys=str(file), http_host="0.0.0.0")
    require_identity(settings)
    identifier = identifier_of(settings)
    assert identifier is not None
    assert (await identifier.identify(token("7"))).principal == "7"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "FAIRLINE_JWT_KEYS"),
        ({"jwt_keys": "k", "jwt_issuer": ""}, "FAIRLINE_JWT_ISSUER"),
        ({"jwt_keys": "k", "jwt_audience": ""}, "FAIRLINE_JWT_AUDIENCE"),
        ({"jwt_keys": "/no/such/file"}, "no/such/file"),
        ({"jwt_keys": "http://issuer.example/keys"}, "https"),
        ({"jwt_keys": "ftp://127.0.0.1/keys"}, "https"),
    ],
)
def test_what_could_check_no_token_is_refused(changes: dict[str, str], why: str) -> None:
    with pytest.raises(StartError, match=why):
        require_identity(Settings(**{**JWT, **changes}))


def test_keys_by_url_are_not_asked_for_before_the_edge_runs() -> None:
    for url in ("https://issuer.example/keys", "http://127.0.0.1:1/keys"):
        identifier = identifier_of(Settings(**JWT, jwt_keys=url))
        assert identifier is not None
        assert not identifier.is_ready


@pytest.mark.parametrize("name", ["none", "HS256", "RS256,none", "RS256,HS256", "", "RS256,"])
def test_no_setting_makes_a_token_its_own_judge(name: str) -> None:
    with pytest.raises(ValueError, match="jwt_algorithms"):
        Settings(jwt_algorithms=name)


def test_a_password_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRLINE_KAFKA_PASSWORD", "tell nobody")
    shown = CliRunner().invoke(main, ["settings"]).stdout
    assert "FAIRLINE_KAFKA_PASSWORD=***" in shown
    assert "tell nobody" not in shown
