"""Who types a command: the name that is kept with what it did."""

import getpass
import os
import re

_INVISIBLE = re.compile(r"[^\x21-\x7e]+")


def user_name() -> str:
    """Return the name of the user whose process this is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have a number and no name.
        return f"uid {os.getuid()}"


def operator_here() -> str:
    """Return the principal of an operator at the command line."""
    return f"operator:{_INVISIBLE.sub('-', user_name())[:200]}"
