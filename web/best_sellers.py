"""The best sellers with product data: one way to show them, whoever asks."""

from dataclasses import asdict

from domain.entities import Product
from domain.ranking import Window
from storage.daily_ranking import DailyRun
from streams.outcomes import moment
from web import shapes
from web.catalog import Catalog
from web.top_lists import MergedTop

LIVE, DAILY = "live", "daily"


async def show_top(catalog: Catalog, top: MergedTop) -> shapes.TopProducts:
    """Show the best sellers.

    A rank is the place in the merged lists, the same in every view: a product that the catalog
    does not know is left out with its rank, and the others keep theirs.
    """
    known = await catalog.products_by_id([entry.product_id for entry in top.entries])
    return shapes.TopProducts(
        products=[
            shapes.RankedProduct(
                rank=rank,
                product_id=entry.product_id,
                name=known[entry.product_id].name,
                price=known[entry.product_id].price,
                quantity=entry.quantity,
            )
            for rank, entry in enumerate(top.entries, start=1)
            if entry.product_id in known
        ],
        as_of=moment(top.as_of_ms),
        window=show_window(top.window),
    )


def show_run(run: DailyRun, limit: int) -> shapes.DailyTopProducts:
    """Show a stored ranking, as it was stored."""
    return shapes.DailyTopProducts(
        products=[shapes.RankedProduct(**asdict(place)) for place in run.places[:limit]],
        as_of=moment(run.completed_at_ms),
        window=show_window(run.window),
        source=DAILY,
        date=run.day,
    )


def show_product(product: Product, top: MergedTop) -> shapes.ProductWithRank:
    """Show a product with its rank, the same as in every other view."""
    ranked = enumerate(top.entries, start=1)
    places = ((rank, each.quantity) for rank, each in ranked if each[0] == product.product_id)
    rank, quantity = next(places, (None, None))
    return shapes.ProductWithRank(
        product.product_id, product.name, product.price, product.stock, rank, quantity
    )


def show_window(window: Window) -> shapes.Window:
    """Show a span of time."""
    return shapes.Window(moment(window.start_ms), moment(window.end_ms))
