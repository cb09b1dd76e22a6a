"""The rules of the catalog."""

import pytest

from domain.catalog import PRICE_MAX, STOCK_MAX
from domain.commands import DefineProduct, RestockProduct
from domain.entities import Product
from domain.events import ProductSaved, Reason
from domain.state import Decision
from tests.worlds import (
    CUP,
    INT64_MAX,
    TEA,
    command_id,
    decide_untouched,
    product,
    reason_of,
    refusal_of,
    state_of,
)


def define(price: int = 900, stock: int = 5) -> DefineProduct:
    return DefineProduct(command_id(1), TEA, "Green tea", price, stock)


def restock(quantity: int) -> RestockProduct:
    return RestockProduct(command_id(2), TEA, quantity)


def test_a_new_product_stands_as_defined() -> None:
    made = Product(TEA, "Green tea", 900, 5)
    assert decide_untouched(state_of(), define()) == Decision(ProductSaved(made), (made,))


@pytest.mark.parametrize("stock", [0, 3, STOCK_MAX])
def test_a_known_product_is_renamed_and_repriced_and_keeps_its_stock(stock: int) -> None:
    made = Product(TEA, "Green tea", 900, stock)
    decision = decide_untouched(state_of(product(stock=stock)), define(stock=77))
    assert decision == Decision(ProductSaved(made), (made,))


@pytest.mark.parametrize(("price", "stock"), [(0, 0), (PRICE_MAX, STOCK_MAX)])
def test_the_edges_of_price_and_stock_are_taken(price: int, stock: int) -> None:
    made = Product(TEA, "Green tea", price, stock)
    assert decide_untouched(state_of(), define(price, stock)).outcome == ProductSaved(made)


#   stock            pieces                leaves
RESTOCKED = [
    (0, 1, 1),
    (10, 5, 15),
    (0, STOCK_MAX, STOCK_MAX),
    (STOCK_MAX - 1, 1, STOCK_MAX),
]


@pytest.mark.parametrize(("stock", "pieces", "leaves"), RESTOCKED)
def test_a_restock_adds_pieces_and_keeps_name_and_price(
    stock: int, pieces: int, leaves: int
) -> None:
    made = product(stock=leaves)
    decision = decide_untouched(state_of(product(stock=stock)), restock(pieces))
    assert decision == Decision(ProductSaved(made), (made,))


@pytest.mark.parametrize(
    ("stock", "pieces"), [(STOCK_MAX, 1), (1, STOCK_MAX), (STOCK_MAX, STOCK_MAX)]
)
def test_a_stock_past_what_can_be_counted_is_refused(stock: int, pieces: int) -> None:
    refusal = refusal_of(state_of(product(stock=stock)), restock(pieces))
    assert refusal.reason is Reason.STOCK_LIMIT_EXCEEDED
    assert refusal.details == {"productId": TEA}


def test_an_unknown_product_is_not_restocked() -> None:
    assert reason_of(state_of(product(CUP)), restock(STOCK_MAX)) is Reason.PRODUCT_NOT_FOUND


def test_the_largest_order_fits_a_signed_64_bit_column() -> None:
    assert 100 * 10_000 * PRICE_MAX <= INT64_MAX
