"""The peer's database work in SQLAlchemy Core: bare statements, the cheapest that it can be."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from benchmarks.peer import statements as sql
from benchmarks.peer.shapes import (
    BALANCE_MAX,
    Charge,
    CreateOrder,
    Holding,
    Issue,
    Payment,
    PayOrder,
    Preview,
    Refused,
    price,
    refuse_unpayable,
)

ORDER_COLUMNS = (
    *("user_id", "status", "total_amount", "payable_amount"),
    *("created_at", "expires_at"),
)


class BareStore:
    """Statements that are compiled and prepared once."""

    def __init__(self, engine: AsyncEngine, *, holds_rows: bool) -> None:
        self._engine = engine
        self._holds_rows = holds_rows

    async def charge(self, body: Charge) -> int:
        """Hold the wallet, add to it, save the entry."""
        async with self._engine.begin() as connection:
            wallet = {"wallet_user_id": body.user_id}
            found = (await connection.execute(sql.HOLD_WALLET, wallet)).scalar_one_or_none()
            balance: int = (found or 0) + body.amount
            if balance > BALANCE_MAX:
                raise Refused(400, "BALANCE_LIMIT_EXCEEDED")
            if found is None:
                row = {"user_id": body.user_id, "balance": balance}
                await connection.execute(sql.ADD_WALLET, row)
            else:
                await connection.execute(sql.SET_BALANCE, {**wallet, "balance": balance})
            entry = {"user_id": body.user_id, "kind": "CHARGE", "amount": body.amount}
            await connection.execute(sql.ADD_ENTRY, {**entry, "balance_after": balance})
        return balance

    async def issue(self, body: Issue) -> int:
        """Find, exists, save, increase."""
        find = sql.HOLD_COUPON if self._holds_rows else sql.FIND_COUPON
        async with self._engine.begin() as connection:
            found = await connection.execute(find, {"code": body.coupon_code})
            coupon = found.one_or_none()
            if coupon is None:
                raise Refused(404, "COUPON_NOT_FOUND")
            own = {"own_coupon_id": coupon.coupon_id, "own_user_id": body.user_id}
            if (await connection.execute(sql.HAS_COUPON, own)).scalar_one():
                raise Refused(409, "COUPON_ALREADY_ISSUED")
            if coupon.issued >= coupon.total:
                raise Refused(409, "COUPON_SOLD_OUT")
            number: int = coupon.issued + 1
            row = {"coupon_id": coupon.coupon_id, "user_id": body.user_id, "number": number}
            await connection.execute(sql.ADD_USER_COUPON, row)
            await connection.execute(sql.RAISE_ISSUED, {"id": coupon.coupon_id})
        return number

    async def create_order(self, body: CreateOrder) -> Preview:
        """Read the products, save order and lines."""
        async with self._engine.begin() as connection:
            wanted = {"product_ids": [item.product_id for item in body.items]}
            found = (await connection.execute(sql.FIND_PRODUCTS, wanted)).all()
            preview = price(body, {row.product_id: row for row in found})
            row = {name: getattr(preview, name) for name in ORDER_COLUMNS}
            preview.order_id = (await connection.execute(sql.ADD_ORDER, row)).scalar_one()
            lines = [
                {"order_id": preview.order_id, **structs.asdict(line)} for line in preview.items
            ]
            await connection.execute(sql.ADD_LINES, lines)
        return preview

    async def pay_order(self, body: PayOrder) -> Payment:
        """Check and move all."""
        find = sql.HOLD_ORDER if self._holds_rows else sql.FIND_ORDER
        async with self._engine.begin() as connection:
            this = {"this_order_id": body.order_id}
            order = (await connection.execute(find, this)).one_or_none()
            refuse_unpayable(order, body)
            assert order is not None
            lines = (await connection.execute(sql.FIND_LINES, this)).all()
            payable: int = order.payable_amount
            balance = await self._deduct(connection, body.user_id, payable)
            now = datetime.now(UTC)
            await connection.execute(sql.SET_PAID, {**this, "at": now})
            # Last, because others wait for a product that sells well.
            await self._take_stock(connection, lines)
        return Payment(body.order_id, body.user_id, "PAID", payable, balance, now)

    @staticmethod
    async def _deduct(connection: AsyncConnection, user_id: int, amount: int) -> int:
        wallet = {"wallet_user_id": user_id}
        found = (await connection.execute(sql.HOLD_WALLET, wallet)).scalar_one_or_none()
        balance: int = (found or 0) - amount
        if balance < 0:
            raise Refused(402, "INSUFFICIENT_BALANCE")
        await connection.execute(sql.SET_BALANCE, {**wallet, "balance": balance})
        entry = {"user_id": user_id, "kind": "PAYMENT", "amount": -amount}
        await connection.execute(sql.ADD_ENTRY, {**entry, "balance_after": balance})
        return balance

    async def _take_stock(self, connection: AsyncConnection, lines: Sequence[Any]) -> None:
        if self._holds_rows:
            wanted = {"product_ids": [line.product_id for line in lines]}
            await connection.execute(sql.HOLD_PRODUCTS, wanted)
        # By product id: two payments of the same products must not wait for each other.
        for line in lines:
            taken = {"id": line.product_id, "pieces": line.quantity}
            if not (await connection.execute(sql.TAKE_STOCK, taken)).rowcount:
                raise Refused(409, "OUT_OF_STOCK")

    async def balance(self, user_id: int) -> int | None:
        """One row."""
        async with self._engine.connect() as connection:
            wallet = {"wallet_user_id": user_id}
            return (await connection.execute(sql.FIND_BALANCE, wallet)).scalar_one_or_none()

    async def coupons(self, user_id: int) -> list[Holding]:
        """One query."""
        async with self._engine.connect() as connection:
            found = await connection.execute(sql.LIST_COUPONS, {"own_user_id": user_id})
            return [Holding(*row) for row in found]
