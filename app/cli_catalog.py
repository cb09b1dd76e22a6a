"""`fairline product`, `coupon`, `balance` and `admin`: what operators do, and what they did."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import click

from app.cli_settings import connected_settings, load_settings
from app.services.errors import StartError
from app.who import operator_here

# Without an offset a moment is UTC: the shell's zone must not decide when a coupon opens.
MOMENT = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"])


_why = click.option("--reason", help="For the list of admin actions; 1 to 200 characters.")
_required_why = click.option("--reason", required=True, help="For the list of admin actions.")


@click.group()
def product() -> None:
    """Put products into the catalog, and fill up their stock."""


@product.command("define")
@click.argument("product_id", type=int)
@click.option("--name", required=True, help="1 to 200 characters.")
@click.option("--price", type=int, required=True, help="In won.")
@click.option("--stock", type=int, default=0, show_default=True, help="Of a new product.")
@_why
def define_product(**fields: Any) -> None:
    """Put a product into the catalog, or rename and reprice it.

    The stock of a product that is known already stays; `restock` raises it.
    """
    _carry_out("DefineProduct", fields)


@product.command("restock")
@click.argument("product_id", type=int)
@click.option("--quantity", type=int, required=True, help="Pieces to add.")
@_why
def restock_product(**fields: Any) -> None:
    """Add pieces to a product's stock."""
    _carry_out("RestockProduct", fields)


@click.group()
def coupon() -> None:
    """Announce coupons, and pause them."""


@coupon.command("define")
@click.argument("coupon_code")
@click.option("--total", type=int, required=True, help="How many copies there are.")
@click.option("--discount", "discount_amount", type=int, required=True, help="Won off an order.")
@click.option("--valid-from", type=MOMENT, help="First moment of issue; UTC without offset.")
@click.option("--valid-until", type=MOMENT, help="End of issue; UTC without offset.")
@_why
def define_coupon(**fields: Any) -> None:
    """Announce a coupon, or change its terms.

    Copies that are out keep the discount they were issued with; the total cannot fall below
    what is issued.
    """
    _carry_out("DefineCoupon", fields)


@coupon.command("pause")
@click.argument("coupon_code")
@_required_why
def pause_coupon(**fields: Any) -> None:
    """Issue no more copies for now; those that are out stay what they are."""
    _carry_out("PauseCoupon", {**fields, "paused": True})


@coupon.command("resume")
@click.argument("coupon_code")
@_required_why
def resume_coupon(**fields: Any) -> None:
    """Issue copies of a paused coupon again."""
    _carry_out("PauseCoupon", {**fields, "paused": False})


@click.group()
def balance() -> None:
    """Give users money."""


@balance.command("credit")
@click.argument("user_id", type=int)
@click.option("--amount", type=int, required=True, help="In won.")
@_required_why
def credit_balance(**fields: Any) -> None:
    """Add an amount to a user's balance, up to its maximum."""
    _carry_out("CreditBalance", fields)


@click.group("admin")
def admin_group() -> None:
    """Look at what admins and operators did."""


@admin_group.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
def list_actions(limit: int) -> None:
    """List admin commands, the newest first: when, who, what, and why."""
    from app.admin_actions import admin_actions  # noqa: PLC0415

    for line in asyncio.run(admin_actions(load_settings(), limit)):
        click.echo(line)


def _carry_out(kind: str, fields: dict[str, Any]) -> None:
    """Send one command, show its outcome, and leave with 1 where it was refused."""
    settings = connected_settings("command")
    from app.carry_out import Command, carry_out  # noqa: PLC0415
    from domain.principals import Scope  # noqa: PLC0415
    from streams import wire  # noqa: PLC0415
    from streams.command_ids import new_command_id  # noqa: PLC0415

    stamp = wire.Stamp(operator_here(), Scope.ADMIN)
    command = Command(new_command_id(), _payload(kind, fields), stamp)
    (outcome,) = asyncio.run(carry_out(settings, [command]))
    click.echo(outcome.body)
    if outcome.status != 200:
        raise click.exceptions.Exit(1)


def _payload(kind: str, fields: dict[str, Any]) -> Any:
    import msgspec  # noqa: PLC0415

    from streams.kinds import KINDS  # noqa: PLC0415

    named = {name: _with_offset(value) for name, value in fields.items() if value is not None}
    shape = KINDS[kind].shape
    renamed = {
        f.encode_name: named[f.name] for f in msgspec.structs.fields(shape) if f.name in named
    }
    try:
        return msgspec.convert(renamed, shape)
    except msgspec.ValidationError as error:
        raise StartError(str(error)) from None


def _with_offset(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
