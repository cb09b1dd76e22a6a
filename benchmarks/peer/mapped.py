"""The peer's database work with mapped classes and a session per request, as most write it."""

from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped

from benchmarks.peer import statements as sql
from benchmarks.peer import tables
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


class Base(DeclarativeBase):
    """The mapped classes have the tables of the bare store."""

    metadata = tables.metadata


class Wallet(Base):
    """A user's balance."""

    __table__ = tables.wallets
    user_id: Mapped[int]
    balance: Mapped[int]


class BalanceEntry(Base):
    """A movement of the history."""

    __table__ = tables.balance_entries


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


class Product(Base):
    """A thing for sale."""

    __table__ = tables.products
    product_id: Mapped[int]
    price: Mapped[int]
    stock: Mapped[int]


class Order(Base):
    """An order, waiting or paid."""

    __table__ = tables.orders
    order_id: Mapped[int]
    user_id: Mapped[int]
    status: Mapped[str]
    payable_amount: Mapped[int]
    expires_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]


class OrderLine(Base):
    """A line of an order."""

    __table__ = tables.order_lines
    order_id: Mapped[int]
    product_id: Mapped[int]
    quantity: Mapped[int]


class MappedStore:
    """A session per request; it flushes and commits at the end of the block."""

    def __init__(self, engine: AsyncEngine, *, holds_rows: bool) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._holds_rows = holds_rows

    async def charge(self, body: Charge) -> int:
        """Hold the wallet, add to it, save the entry."""
        async with self._sessions.begin() as session:
            wallet = await session.get(Wallet, body.user_id, with_for_update=True)
            balance = (wallet.balance if wallet else 0) + body.amount
            if balance > BALANCE_MAX:
                raise Refused(400, "BALANCE_LIMIT_EXCEEDED")
            if wallet is None:
                session.add(Wallet(user_id=body.user_id, balance=balance))
            else:
                wallet.balance = balance
            row = {"user_id": body.user_id, "amount": body.amount, "balance_after": balance}
            session.add(BalanceEntry(kind="CHARGE", **row))
        return balance

    async def issue(self, body: Issue) -> int:
        """Find, exists, save, increase."""
        find = select(Coupon).filter_by(coupon_code=body.coupon_code)
        if self._holds_rows:
            find = find.with_for_update()
        async with self._sessions.begin() as session:
            coupon = (await session.scalars(find)).one_or_none()
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
        return bool(await session.scalar(sql.HAS_COUPON, own))

    async def create_order(self, body: CreateOrder) -> Preview:
        """Read the products, save order and lines."""
        wanted = [item.product_id for item in body.items]
        async with self._sessions.begin() as session:
            found = await session.scalars(select(Product).where(Product.product_id.in_(wanted)))
            preview = price(body, {product.product_id: product for product in found})
            columns = ("user_id", "status", "total_amount", "payable_amount", "created_at")
            row = {name: getattr(preview, name) for name in columns}
            order = Order(**row, expires_at=preview.expires_at)
            session.add(order)
            await session.flush()
            preview.order_id = order.order_id
            session.add_all(
                OrderLine(
                    order_id=order.order_id,
                    product_id=line.product_id,
                    unit_price=line.unit_price,
                    quantity=line.quantity,
                )
                for line in preview.items
            )
        return preview

    async def pay_order(self, body: PayOrder) -> Payment:
        """Check and move all."""
        hold = True if self._holds_rows else None
        async with self._sessions.begin() as session:
            order = await session.get(Order, body.order_id, with_for_update=hold)
            refuse_unpayable(order, body)
            assert order is not None
            balance = await self._deduct(session, order)
            order.status, order.paid_at = "PAID", datetime.now(UTC)
            # Others wait for a product that sells well: it is taken last.
            await session.flush()
            await self._take_stock(session, order)
        return Payment(
            order.order_id, order.user_id, "PAID", order.payable_amount, balance, order.paid_at
        )

    @staticmethod
    async def _deduct(session: AsyncSession, order: Order) -> int:
        wallet = await session.get(Wallet, order.user_id, with_for_update=True)
        if wallet is None or wallet.balance < order.payable_amount:
            raise Refused(402, "INSUFFICIENT_BALANCE")
        wallet.balance -= order.payable_amount
        row = {"user_id": order.user_id, "balance_after": wallet.balance}
        session.add(BalanceEntry(kind="PAYMENT", amount=-order.payable_amount, **row))
        return wallet.balance

    async def _take_stock(self, session: AsyncSession, order: Order) -> None:
        find = select(OrderLine).filter_by(order_id=order.order_id).order_by(OrderLine.product_id)
        # By product id: two payments of the same products must not wait for each other.
        for line in (await session.scalars(find)).all():
            if self._holds_rows:
                await self._take_held(session, line)
            else:
                await self._take_at_once(session, line)

    @staticmethod
    async def _take_held(session: AsyncSession, line: OrderLine) -> None:
        product = await session.get_one(Product, line.product_id, with_for_update=True)
        if product.stock < line.quantity:
            raise Refused(409, "OUT_OF_STOCK")
        product.stock -= line.quantity

    @staticmethod
    async def _take_at_once(session: AsyncSession, line: OrderLine) -> None:
        taken = await session.execute(
            update(Product)
            .where(Product.product_id == line.product_id, Product.stock >= line.quantity)
            .values(stock=Product.stock - line.quantity)
            .returning(Product.stock)
            .execution_options(synchronize_session=False)
        )
        if taken.scalar_one_or_none() is None:
            raise Refused(409, "OUT_OF_STOCK")

    async def balance(self, user_id: int) -> int | None:
        """One row."""
        async with self._sessions() as session:
            wallet = await session.get(Wallet, user_id)
        return wallet.balance if wallet else None

    async def coupons(self, user_id: int) -> list[Holding]:
        """One query."""
        find = select(Coupon.coupon_code, tables.user_coupons.c.number)
        joined = find.join(tables.user_coupons).where(tables.user_coupons.c.user_id == user_id)
        async with self._sessions() as session:
            return [Holding(*row) for row in await session.execute(joined)]
