"""Keys of tokens: what is read from a file or a URL, and how often a URL is asked."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import get_default_algorithms

from tests.tokens import claims, jwk, jwks, pem, private_key, sign
from web.key_url import ASK_AGAIN_SECONDS, DOCUMENT_BYTES_MAX, KeyUrl, fetch_document
from web.token_keys import KEYS_MAX, KeyFile, read_keys
from web.tokens import TokenRules, verified_claims

ALGORITHMS = ("RS256", "ES256", "EdDSA")
PRIVATE_PEM = private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

READ: list[tuple[bytes, list[tuple[str | None, str]]]] = [
    (pem(), [(None, "RS256")]),
    (pem("ES256"), [(None, "ES256")]),
    (pem("EdDSA"), [(None, "EdDSA")]),
    (json.dumps(jwk()).encode(), [("one", "RS256")]),
    (jwks(jwk(), jwk("ES256", "two")), [("one", "RS256"), ("two", "ES256")]),
    (jwks(jwk(), jwk("EdDSA", "enc", use="enc")), [("one", "RS256")]),
    (jwks(jwk(), jwk("RS256", "ps", alg="PS256")), [("one", "RS256")]),
    (jwks(jwk(), {"kty": "oct", "kid": "s", "k": "c2VjcmV0"}), [("one", "RS256")]),
    (jwks(jwk(), {"kty": "RSA", "kid": "half"}), [("one", "RS256")]),
]


@pytest.mark.parametrize(("document", "found"), READ)
def test_keys_are_read(document: bytes, found: list[tuple[str | None, str]]) -> None:
    listed = read_keys(document, ALGORITHMS).listed
    assert [(key.kid, key.algorithm) for key in listed] == found


NO_KEYS = [
    b"",
    b"{}",
    b"[]",
    b"[" * 100_000,
    b"no key",
    b"-----BEGIN PUBLIC KEY-----",
    jwks({"kty": "oct", "kid": "one", "k": "c2VjcmV0", "alg": "HS256"}),
    jwks(*[jwk()] * (KEYS_MAX + 1)),
]


@pytest.mark.parametrize("document", NO_KEYS, ids=range(len(NO_KEYS)))
def test_what_holds_no_public_key_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_keys(document, ALGORITHMS)


@pytest.mark.parametrize(
    "document",
    [PRIVATE_PEM, jwks(json.loads(get_default_algorithms()["RS256"].to_jwk(private_key())))],
    ids=["PEM", "JWK"],
)
def test_a_private_key_is_refused_for_what_it_is(document: bytes) -> None:
    with pytest.raises(ValueError, match="private key"):
        read_keys(document, ALGORITHMS)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "keys.pem"
    file.write_bytes(pem())
    rules = TokenRules(("RS256",), claims()["iss"], "fairline", "admin", 0)
    fitting = KeyFile(file, ("RS256",)).keys.fitting("any", "RS256")
    assert verified_claims(sign(claims()), fitting, rules)["sub"] == "7"


class Issuer:
    """Where keys are fetched: counts, and fails where a test says so."""

    def __init__(self) -> None:
        self.document: bytes = jwks(jwk())
        self.asked = 0
        self.is_away = False
        self.now = 1000.0

    async def fetch(self) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise OSError
        return self.document

    def source(self) -> KeyUrl:
        return KeyUrl(self.fetch, ALGORITHMS, lambda: self.now)


async def test_a_hundred_invented_kids_are_one_question() -> None:
    issuer = Issuer()
    source = issuer.source()
    assert await source.look_again()
    issuer.now += ASK_AGAIN_SECONDS - 1
    answers = await asyncio.gather(*(source.look_again() for _ in range(100)))
    assert (issuer.asked, any(answers)) == (1, False)
    issuer.now += 1
    issuer.document = jwks(jwk(), jwk("EdDSA", "two"))
    # All who wait at that moment wait for the one answer.
    assert all(await asyncio.gather(*(source.look_again() for _ in range(100))))
    assert issuer.asked == 2
    assert len(source.keys.listed) == 2


async def test_keys_stay_while_their_issuer_is_away_or_talks_nonsense() -> None:
    issuer = Issuer()
    source = issuer.source()
    assert not source.is_ready
    await source.look_again()
    before = source.keys
    for document, is_away in ((jwks(jwk()), True), (b"<html>", False)):
        issuer.document, issuer.is_away = document, is_away
        issuer.now += ASK_AGAIN_SECONDS
        assert not await source.look_again()
    assert (issuer.asked, source.keys, source.is_ready) == (3, before, True)


async def test_the_same_document_is_no_change() -> None:
    issuer = Issuer()
    source = issuer.source()
    await source.look_again()
    before = source.keys
    issuer.now += ASK_AGAIN_SECONDS
    assert not await source.look_again()
    assert source.keys is before


@pytest.fixture
async def server() -> Any:
    async def keys(_request: web.Request) -> web.Response:
        return web.Response(body=jwks(jwk()))

    async def elsewhere(_request: web.Request) -> web.Response:
        path = "/keys"
        raise web.HTTPFound(path)

    async def flood(_request: web.Request) -> web.Response:
        return web.Response(body=b" " * (DOCUMENT_BYTES_MAX + 1))

    app = web.Application()
    app.add_routes(
        [web.get("/keys", keys), web.get("/elsewhere", elsewhere), web.get("/flood", flood)]
    )
    async with TestServer(app) as running:
        yield running


async def test_a_document_is_fetched(server: TestServer) -> None:
    assert await fetch_document(str(server.make_url("/keys"))) == jwks(jwk())


@pytest.mark.parametrize("path", ["/elsewhere", "/flood", "/none"])
async def test_redirects_floods_and_errors_are_no_keys(server: TestServer, path: str) -> None:
    with pytest.raises(ValueError, match=r"answered with|larger than"):
        await fetch_document(str(server.make_url(path)))
