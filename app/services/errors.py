"""The errors that a person, not a programmer, has to act on."""


class StartError(Exception):
    """Why something cannot start: one line that says what to do about it."""

    exit_status = 2


class AwayError(StartError):
    """What is needed does not answer now; starting again later may help."""

    # sysexits.h: EX_TEMPFAIL.
    exit_status = 75
