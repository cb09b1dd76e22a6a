"""Stock: pieces that were put in, less pieces that paid orders hold, are what is left."""

from collections import Counter
from collections.abc import Iterator

from domain.entities import Order, OrderStatus, Product


class Stock:
    """The pieces of each product by the log and the orders. Memory: a number for each product."""

    def __init__(self) -> None:
        self._left: Counter[int] = Counter()
        self._defined: set[int] = set()

    def define(self, product_id: int, pieces: int) -> None:
        """A product was defined: only the first time counts, later ones change its terms."""
        if product_id not in self._defined:
            self._defined.add(product_id)
            self._left[product_id] += pieces

    def restock(self, product_id: int, pieces: int) -> None:
        """Pieces were added."""
        self._left[product_id] += pieces

    def hold(self, order: Order) -> None:
        """Take what a paid order holds; one that was cancelled holds nothing."""
        if order.status is OrderStatus.PAID:
            for line in order.lines:
                self._left[line.product_id] -= line.quantity

    def faults(self, product: Product) -> Iterator[str]:
        """Say what is wrong with a product's stock, given all of the log and all orders."""
        left = self._left.pop(product.product_id, 0)
        self._defined.discard(product.product_id)
        if product.stock != left:
            yield f"product {product.product_id}: {product.stock} in stock, {left} are left"

    def missing(self) -> Iterator[str]:
        """Say which products were defined and are not there; ask when all have been seen."""
        for product_id in sorted(self._defined):
            yield f"product {product_id}: defined by the log, and not there"
