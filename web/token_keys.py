"""Public keys that tokens are checked with: from a PEM or JWK file, or from an issuer's URL."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from jwt.algorithms import get_default_algorithms

# Asymmetric alone. With a shared secret whoever checks tokens could make them too.
ALGORITHM_TO_KIND = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
# An issuer has two or three; a document with thousands is no key set of ours.
KEYS_MAX = 100


@dataclass(frozen=True, slots=True)
class Key:
    """A public key for one algorithm. One without a `kid` fits every token of its algorithm."""

    kid: str | None
    algorithm: str
    key: jwt.PyJWK


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """The keys of one moment."""

    listed: tuple[Key, ...] = ()

    def fitting(self, kid: str | None, algorithm: str) -> list[Key]:
        """Return the keys that may have signed a token with this header.

        Without a `kid` all of the algorithm fit, and the caller takes none where there are two.
        """
        same = [key for key in self.listed if key.algorithm == algorithm]
        if kid is None:
            return same
        return [key for key in same if key.kid == kid] or [k for k in same if k.kid is None]


def read_keys(document: bytes, algorithms: tuple[str, ...]) -> Keys:
    """Read a JWK, a JWK set or a PEM with one public key.

    Raises ValueError where there is no key for these algorithms, or a private one.
    """
    if document.lstrip().startswith(b"-----BEGIN"):
        jwks = [_jwk_of_pem(document, algorithms)]
    else:
        jwks = _jwks_of(document)
    found = tuple(key for each in jwks for key in _keys_of(each, algorithms))
    if not found:
        message = f"no public key for {', '.join(algorithms)}"
        raise ValueError(message)
    return Keys(found)


def _jwk_of_pem(document: bytes, algorithms: tuple[str, ...]) -> dict[str, Any]:
    if b"PRIVATE KEY" in document:
        message = "this is a private key; only its issuer should have it"
        raise ValueError(message)
    for name in algorithms:
        algorithm = get_default_algorithms()[name]
        try:
            jwk: dict[str, Any] = json.loads(algorithm.to_jwk(algorithm.prepare_key(document)))
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        return jwk
    message = f"not a public key for {', '.join(algorithms)}"
    raise ValueError(message)


def _jwks_of(document: bytes) -> list[dict[str, Any]]:
    try:
        said = json.loads(document)
    except RecursionError as error:
        raise ValueError(str(error)) from error
    listed = said.get("keys", [said]) if isinstance(said, dict) else None
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        message = f"neither PEM nor a JWK set with {KEYS_MAX} keys at most"
        raise ValueError(message)
    return [each for each in listed if isinstance(each, dict)]


def _keys_of(jwk: dict[str, Any], algorithms: tuple[str, ...]) -> list[Key]:
    """Bind a key to each of the algorithms that it is for; one of no use is passed over."""
    if "d" in jwk:
        message = "this is a private key; only its issuer should have it"
        raise ValueError(message)
    kid = jwk.get("kid")
    if jwk.get("use", "sig") != "sig" or not isinstance(kid, str | None):
        return []
    kind = (jwk.get("kty"), jwk.get("crv"))
    fitting = [name for name in algorithms if ALGORITHM_TO_KIND.get(name) == kind]
    found = []
    for name in fitting:
        if jwk.get("alg", name) == name:
            try:
                found.append(Key(kid, name, jwt.PyJWK(jwk, algorithm=name)))
            except (jwt.PyJWTError, ValueError, TypeError):
                continue
    return found


class KeyFile:
    """Keys of a file, read once: who changes it starts the edges anew, one after the other."""

    def __init__(self, path: Path, algorithms: tuple[str, ...]) -> None:
        self.keys = read_keys(path.read_bytes(), algorithms)
        self.is_ready = True

    async def look_again(self) -> bool:
        """Do nothing."""
        return False

    async def run(self) -> None:
        """Do nothing, until cancelled."""
        await asyncio.Event().wait()
