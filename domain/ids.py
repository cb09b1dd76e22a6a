"""The names of scalars that must not be mixed up."""

from typing import NewType

UserId = NewType("UserId", int)
ProductId = NewType("ProductId", int)
CouponCode = NewType("CouponCode", str)
CouponId = NewType("CouponId", str)
OrderId = NewType("OrderId", str)
CommandId = NewType("CommandId", str)
