"""Settings at the command line: what is wrong with them is said in one line."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.addresses import address_of, with_free_ports
from app.cli import main
from app.cli_settings import unknown_settings, variable_of
from app.services.errors import StartError
from app.services.ports import free_port
from app.settings import Settings
from app.urls import without_password


def fairline(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FAIRLINE_HTTP_PORT", "eighty"),
        ("FAIRLINE_HTTP_PORT", "65536"),
        ("FAIRLINE_PARTITIONS", "0"),
        ("FAIRLINE_WAIT_SECONDS", "-1"),
        ("FAIRLINE_TIME_ZONE", "Mars/Olympus"),
        ("FAIRLINE_LOG_LEVEL", "LOUD"),
        ("FAIRLINE_TOPIC_PREFIX", "Not Allowed"),
    ],
)
@pytest.mark.parametrize("words", [["run"], ["edge"], ["worker"], ["settings"], ["migrate"]])
def test_a_bad_setting_is_one_line_that_names_it_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: list[str]
) -> None:
    monkeypatch.setenv(name, value)
    result = fairline(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"fairline: {name}: ")
    assert value in result.stderr
    assert result.stderr.count("\n") == 1


def test_all_bad_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRLINE_HTTP_PORT", "x")
    monkeypatch.setenv("FAIRLINE_BATCH_MAX", "0")
    stderr = fairline("settings").stderr
    assert "FAIRLINE_HTTP_PORT" in stderr
    assert "FAIRLINE_BATCH_MAX" in stderr


def test_an_unknown_setting_is_a_warning_that_names_the_closest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAIRLINE_HTP_PORT", "80")
    result = fairline("settings")
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: FAIRLINE_HTP_PORT is not a setting and is ignored;"
        " did you mean FAIRLINE_HTTP_PORT?\n"
    )


def test_known_settings_and_those_of_tests_and_others_are_no_warning() -> None:
    known = [variable_of(name) for name in Settings.model_fields]
    assert unknown_settings([*known, "FAIRLINE_TEST_KAFKA_URL", "PATH"]) == []


def test_each_setting_is_listed_with_its_value_and_what_it_is_for() -> None:
    listed = fairline("settings").stdout
    for name, setting in Settings.model_fields.items():
        assert setting.description
        assert f"{variable_of(name)}=" in listed
        assert setting.description in listed


def test_a_changed_setting_is_listed_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRLINE_HTTP_PORT", "9999")
    assert "FAIRLINE_HTTP_PORT=9999  [default: 8080]" in fairline("settings").stdout


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://shop:s3cret@db:5432/shop", "postgresql://shop:***@db:5432/shop"),
        ("redis://:s3cret@cache:6379/0", "redis://:***@cache:6379/0"),
        ("postgresql://shop:s3@cret@db/shop", "postgresql://shop:***@db/shop"),
        ("postgresql://shop@db/shop", "postgresql://shop@db/shop"),
        ("sqlite:///file.db", "sqlite:///file.db"),
        ("kafka-1:9092,kafka-2:9092", "kafka-1:9092,kafka-2:9092"),
    ],
)
def test_a_password_in_a_url_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, url: str, shown: str
) -> None:
    assert without_password(url) == shown
    monkeypatch.setenv("FAIRLINE_DATABASE_URL", url)
    assert f"FAIRLINE_DATABASE_URL={shown}  " in fairline("settings").stdout


def test_a_process_without_a_kafka_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAIRLINE_DATA_DIR", str(tmp_path))
    result = fairline("edge")
    assert result.exit_code == 2
    assert "FAIRLINE_KAFKA_URL" in result.stderr


@pytest.mark.parametrize("words", [["run"], ["services", "up"]])
def test_a_folder_that_cannot_be_is_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FAIRLINE_DATA_DIR", str(tmp_path / "file" / "data"))
    result = fairline(*words)
    assert result.exit_code == 2
    assert re.fullmatch(r"fairline: cannot write to .* set FAIRLINE_DATA_DIR\n", result.stderr)


def test_an_http_port_0_becomes_a_free_port() -> None:
    settings = Settings(http_port=0, worker_port=free_port(), ranking_port=free_port())
    assert with_free_ports(settings).http_port > 0


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(StartError, match="FAIRLINE_HTTP_PORT"):
        with_free_ports(Settings(http_host="192.0.2.1", http_port=8080))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:8080"),
    ],
)
def test_an_edge_that_listens_everywhere_is_reached_on_this_machine(host: str, url: str) -> None:
    assert address_of(Settings(http_host=host), "http_port") == url


def test_every_command_explains_itself() -> None:
    listed = re.findall(r"^  (\w+) +(.+)$", fairline("--help").stdout.split("Commands:")[1], re.M)
    names = {name for name, _ in listed}
    assert names >= {"run", "edge", "worker", "migrate", "seed", "services", "settings", "tour"}
    for name, summary in listed:
        assert not summary.endswith("..."), f"{name} is cut short in the list"
        assert fairline(name, "--help").exit_code == 0
