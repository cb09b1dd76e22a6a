"""`fairline admin list`: what admins did, a line for each."""

from collections.abc import Iterator

import msgspec

from app.settings import Settings
from storage.admin_actions import AdminAction, list_admin_actions
from storage.engine import create_database
from streams.outcomes import moment


async def admin_actions(settings: Settings, limit: int) -> list[str]:
    """Return a line for each of the newest actions."""
    database = create_database(settings.sqlalchemy_url)
    try:
        async with database.connect() as connection:
            found = await list_admin_actions(connection, limit)
    finally:
        await database.dispose()
    return [line_of(action) for action in found]


def line_of(action: AdminAction) -> str:
    """Tell an action: when, who, what, with which outcome, and why."""
    payload = msgspec.json.decode(action.payload)
    why = payload.pop("reason", None)
    said = " ".join(_words(payload))
    reason = f": {why}" if why else ""
    at = f"{moment(action.acted_at_ms):%Y-%m-%d %H:%M:%S} UTC"
    what = f"{action.type} {said} [{action.status}]{reason}"
    return f"{action.number}  {at}  {action.principal}  {what}"


def _words(payload: dict[str, object]) -> Iterator[str]:
    for name, value in payload.items():
        if value is not None:
            yield f"{name}={msgspec.json.encode(value).decode()}"
