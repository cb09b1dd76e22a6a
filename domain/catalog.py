"""The rules of the catalog: products and their stock."""

from dataclasses import replace

from domain.commands import DefineProduct, RestockProduct
from domain.entities import Product
from domain.events import ProductSaved, Reason, Refusal
from domain.state import Decision, State, Terms

# With 100 lines of 10,000 pieces at this price a total still fits a signed 64-bit column.
PRICE_MAX = 10**12
# Only a restock is refused for it: pieces of cancelled orders come back, whatever there is.
STOCK_MAX = 10**12


def decide_define_product(state: State, command: DefineProduct, _terms: Terms) -> Decision:
    """Put a product into the catalog; a known one is renamed and repriced, its stock stays."""
    known = state.products.get(command.product_id)
    stock = known.stock if known else command.stock
    product = Product(command.product_id, command.name, command.price, stock)
    return Decision(ProductSaved(product), (product,))


def decide_restock_product(state: State, command: RestockProduct, _terms: Terms) -> Decision:
    """Add pieces to a product's stock. Refusals: unknown product, more than can be counted."""
    details: dict[str, int | str] = {"productId": command.product_id}
    product = state.products.get(command.product_id)
    if product is None:
        return Decision(Refusal(Reason.PRODUCT_NOT_FOUND, "There is no such product.", details))
    stock = product.stock + command.quantity
    if stock > STOCK_MAX:
        message = f"The stock may not exceed {STOCK_MAX} pieces."
        return Decision(Refusal(Reason.STOCK_LIMIT_EXCEEDED, message, details))
    restocked = replace(product, stock=stock)
    return Decision(ProductSaved(restocked), (restocked,))
