"""The tour of all eight use cases: commands to paste into a second terminal, one by one."""

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stop:
    """One use case, and the command that shows it. URL and FAIRLINE stand for our own."""

    title: str
    command: str


JSON = "-H 'Content-Type: application/json'"
STOPS = (
    Stop(
        "Charge a balance",
        f"""curl -sw '\\n' URL/api/v1/balance/charge {JSON} -d '{{"userId": 7, "amount": 100000}}'""",
    ),
    Stop("Read it", "curl -sw '\\n' 'URL/api/v1/balance?userId=7'"),
    Stop(
        "Issue a coupon: first come, first served",
        f"""curl -sw '\\n' URL/api/v1/coupons/issue {JSON} \\
  -d '{{"userId": 7, "couponCode": "WELCOME"}}'""",
    ),
    Stop(
        "List the user's coupons",
        """COUPONS=$(curl -s 'URL/api/v1/coupons?userId=7'); echo "$COUPONS\"""",
    ),
    Stop(
        "Create an order: a preview, nothing is reserved",
        f"""ORDER=$(curl -s URL/api/v1/orders {JSON} -d '{{"userId": 7,
  "items": [{{"productId": 1, "quantity": 2}}, {{"productId": 2, "quantity": 1}}],
  "couponId": '$(expr "$COUPONS" : '.*"couponId":\\([0-9]*\\)')'}}'); echo "$ORDER\"""",
    ),
    Stop(
        "Pay it",
        f"""curl -sw '\\n' URL/api/v1/orders/pay {JSON} \\
  -d '{{"userId": 7, "orderId": "'$(expr "$ORDER" : '.*"orderId":"\\([^"]*\\)')'"}}'""",
    ),
    Stop("The best sellers of the last three days", "curl -sw '\\n' URL/api/v1/products/top"),
    Stop("The ranking that is made every midnight, made now", "FAIRLINE ranking batch"),
)


def tour(url: str, data_dir: Path) -> str:
    """All eight commands for an edge at this URL, ready to be pasted into a shell."""
    fairline = _program(data_dir)
    stops = [
        f"# {number}. {stop.title}\n{stop.command}\n" for number, stop in enumerate(STOPS, start=1)
    ]
    return "\n".join(stops).replace("URL", url).replace("FAIRLINE", fairline)


def _program(data_dir: Path) -> str:
    """The words that run `fairline` on this data folder, in a shell that knows nothing of ours."""
    program = Path(sys.executable).with_name("fairline")
    word = "fairline" if shutil.which("fairline") else os.path.relpath(program)
    default = data_dir.absolute() == Path(".fairline").absolute()
    return word if default else f"FAIRLINE_DATA_DIR={shlex.quote(str(data_dir.absolute()))} {word}"
