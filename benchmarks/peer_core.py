"""The peer's database work in SQLAlchemy Core: bare statements, the cheapest that it can be."""

from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import peer_tables as tables
from benchmarks.peer_shapes import BALANCE_MAX, Charge, Issue, Refused


class CoreStore:
    """Statements that are compiled and prepared once."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    async def charge(self, body: Charge) -> int:
        """Hold the wallet, add to it, save the charge."""
        async with self.engine.begin() as connection:
            wallet = {"wallet_user_id": body.user_id}
            found = (await connection.execute(tables.HOLD_WALLET, wallet)).scalar_one_or_none()
            balance: int = (found or 0) + body.amount
            if balance > BALANCE_MAX:
                raise Refused(400, "BALANCE_LIMIT_EXCEEDED")
            if found is None:
                row = {"user_id": body.user_id, "balance": balance}
                await connection.execute(tables.ADD_WALLET, row)
            else:
                await connection.execute(tables.SET_BALANCE, {**wallet, "balance": balance})
            entry = {"user_id": body.user_id, "amount": body.amount, "balance_after": balance}
            await connection.execute(tables.ADD_CHARGE, entry)
        return balance

    async def issue(self, body: Issue) -> int:
        """Find, exists, save, increase."""
        async with self.engine.begin() as connection:
            code = {"code": body.coupon_code}
            coupon = (await connection.execute(tables.FIND_COUPON, code)).one_or_none()
            if coupon is None:
                raise Refused(404, "COUPON_NOT_FOUND")
            own = {"own_coupon_id": coupon.coupon_id, "own_user_id": body.user_id}
            if (await connection.execute(tables.HAS_COUPON, own)).scalar_one():
                raise Refused(409, "COUPON_ALREADY_ISSUED")
            if coupon.issued >= coupon.total:
                raise Refused(409, "COUPON_SOLD_OUT")
            number: int = coupon.issued + 1
            row = {"coupon_id": coupon.coupon_id, "user_id": body.user_id, "number": number}
            await connection.execute(tables.ADD_USER_COUPON, row)
            await connection.execute(tables.RAISE_ISSUED, {"id": coupon.coupon_id})
        return number
