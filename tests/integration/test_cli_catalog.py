"""`fairline product`, `coupon`, `balance` and `admin`, typed as an operator would."""

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


async def test_what_an_operator_did_is_listed_with_who_when_and_why(
    installation: Installation,
) -> None:
    why = ("--reason", "ticket 812")
    terms = ("--total", "5", "--discount", "100")
    async with installation.worker():
        await fairline(installation, "coupon", "define", "NEW", *terms)
        paused = await fairline(installation, "coupon", "pause", "NEW", *why)
        assert paused.body == {"couponCode": "NEW", "paused": True}
        credit = ("balance", "credit", "7", "--amount", "500", *why)
        credited = await fairline(installation, *credit)
        assert credited.body == {"userId": 7, "creditedAmount": 500, "balance": 500}
        resumed = await fairline(installation, "coupon", "resume", "NEW", *why)
        assert resumed.body["paused"] is False
        refused = await fairline(installation, "coupon", "pause", "OLD", *why)
        assert refused.code == 1
    listed = (await fairline(installation, "admin", "list")).out.splitlines()
    assert [line.split("  ")[3] for line in listed] == [
        'PauseCoupon couponCode="OLD" paused=true [404]: ticket 812',
        'PauseCoupon couponCode="NEW" paused=false [200]: ticket 812',
        "CreditBalance userId=7 amount=500 [200]: ticket 812",
        'PauseCoupon couponCode="NEW" paused=true [200]: ticket 812',
        'DefineCoupon couponCode="NEW" total=5 discountAmount=100 [200]',
    ]
    assert all(line.split("  ")[2].startswith("operator:") for line in listed)


async def test_money_is_not_given_without_a_reason(installation: Installation) -> None:
    said = await fairline(installation, "balance", "credit", "7", "--amount", "1")
    assert said.code == 2
    assert "--reason" in said.err
