"""URLs as they may be shown: without the password in them."""

import re

PASSWORD = re.compile(r"(?<=://)([^:/@]*):.*(?=@)")


def without_password(url: str) -> str:
    """The URL with `***` where its password was."""
    return PASSWORD.sub(r"\1:***", url)
