"""Ids of commands that came without one: unique, and in the order of their time."""

from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from streams.command_ids import new_command_id, uuid_7

TIMES = st.integers(min_value=0, max_value=2**48 - 1)
BITS = st.integers(min_value=0, max_value=2**80 - 1)


def test_it_is_the_example_of_the_rfc() -> None:
    # RFC 9562, appendix A.6.
    made = uuid_7(0x017F22E279B0, 0xCC3 << 64 | 0x18C4DC0C0C07398F)
    assert made == UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@given(TIMES, BITS)
def test_it_is_of_version_7_whatever_the_bits(at_ms: int, random_bits: int) -> None:
    made = uuid_7(at_ms, random_bits)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == at_ms


@given(TIMES, TIMES, BITS, BITS)
def test_the_later_one_is_greater_as_text_too(one: int, two: int, a: int, b: int) -> None:
    if one != two:
        first, second = uuid_7(min(one, two), a), uuid_7(max(one, two), b)
        assert first < second
        assert str(first) < str(second)


def test_no_id_is_given_twice() -> None:
    assert len({new_command_id() for _ in range(10_000)}) == 10_000
