"""What the handlers of one edge share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from storage.engine import Database
from web.catalog import Catalog
from web.command_path import CommandPath, Parts
from web.reads import Reads
from web.shared_cache import SharedCache
from web.sold_out import SoldOut
from web.top_board import TopBoard
from web.top_lists import LiveTop

Checks = Mapping[str, Callable[[], Mapping[str, bool]]]


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
    more_checks: Checks
    broker: str


EDGE = web.AppKey("EDGE", Edge)
