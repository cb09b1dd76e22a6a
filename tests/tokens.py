"""An issuer of tokens for tests: keys that nobody else has, and tokens good and bad."""

import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from web.token_keys import KeyFile, Keys, read_keys
from web.tokens import TokenRules, Tokens

ISSUER, AUDIENCE, ADMIN = "https://issuer.example", "fairline", "fairline:admin"
RULES = TokenRules(("RS256", "EdDSA"), ISSUER, AUDIENCE, ADMIN, 10.0)


@cache
def private_key(name: str = "RS256") -> Any:
    """Make a key once; making one of RSA takes a moment."""
    if name.startswith("ES"):
        return ec.generate_private_key(ec.SECP256R1())
    if name.startswith("EdDSA"):
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 1024 if "weak" in name else 2048)


def jwk(name: str = "RS256", kid: str | None = "one", **members: Any) -> dict[str, Any]:
    """Show the public half of a key as a JWK."""
    algorithm = get_default_algorithms()[name.split("-", maxsplit=1)[0]]
    shown: dict[str, Any] = json.loads(algorithm.to_jwk(private_key(name).public_key()))
    return {**shown, **({"kid": kid} if kid else {}), **members}


def pem(name: str = "RS256") -> bytes:
    """Show the public half of a key as PEM."""
    shown: bytes = (
        private_key(name)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return shown


def jwks(*listed: dict[str, Any]) -> bytes:
    """Make a JWK set."""
    return json.dumps({"keys": listed}).encode()


def claims(subject: str = "7", **changes: Any) -> dict[str, Any]:
    """Claims of a good token; a change to None takes one out."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": now + 86_400, "iat": now}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def token(subject: str = "7", *, scope: str | None = None, **changes: Any) -> str:
    """Sign a good token, or one with claims changed."""
    return sign(claims(subject, scope=scope, **changes))


def sign(said: dict[str, Any], name: str = "RS256", *, kid: str | None = "one") -> str:
    """Sign claims with a key of this name."""
    headers = {"kid": kid} if kid else {}
    return jwt.encode(said, private_key(name), name.split("-", maxsplit=1)[0], headers=headers)


class FixedKeys(KeyFile):
    """Keys that stay, and how often newer ones were asked for."""

    def __init__(self, keys: Keys) -> None:
        self.keys, self.is_ready, self.looks = keys, True, 0

    async def look_again(self) -> bool:
        self.looks += 1
        return False


def tokens(document: bytes = b"", rules: TokenRules = RULES) -> Tokens:
    """What checks tokens of this issuer."""
    keys = read_keys(document or jwks(jwk(), jwk("EdDSA", "two")), rules.algorithms)
    return Tokens(rules, FixedKeys(keys))
