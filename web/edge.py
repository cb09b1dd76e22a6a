"""What the handlers of one edge share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from storage.engine import Database
from streams.liveness import Liveness
from web.catalog import Catalog
from web.command_path import CommandPath, Parts
from web.identity import Identifier
from web.reads import Reads
from web.result_watch import ResultWatch
from web.shared_cache import SharedCache
from web.sold_out import SoldOut
from web.top_board import TopBoard
from web.top_lists import LiveTop


class Part(Protocol):
    """Another part of this process, whose health is told with the edge's."""

    liveness: Liveness

    def checks(self) -> Mapping[str, bool]:
        """Return each check by name; the part is ready when all hold."""
        ...


Others = Mapping[str, Part]


@dataclass(frozen=True, slots=True)
class Edge:
    """The parts of one edge, wired."""

    parts: Parts
    database: Database
    commands: CommandPath
    cache: SharedCache
    catalog: Catalog
    reads: Reads
    sold_out: SoldOut
    top_lists: LiveTop
    board: TopBoard
    result_watch: ResultWatch
    liveness: Liveness
    others: Others
    broker: str
    identifier: Identifier | None = None


EDGE = web.AppKey("EDGE", Edge)
