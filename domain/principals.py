"""Who may do what: the form of a principal, and the rule that the worker holds commands to.

A principal is text. A user's is the user's id in digits, so that it is the same with and without
authentication; whoever else has a token is `sub:` and its subject, a service that writes to an
ingress topic is `service:` and its name. None of these can be taken for another.
"""

import re
from enum import StrEnum

from domain.ids import UserId

INT64_MAX = 2**63 - 1
OPERATOR = "operator"
SUBJECT, SERVICE = "sub:", "service:"
_USER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_VISIBLE = re.compile(r"[\x21-\x7e]{1,200}")


class Scope(StrEnum):
    """What a stamp lets a principal do beyond its own user's affairs."""

    ADMIN = "admin"
    """Admin commands, and any user's."""
    SERVICE = "service"
    """Any user's commands, and no admin commands: a service behind the gateway."""


def principal_of_subject(subject: str) -> tuple[str, UserId | None]:
    """Return the principal of a token's subject, and its user where it is one.

    Raises ValueError for a subject that is empty, too long, or not visible ASCII.
    """
    if _USER.fullmatch(subject) and int(subject) <= INT64_MAX:
        return subject, UserId(int(subject))
    if not _VISIBLE.fullmatch(subject):
        message = "a subject has 1 to 200 visible characters"
        raise ValueError(message)
    return SUBJECT + subject, None


def why_not_allowed(
    principal: str, scope: Scope | None, user_id: int | None, *, is_admin_command: bool
) -> str | None:
    """Tell why a principal may not give a command; None where it may.

    `user_id` is the user whom the command concerns, None for none.
    """
    if scope is Scope.ADMIN:
        return None
    if is_admin_command:
        return "An admin command needs the scope admin."
    if scope is Scope.SERVICE or user_id is None or principal == str(user_id):
        return None
    return f"The principal is not user {user_id}."
