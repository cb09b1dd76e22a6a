"""`fairline ranking run-batch` and `show`, typed as an operator would."""

import re
from datetime import date, datetime, timedelta

import pytest

from app.daily import run_batch, show
from app.services.errors import StartError
from domain.ranking import daily_window
from storage.engine import create_database
from tests.commands import Said, fairline
from tests.contract.paid_orders import define, order
from tests.installation import Installation


async def ranking(installation: Installation, *words: str) -> Said:
    return await fairline(installation, "ranking", *words)


async def sell(installation: Installation, quantity: int) -> None:
    """A sale in the last second before today."""
    today = datetime.now(installation.settings.zone).date()
    database = create_database(installation.settings.sqlalchemy_url)
    try:
        if not await installation.query("SELECT 1 FROM products"):
            await define(database, 7)
        midnight_ms = daily_window(today, installation.settings.zone).end_ms
        await order(database, midnight_ms - 1000, p7=quantity)
    finally:
        await database.dispose()


async def test_a_day_is_stored_shown_and_made_again(installation: Installation) -> None:
    today = datetime.now(installation.settings.zone).date()
    head = f"daily ranking of {today}, made {today} "
    await sell(installation, 5)
    made = await ranking(installation, "run-batch")
    assert (made.code, made.out.startswith(head)) == (0, True)
    assert made.out.splitlines()[1:] == [
        "1. product 7 (product 7, 700 won): 5 sold",
        "not compared with the live table",
    ]
    # Nobody keeps a live table here, and it says so.
    assert "No ranking worker has published" in made.err
    await sell(installation, 3)
    before = await run_batch(installation.settings, today, again=False)
    assert [place.quantity for place in before.places] == [5]
    again = await ranking(installation, "run-batch", "--again")
    assert again.out.splitlines()[1] == "1. product 7 (product 7, 700 won): 8 sold"
    shown = await ranking(installation, "show")
    assert shown.out == f"{again.out}stored: {today}\n"


async def test_a_day_that_is_made_is_compared_with_the_live_table(
    installation: Installation,
) -> None:
    await sell(installation, 5)
    worker = installation.process("worker", "--kind", "ranking", port_name="ranking_port")
    async with worker as process:
        await process.ready()
        made = await ranking(installation, "run-batch", "--again")
        assert re.search(
            r"^compared 1 products over \d\d hours with the live table: 0 differences$",
            made.out,
            re.MULTILINE,
        ), made
        assert (await ranking(installation, "show")).out.startswith(made.out)


async def test_a_day_that_cannot_be_is_refused(installation: Installation) -> None:
    settings = installation.settings
    today = datetime.now(settings.zone).date()
    bad = {
        today + timedelta(days=1): "has not come yet (Asia/Seoul)",
        today - timedelta(days=1): "nothing was sold before",
        # Time zones had no whole hours then.
        date.min: "there is no ranking of 0001-01-01",
    }
    for day, said in bad.items():
        with pytest.raises(StartError, match=re.escape(said)) as refused:
            await run_batch(settings, day, again=False)
        assert refused.value.exit_status == 2
    with pytest.raises(StartError, match="no ranking is stored yet"):
        await show(settings, None)
    assert await installation.query("SELECT date FROM ranking_runs") == []


async def test_a_day_without_a_ranking_is_answered_with_those_that_have_one(
    installation: Installation,
) -> None:
    today = datetime.now(installation.settings.zone).date()
    made = await ranking(installation, "run-batch")
    assert made.out.splitlines()[1] == "nothing was sold"
    missing = await ranking(installation, "show", "--date", "2026-01-01")
    assert missing.code == 2
    assert f"no ranking of 2026-01-01 is stored; stored: {today}" in missing.err
