"""New ids for commands that came without one."""

import os
import time
from uuid import UUID

_VERSION_7, _VARIANT = 0x7 << 76, 0b10 << 62
_RANDOM_A, _RANDOM_B = 0xFFF << 64, (1 << 62) - 1


def new_command_id() -> UUID:
    """Make an id that nobody else has: a UUID of version 7 (RFC 9562, 5.7).

    It begins with the time in milliseconds, so that ids of one moment stand side by side in the
    indexes. With random ids each command touches a page of its own in each of them.
    """
    return uuid_7(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10)))


def uuid_7(at_ms: int, random_bits: int) -> UUID:
    """Make the UUID of a time and of 74 bits; any more of them are not used."""
    bits = at_ms << 80 | _VERSION_7 | random_bits & _RANDOM_A
    return UUID(int=bits | _VARIANT | random_bits & _RANDOM_B)
