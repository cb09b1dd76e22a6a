"""The errors that a person, not a programmer, has to act on."""


class StartError(Exception):
    """Why something cannot start: one line that says what to do about it."""

    exit_status = 2


class AwayError(StartError):
    """What is needed does not answer now; starting again later may help."""

    # sysexits.h: EX_TEMPFAIL.
    exit_status = 75


def one_line(error: BaseException) -> str:
    """Return the first line of what an error says, 200 characters at most.

    An error that says nothing, as a timeout does, is told by its name.
    """
    said = str(error).strip() or repr(error)
    return said.splitlines()[0][:200]
