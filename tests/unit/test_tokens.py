"""Tokens: what is believed, and all the ways in which one is not."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from tests import tokens as issuer
from tests.tokens import FixedKeys, claims, jwk, jwks, pem, sign, token
from web.identity import Identity, UnauthenticatedError
from web.problems import UnavailableError
from web.token_keys import Keys, read_keys
from web.tokens import REMEMBERED_MAX, TOKEN_CHARACTERS_MAX, Tokens

NOW = time.time()


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def forged(header: dict[str, Any], said: dict[str, Any], signature: bytes = b"") -> str:
    return f"{encoded(header)}.{encoded(said)}.{encoded(signature)}"


def with_shared_secret(secret: bytes, said: dict[str, Any]) -> str:
    """A token signed with HMAC, with what is public for RSA as its secret."""
    unsigned = f"{encoded({'alg': 'HS256', 'kid': 'one'})}.{encoded(said)}"
    return f"{unsigned}.{encoded(hmac.digest(secret, unsigned.encode(), hashlib.sha256))}"


def another_signature(good: str) -> str:
    head, said, signature = good.split(".")
    return f"{head}.{said}.{'A' * len(signature)}"


def another_payload(good: str) -> str:
    head, _, signature = good.split(".")
    return f"{head}.{encoded(claims('8'))}.{signature}"


ABUSES: dict[str, str] = {
    "nothing": "",
    "a word": "x",
    "dots": "...",
    "bytes that are no text": "\udcff.\udcff.\udcff",
    "no JSON": ".".join(encoded(b"{") for _ in range(3)),
    "a list for a header": forged([], claims()),  # type: ignore[arg-type]
    "deep JSON": f"{encoded(b'[' * 2000)}.e30.e30",
    "alg none": forged({"alg": "none", "kid": "one"}, claims()),
    "alg None": forged({"alg": "None", "kid": "one"}, claims()),
    "no alg": forged({"kid": "one"}, claims()),
    "alg that is no text": forged({"alg": ["RS256"], "kid": "one"}, claims()),
    "public PEM as a shared secret": with_shared_secret(pem(), claims()),
    "public JWK as a shared secret": with_shared_secret(json.dumps(jwk()).encode(), claims()),
    "nothing as a shared secret": with_shared_secret(b"", claims()),
    "another key": sign(claims(), "RS256-other"),
    "another key of this kid": sign(claims(), "RS256-other", kid="two"),
    "an algorithm that is not ours": sign(claims(), "PS256"),
    "a key that came with the token": forged(
        {"alg": "RS256", "jwk": jwk("RS256-other"), "kid": "mine"}, claims()
    ),
    "an unknown kid": sign(claims(), kid="three"),
    "a kid that is no text": forged({"alg": "RS256", "kid": 1}, claims()),
    "a kid that is a path": sign(claims(), kid="../../../dev/null"),
    "another signature": another_signature(token()),
    "no signature": token().rsplit(".", 1)[0] + ".",
    "another payload": another_payload(token()),
    "expired": token(exp=int(NOW) - 60),
    "expired long ago": token(exp=1),
    "no expiry": token(exp=None),
    "expiry that is no number": token(exp="soon"),
    "endless": token(exp=float("inf")),
    "not yet valid": token(nbf=int(NOW) + 7200),
    "issued later": token(iat=int(NOW) + 7200),
    "another audience": token(aud="elsewhere"),
    "no audience": token(aud=None),
    "a longer audience": token(aud="fairline-too"),
    "another issuer": token(iss="https://issuer.example.evil"),
    "no issuer": token(iss=None),
    "no subject": token(sub=None),
    "an empty subject": token(""),
    "a subject that is a number": sign(claims(sub=7)),
    "a subject with a newline": token("7\n"),
    "a subject with a space": token("7 8"),
    "a long subject": token("s" * 201),
    "too long": token(more="x" * TOKEN_CHARACTERS_MAX),
}


@pytest.mark.parametrize("name", ABUSES)
async def test_what_is_no_good_token_is_refused_in_the_same_words(name: str) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        await issuer.tokens().identify(ABUSES[name])
    assert caught.value.answer.status == 401
    assert caught.value.headers == {
        "WWW-Authenticate": 'Bearer realm="fairline", error="invalid_token"'
    }
    assert b"expired, not for this service, or not valid" in caught.value.answer.body


GOOD: dict[str, tuple[str, Identity]] = {
    "a user": (token(), Identity("7", 7, is_admin=False)),  # type: ignore[arg-type]
    "a user at the end of the ids": (
        token(str(2**63 - 1)),
        Identity(str(2**63 - 1), 2**63 - 1, is_admin=False),  # type: ignore[arg-type]
    ),
    "past the ids": (token(str(2**63)), Identity(f"sub:{2**63}", None, is_admin=False)),
    "zeros before": (token("07"), Identity("sub:07", None, is_admin=False)),
    "digits of another script": (sign(claims("sub")), Identity("sub:sub", None, is_admin=False)),
    "who calls itself the operator": (
        token("operator"),
        Identity("sub:operator", None, is_admin=False),
    ),
    "an admin": (token("ann", scope="x fairline:admin"), Identity("sub:ann", None, is_admin=True)),
    "a longer scope": (token(scope="fairline:admins"), Identity("7", 7, is_admin=False)),  # type: ignore[arg-type]
    "a list of scopes": (
        sign(claims(scope=["fairline:admin"])),
        Identity("7", 7, is_admin=False),  # type: ignore[arg-type]
    ),
    "within the leeway": (token(exp=int(NOW) - 2), Identity("7", 7, is_admin=False)),  # type: ignore[arg-type]
    "one of several audiences": (token(aud=["a", "fairline"]), Identity("7", 7, is_admin=False)),  # type: ignore[arg-type]
    "no kid, and one key of its algorithm": (
        sign(claims(), kid=None),
        Identity("7", 7, is_admin=False),  # type: ignore[arg-type]
    ),
    "another algorithm of ours": (
        sign(claims(), "EdDSA", kid="two"),
        Identity("7", 7, is_admin=False),  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_token_speaks_for_its_subject(name: str) -> None:
    text, identity = GOOD[name]
    generous = Tokens(replace(issuer.RULES, leeway_seconds=3600), FixedKeys(_keys()))
    assert await generous.identify(text) == identity


def _keys(*listed: dict[str, Any]) -> Keys:
    return read_keys(jwks(*(listed or (jwk(), jwk("EdDSA", "two")))), issuer.RULES.algorithms)


async def test_without_a_kid_two_keys_of_one_algorithm_are_too_many() -> None:
    two = Tokens(issuer.RULES, FixedKeys(_keys(jwk(), jwk("RS256-other", "two"))))
    with pytest.raises(UnauthenticatedError):
        await two.identify(sign(claims(), kid=None))


async def test_a_weak_key_is_not_believed() -> None:
    weak = Tokens(issuer.RULES, FixedKeys(_keys(jwk("RS256-weak"))))
    with (
        pytest.warns(UserWarning, match="below the minimum"),
        pytest.raises(UnauthenticatedError),
    ):
        await weak.identify(sign(claims(), "RS256-weak"))


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


async def test_a_remembered_token_ends_with_its_expiry() -> None:
    clock = Clock()
    source = FixedKeys(_keys())
    checking = Tokens(issuer.RULES, source, clock)
    short = token(exp=int(clock.now) + 100)
    assert (await checking.identify(short)).principal == "7"
    # It is known now: the keys are not asked, until it ends.
    object.__setattr__(source.keys, "listed", ())
    clock.now += 109
    assert (await checking.identify(short)).principal == "7"
    assert checking.remembered == 1
    clock.now += 2
    with pytest.raises(UnauthenticatedError):
        await checking.identify(short)


async def test_other_keys_end_what_was_remembered() -> None:
    source = FixedKeys(_keys())
    checking = Tokens(issuer.RULES, source)
    good = token()
    await checking.identify(good)
    source.keys = _keys(jwk("RS256-other"))
    with pytest.raises(UnauthenticatedError):
        await checking.identify(good)


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.tokens.REMEMBERED_MAX", 3)
    assert REMEMBERED_MAX >= 1000
    checking = issuer.tokens()
    for subject in range(1, 6):
        await checking.identify(token(str(subject)))
    assert checking.remembered == 3


async def test_what_is_refused_is_not_remembered() -> None:
    checking = issuer.tokens()
    with pytest.raises(UnauthenticatedError):
        await checking.identify(ABUSES["another payload"])
    assert checking.remembered == 0


async def test_an_unknown_kid_makes_the_keys_be_looked_for_once() -> None:
    source = FixedKeys(_keys())
    with pytest.raises(UnauthenticatedError):
        await Tokens(issuer.RULES, source).identify(ABUSES["an unknown kid"])
    assert source.looks == 1


async def test_without_keys_nobody_is_refused_for_good() -> None:
    source = FixedKeys(_keys())
    source.is_ready = False
    with pytest.raises(UnavailableError):
        await Tokens(issuer.RULES, source).identify(token())
