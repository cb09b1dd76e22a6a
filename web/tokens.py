"""JSON Web Tokens (RFC 7519, RFC 9068): checked once, and believed for a while after that.

What is fixed here stays fixed: algorithms, issuer and audience are settings. A token chooses a key
by its `kid` and nothing else.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

import jwt

from web.identity import Identity, identity_of_subject, invalid_token
from web.problems import UnavailableError
from web.token_keys import Key, Keys

# Longer ones are refused before anything is decoded.
TOKEN_CHARACTERS_MAX = 4096
# So many tokens are remembered, at some 400 bytes each.
REMEMBERED_MAX = 10_000
# A key that is withdrawn ends what was signed with it within this time.
REMEMBERED_SECONDS_MAX = 300.0
KEYS_AWAY = "The keys that tokens are checked with cannot be fetched."


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What every token must be like. `leeway_seconds` is how far two clocks may differ."""

    algorithms: tuple[str, ...]
    issuer: str
    audience: str
    admin_scope: str
    leeway_seconds: float


class KeySource(Protocol):
    """Where keys come from."""

    @property
    def is_ready(self) -> bool:
        """Tell whether there are keys."""
        ...

    @property
    def keys(self) -> Keys:
        """The keys of now; another object where they have changed."""
        ...

    async def look_again(self) -> bool:
        """Ask for keys that are newer; tell whether they have changed. Bounded by itself."""
        ...

    async def run(self) -> None:
        """Keep the keys fresh until cancelled."""
        ...


class _Believed(NamedTuple):
    identity: Identity
    until: float


class Tokens:
    """Tells from tokens who asks. Remembers what it found, of a bounded number of them."""

    def __init__(
        self, rules: TokenRules, source: KeySource, clock: Callable[[], float] = time.time
    ) -> None:
        self._rules = rules
        self._source = source
        self._clock = clock
        self._remembered: OrderedDict[bytes, _Believed] = OrderedDict()
        self._keys = source.keys
        self.admin_scope = rules.admin_scope

    @property
    def is_ready(self) -> bool:
        """Tell whether there are keys to check tokens with."""
        return self._source.is_ready

    @property
    def remembered(self) -> int:
        """How many tokens are remembered."""
        return len(self._remembered)

    async def run(self) -> None:
        """Keep the keys fresh until cancelled."""
        await self._source.run()

    async def identify(self, token: str) -> Identity:
        """Return who the token speaks for; raises UnauthenticatedError, or that keys are away."""
        if not 0 < len(token) <= TOKEN_CHARACTERS_MAX:
            raise invalid_token()
        if not self._source.is_ready:
            raise UnavailableError(KEYS_AWAY)
        if self._keys is not self._source.keys:
            self._keys = self._source.keys
            self._remembered.clear()
        # The digest is remembered and not the token: nobody finds one in our memory.
        digest = sha256(token.encode(errors="replace")).digest()
        believed = self._remembered.get(digest)
        if believed is not None and self._clock() < believed.until:
            self._remembered.move_to_end(digest)
            return believed.identity
        return self._remember(digest, await self._check(token))

    def _remember(self, digest: bytes, believed: _Believed) -> Identity:
        self._remembered[digest] = believed
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return believed.identity

    async def _check(self, token: str) -> _Believed:
        try:
            kid, algorithm = _header_of(token)
            keys = self._source.keys.fitting(kid, algorithm)
            if not keys and await self._source.look_again():
                keys = self._source.keys.fitting(kid, algorithm)
            claims = verified_claims(token, keys, self._rules)
            identity = identity_of_claims(claims, self._rules.admin_scope)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError):
            raise invalid_token() from None
        until = min(
            float(claims["exp"]) + self._rules.leeway_seconds,
            self._clock() + REMEMBERED_SECONDS_MAX,
        )
        return _Believed(identity, until)


def _header_of(token: str) -> tuple[str | None, str]:
    header = jwt.get_unverified_header(token)
    return header.get("kid"), header.get("alg", "")


def verified_claims(token: str, keys: Sequence[Key], rules: TokenRules) -> dict[str, Any]:
    """Return the claims of a token that one key, and one only, may have signed.

    Raises PyJWTError where anything is amiss: signature, algorithm, issuer, audience, times. A key
    is bound to its algorithm, so that what is public for one cannot be a secret for another.
    """
    if len(keys) != 1 or keys[0].algorithm not in rules.algorithms:
        message = "no key, or no single key, fits this token"
        raise jwt.InvalidKeyError(message)
    claims: dict[str, Any] = jwt.decode(
        token,
        keys[0].key,
        algorithms=[keys[0].algorithm],
        issuer=rules.issuer,
        audience=rules.audience,
        leeway=rules.leeway_seconds,
        options={
            "require": ["exp", "iss", "aud", "sub"],
            "enforce_minimum_key_length": True,
        },
    )
    return claims


def identity_of_claims(claims: dict[str, Any], admin_scope: str) -> Identity:
    """Make an identity of claims: `sub`, and `scope` as RFC 8693 has it, words with spaces."""
    scope = claims.get("scope", "")
    is_admin = isinstance(scope, str) and admin_scope in scope.split(" ")
    return identity_of_subject(claims["sub"], is_admin=is_admin)
