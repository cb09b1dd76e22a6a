"""`fairline product` and `fairline coupon`, typed as an operator would."""

from tests.commands import fairline
from tests.installation import Installation


async def test_an_operator_defines_what_is_for_sale(installation: Installation) -> None:
    define = ("product", "define", "5", "--name", "감자 칩", "--price", "1500")
    async with installation.worker():
        defined = await fairline(installation, *define, "--stock", "3")
        assert (defined.code, defined.body["stock"]) == (0, 3)
        restocked = await fairline(installation, "product", "restock", "5", "--quantity", "4")
        assert restocked.body["stock"] == 7
        terms = ("--total", "5", "--discount", "100", "--valid-until", "2030-01-01T00:00:00+0900")
        coupon = await fairline(installation, "coupon", "define", "NEW", *terms)
        assert coupon.body["validUntil"] == "2029-12-31T15:00:00Z"
        refused = await fairline(installation, "product", "restock", "6", "--quantity", "1")
    assert await installation.query("SELECT name, stock FROM products") == [("감자 칩", 7)]
    assert (refused.code, refused.body["code"]) == (1, "PRODUCT_NOT_FOUND")


async def test_an_invalid_definition_is_not_sent(installation: Installation) -> None:
    said = await fairline(
        installation, "coupon", "define", "N W", "--total", "1", "--discount", "1"
    )
    assert said.code == 2
    assert "couponCode" in said.err
    assert len(said.err.splitlines()) == 1
