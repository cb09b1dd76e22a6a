"""The live ranking from a payment to its viewers, through real processes."""

from collections.abc import Callable

from streams import wire
from tests.street import Street, Visitor
from tests.watching import Seen, Watcher, watching

NewId = Callable[[], int]


async def buy(visitor: Visitor, user_id: int, product_id: int, quantity: int) -> None:
    await visitor.charge(user_id, quantity)
    order = await visitor.order(user_id, [(product_id, quantity)])
    paid = await visitor.pay(user_id, order.body["orderId"])
    assert paid.status == 200, paid


async def sees(watcher: Watcher, product_id: int, quantity: int) -> Seen:
    """Wait for the event in which so many pieces of a product are sold."""
    while (seen := await watcher.event()) and (product_id, quantity) not in seen.sold:
        pass
    return seen


async def test_a_payment_is_seen_by_viewers_of_every_edge_and_in_the_products_rank(
    real_street: Street, real: Visitor, new_id: NewId
) -> None:
    ann, tea = new_id(), new_id()
    await real.define(wire.DefineProduct(tea, "Tea", 1, 5_000))
    async with (
        real_street.another_edge(3) as edge,
        real_street.visitor(edge) as elsewhere,
        watching(real, 100) as here,
        watching(elsewhere, 100) as there,
    ):
        for quantity in (1_000, 2_000):
            await buy(real, ann, tea, 1_000)
            seen = await sees(here, tea, quantity)
            assert (await sees(there, tea, quantity)).id == seen.id
        place = next(each for each in seen.top["products"] if each["productId"] == tea)
        assert (place["name"], place["price"], place["quantity"]) == ("Tea", 1, 2_000)
        for visitor in (real, elsewhere):
            told = (await visitor.get(f"/api/v1/products/{tea}")).body
            assert (told["stock"], told["quantitySold"]) == (3_000, 2_000)
            assert told["rank"] == place["rank"]


async def test_a_viewer_whose_edge_is_gone_goes_on_at_another(
    real_street: Street, real: Visitor, new_id: NewId
) -> None:
    ann, tea = new_id(), new_id()
    await real.define(wire.DefineProduct(tea, "Tea", 1, 9_000))
    async with real_street.another_edge(4) as edge, real_street.visitor(edge) as first:
        async with watching(first, 100) as watcher:
            await buy(real, ann, tea, 3_000)
            seen = await sees(watcher, tea, 3_000)
            # A stop ends the stream; it does not wait for its viewers.
            edge.child.ask()
            while await watcher.block():
                pass
        assert await edge.left() == 0
    async with watching(real, 100, seen=seen.id) as watcher:
        assert await watcher.block() == b"retry: 1000\n\n"
        await buy(real, ann, tea, 1_000)
        assert (tea, 4_000) in (await watcher.event()).sold


async def test_a_stock_is_that_of_the_last_payment_at_every_edge(
    real_street: Street, real: Visitor, new_id: NewId
) -> None:
    ann, tea = new_id(), new_id()
    await real.define(wire.DefineProduct(tea, "Tea", 1, 50))
    async with real_street.another_edge(5) as edge, real_street.visitor(edge) as elsewhere:
        for left in range(49, 44, -1):
            await buy(real, ann, tea, 1)
            told = await elsewhere.get(f"/api/v1/products/{tea}")
            assert told.body["stock"] == left
