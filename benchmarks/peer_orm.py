"""The peer's database work with mapped classes and a session per request, as most write it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped

from benchmarks import peer_tables as tables
from benchmarks.peer_shapes import BALANCE_MAX, Charge, Issue, Refused


class Base(DeclarativeBase):
    """The mapped classes have the tables of the other style."""

    metadata = tables.metadata


class Wallet(Base):
    """A user's balance."""

    __table__ = tables.wallets
    user_id: Mapped[int]
    balance: Mapped[int]


class ChargeEntry(Base):
    """A charge of the history."""

    __table__ = tables.charges


class Coupon(Base):
    """A coupon's terms, and how many copies are out."""

    __table__ = tables.coupons
    coupon_id: Mapped[int]
    coupon_code: Mapped[str]
    total: Mapped[int]
    issued: Mapped[int]


class UserCoupon(Base):
    """A user's copy of a coupon."""

    __table__ = tables.user_coupons


class OrmStore:
    """A session per request; it flushes and commits at the end of the block."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def charge(self, body: Charge) -> int:
        """Hold the wallet, add to it, save the charge."""
        async with self._sessions.begin() as session:
            wallet = await session.get(Wallet, body.user_id, with_for_update=True)
            balance = (wallet.balance if wallet else 0) + body.amount
            if balance > BALANCE_MAX:
                raise Refused(400, "BALANCE_LIMIT_EXCEEDED")
            if wallet is None:
                session.add(Wallet(user_id=body.user_id, balance=balance))
            else:
                wallet.balance = balance
            session.add(
                ChargeEntry(user_id=body.user_id, amount=body.amount, balance_after=balance)
            )
        return balance

    async def issue(self, body: Issue) -> int:
        """Find, exists, save, increase."""
        async with self._sessions.begin() as session:
            code = {"coupon_code": body.coupon_code}
            coupon = (await session.scalars(select(Coupon).filter_by(**code))).one_or_none()
            if coupon is None:
                raise Refused(404, "COUPON_NOT_FOUND")
            if await self._has(session, body.user_id, coupon.coupon_id):
                raise Refused(409, "COUPON_ALREADY_ISSUED")
            if coupon.issued >= coupon.total:
                raise Refused(409, "COUPON_SOLD_OUT")
            coupon.issued += 1
            row = {"coupon_id": coupon.coupon_id, "user_id": body.user_id}
            session.add(UserCoupon(**row, number=coupon.issued))
        return coupon.issued

    @staticmethod
    async def _has(session: AsyncSession, user_id: int, coupon_id: int) -> bool:
        own = {"own_user_id": user_id, "own_coupon_id": coupon_id}
        return bool(await session.scalar(tables.HAS_COUPON, own))
