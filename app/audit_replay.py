"""`fairline audit --replay`: the command log carried out again, into a database of its own."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from app.audit import Verdict, opened
from app.progress import Watch
from app.services.errors import StartError
from app.settings import Settings
from app.topics import topics_in
from app.urls import without_password
from storage.audit import estimate_rows, looking
from storage.audit_tables import list_tables
from storage.engine import Database, create_database
from storage.migrate import upgrade_async
from storage.schema import command_log
from streams.audit.books import Horizon, load_horizon
from streams.audit.comparing import compare_states
from streams.audit.portion import Past
from streams.audit.replay import LogReplay
from streams.decisions import Rulebook
from streams.outcomes import moment


async def replay(settings: Settings, into: str | None, watch: Watch) -> Verdict:
    """Carry out the command log again and compare; raises StartError where that cannot be."""
    async with opened(settings) as source, looking(source) as connection:
        horizon = await load_horizon(connection)
        _require_whole(horizon)
        async with _target(settings, into) as target:
            replay = LogReplay(target, _rulebook(settings), Past(horizon.taken_over))
            return await _carry_out(replay, connection, watch)


async def _carry_out(replay: LogReplay, source: AsyncConnection, watch: Watch) -> Verdict:
    await replay.run(source, watch, await estimate_rows(source, command_log))
    async with replay.target.snapshot() as made:
        states = await compare_states(source, made, watch)
    rows = replay.rows + sum(finding.checked for finding in states)
    return Verdict((replay.finding, *states), rows)


def _require_whole(horizon: Horizon) -> None:
    if horizon.is_whole:
        return
    until = moment(horizon.kept_since_ms).isoformat(timespec="seconds")
    message = f"the command log was pruned up to {until}: what it did before cannot be carried"
    message += " out again, so there is nothing to replay; `fairline audit` needs no whole log"
    raise StartError(message)


def _rulebook(settings: Settings) -> Rulebook:
    expiry_ms = settings.order_expiry_seconds * 1000
    return Rulebook(topics_in(settings), 0, settings.balance_max, expiry_ms)


@asynccontextmanager
async def _target(settings: Settings, into: str | None) -> AsyncIterator[Database]:
    """Open an empty database with our tables while the block runs. Raises StartError."""
    with tempfile.TemporaryDirectory(prefix="fairline-replay-") as folder:
        url = into or f"sqlite:///{Path(folder) / 'replay.db'}"
        driven = settings.model_copy(update={"database_url": url}).sqlalchemy_url
        database = create_database(driven, connections_max=2)
        try:
            async with database.connect() as connection:
                if await list_tables(connection):
                    message = f"{without_password(url)} is not empty: a replay begins from nothing"
                    raise StartError(message)
            await upgrade_async(driven)
            yield database
        finally:
            await database.dispose()
