"""A little shop on the log: every kind of command once, and what they leave behind."""

from streams import wire
from tests.client import Listener, Producer, Sent, body_of

COFFEE = wire.DefineProduct(1, "Coffee", 4_500, 100)
CAKE = wire.DefineProduct(2, "Cake", 6_000, 10)
HELLO = wire.DefineCoupon("HELLO", 3, 1_000)


async def say(producer: Producer, listener: Listener, payload: wire.Shape) -> Sent:
    """Send a command, and see it succeed."""
    sent = await producer.send(payload)
    result = await listener.result_at(sent.place)
    assert result.status == 200, body_of(result)
    return sent


async def define_shop(producer: Producer, listener: Listener) -> list[Sent]:
    """Define the products and the coupon."""
    return [await say(producer, listener, payload) for payload in (COFFEE, CAKE, HELLO)]


async def buy(producer: Producer, listener: Listener, user_id: int) -> list[Sent]:
    """Charge, get the coupon, order two coffees and a cake with it, and pay."""
    charge = await say(producer, listener, wire.ChargeBalance(user_id, 50_000))
    issue = await say(producer, listener, wire.IssueCoupon(user_id, "HELLO"))
    coupon_id = body_of(await listener.result_at(issue.place))["couponId"]
    items = [wire.OrderItem(1, 2), wire.OrderItem(2, 1)]
    order = await say(producer, listener, wire.CreateOrder(user_id, items, coupon_id))
    pay = await say(producer, listener, wire.PayOrder(user_id, order.command_id))
    return [charge, issue, order, pay]
