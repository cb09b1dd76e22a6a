"""The line for a coupon, for anybody to check: who came first got one, and nobody is named."""

import msgspec
from aiohttp import web

from domain.entities import Coupon
from domain.ids import CouponCode
from storage.command_log import Disposition
from storage.coupons import load_coupons
from storage.line import (
    Line,
    LineRow,
    Portion,
    Spot,
    find_beginning,
    find_newest_epoch,
    list_line,
)
from streams import codec, wire
from streams.outcomes import Answer, moment
from streams.topics import Topic
from streams.wire_fields import Code
from web import shapes
from web.access import public
from web.edge import EDGE
from web.paging import PAGE, Cursors
from web.problems import ProblemError, respond
from web.requests import read_number, read_page_limit, read_query

ISSUED = "ISSUED"
_CURSORS = Cursors("line", tuple[int, int])


class _Said(msgspec.Struct):
    number: int | None = None
    code: str | None = None


_decode = msgspec.json.Decoder(_Said).decode


@public
async def read_line(request: web.Request) -> web.Response:
    """Answer who stood in line for a coupon, in the order of the log: places, but no names.

    A page may have fewer records than its limit, even none, and still a `next`. With `offset`
    the line is shown from that place on, as a receipt names it.
    """
    query = read_query(request, *PAGE, "offset")
    page = _CURSORS.read(query, read_page_limit(query))
    offset = None if "offset" not in query else _read_offset(query["offset"])
    edge = request.app[EDGE]
    code = CouponCode(request.match_info["couponCode"])
    async with edge.database.connect() as connection:
        coupon = (await load_coupons(connection, [code] if _is_code(code) else [])).get(code)
        if coupon is None:
            raise ProblemError(404, "COUPON_NOT_FOUND", "There is no such coupon.")
        line = _line_of(edge.parts.topics.coupon_commands, code)
        if page.after is not None:
            after = Spot(*page.after)
        elif offset is not None:
            after = Spot(await find_newest_epoch(connection), offset - 1)
        else:
            after = await find_beginning(connection, coupon.coupon_id)
        portion = await list_line(connection, line, after, page.limit)
    return respond(Answer(200, shapes.encode(_show(coupon, line, portion))))


def _read_offset(text: str) -> int:
    return 0 if text == "0" else read_number("offset", text, wire.INT64_MAX)


def _is_code(text: str) -> bool:
    try:
        msgspec.convert(text, Code)
    except msgspec.ValidationError:
        return False
    return True


def _line_of(topic: Topic, code: CouponCode) -> Line:
    return Line(topic.name, codec.partition_of(code.encode(), topic.partitions), code)


def _show(coupon: Coupon, line: Line, portion: Portion) -> shapes.CouponLine:
    return shapes.CouponLine(
        coupon_code=coupon.coupon_code,
        total=coupon.total,
        issued=coupon.issued,
        records=[_show_row(portion.epoch, line.partition, row) for row in portion.rows],
        next=None if portion.after is None else _CURSORS.write(portion.after),
    )


def _show_row(epoch: int, partition: int, row: LineRow) -> shapes.LineRecord:
    said = _decode(row.body)
    outcome = {Disposition.APPLIED: ISSUED, Disposition.REFUSED: said.code or ""}.get(
        Disposition(row.disposition), row.disposition
    )
    return shapes.LineRecord(
        log_epoch=epoch,
        partition=partition,
        offset=row.offset,
        accepted_at=moment(row.accepted_at_ms),
        outcome=outcome,
        number=said.number if outcome == ISSUED else None,
    )
