"""The one error that a person, not a programmer, has to act on."""


class StartError(Exception):
    """Why something cannot start: one line that says what to do about it."""
