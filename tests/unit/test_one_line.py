"""What cannot be reached is told in one line, whatever the error says of itself."""

import pytest

from app.services.errors import one_line

SAID: list[tuple[BaseException, str]] = [
    (OSError("connection refused"), "connection refused"),
    (OSError("refused\nHINT: is it up?"), "refused"),
    (OSError("\n refused"), "refused"),
    # A timeout says nothing: the worker once left with a traceback over it.
    (TimeoutError(), "TimeoutError()"),
    (OSError("x" * 300), "x" * 200),
]


@pytest.mark.parametrize(("error", "line"), SAID)
def test_an_error_is_told_in_one_line(error: BaseException, line: str) -> None:
    assert one_line(error) == line
