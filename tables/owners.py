"""Finds the ranking worker of a partition in the top lists, and asks it over HTTP."""

import asyncio
import time
from collections.abc import Callable, Mapping

import aiohttp
import msgspec

from domain.comparison import Comparison, merge_comparisons
from domain.ranking import TopList, Window
from streams.codec import partition_of
from streams.outcomes import Answer, moment
from tables.shapes import decode_comparison

# A request that comes with it is answered here or nowhere: two workers that each take the other
# one for the owner must not pass it to and fro.
FORWARDED = "Fairline-Forwarded"
ASK_SECONDS_MAX = 2.0
# A check may begin anew twice, and waits for sales that are on their way each time.
CHECK_SECONDS_MAX = 240.0
# A killed worker's partitions move within its session timeout and a rebalance.
MOVING_SECONDS_MAX = 30.0
RETRY_SECONDS = 0.5

Told = Callable[[str, Comparison], None]
"""Hears what the worker at a URL has found."""


class OwnerAwayError(Exception):
    """Nobody can be asked now; the message is a sentence that says why."""


class PartitionsMovingError(OwnerAwayError):
    """Partitions are on their way to another worker: asked again soon, there is an answer."""


class Owners:
    """The ranking workers, by the partitions that they publish top lists of."""

    def __init__(self, partitions: int, lists: Callable[[], Mapping[int, TopList]]) -> None:
        self._partitions = partitions
        self._lists = lists

    def of(self, partition: int) -> str:
        """Return the URL of a partition's owner. Raises OwnerAwayError where none is known."""
        top = self._lists().get(partition)
        if top is None or not top.owner:
            message = f"No ranking worker has published partition {partition} yet."
            raise OwnerAwayError(message)
        return top.owner

    def of_product(self, product_id: int) -> str:
        """Return the URL of the owner of a product. Raises OwnerAwayError."""
        return self.of(partition_of(str(product_id).encode(), self._partitions))

    def all(self) -> list[str]:
        """Return the URL of each owner, once. Raises OwnerAwayError where one is not known."""
        return sorted({self.of(partition) for partition in range(self._partitions)})

    def are_all(self, partitions: tuple[int, ...]) -> bool:
        """Tell whether these are all the partitions there are."""
        return partitions == tuple(range(self._partitions))


async def ask(
    owner: str,
    path: str,
    parameters: Mapping[str, str] | None = None,
    *,
    seconds_max: float = ASK_SECONDS_MAX,
) -> Answer:
    """Get what a ranking worker answers itself. Raises OwnerAwayError where it does not."""
    timeout = aiohttp.ClientTimeout(seconds_max, sock_connect=ASK_SECONDS_MAX)
    headers = {FORWARDED: "1"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as client,
            client.get(owner + path, params=parameters, allow_redirects=False) as response,
        ):
            return Answer(response.status, await response.read())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        message = f"The ranking worker at {owner} does not answer ({type(error).__name__})."
        raise OwnerAwayError(message) from error


async def check_everywhere(
    owners: Owners, window: Window | None, told: Told = lambda _url, _found: None
) -> Comparison:
    """Let every ranking worker compare its own partitions with SQL, and say what all found.

    Without a window each compares its live one, as it is when the worker comes to it.
    Raises OwnerAwayError where a worker does not answer, or partitions do not come to rest.
    """
    deadline = time.monotonic() + MOVING_SECONDS_MAX
    while True:
        try:
            return await _check_once(owners, window, told)
        except PartitionsMovingError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(RETRY_SECONDS)


async def _check_once(owners: Owners, window: Window | None, told: Told) -> Comparison:
    checks = [_check_at(url, window, told) for url in owners.all()]
    # All are waited for: a check that nobody listens to any more would go on.
    answers = await asyncio.gather(*checks, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    try:
        found = merge_comparisons([each for each in answers if isinstance(each, Comparison)])
    except ValueError as error:
        message = f"Partitions are moving from worker to worker: {error}."
        raise PartitionsMovingError(message) from error
    if not owners.are_all(found.partitions):
        message = f"Only the partitions {list(found.partitions)} have an owner."
        raise PartitionsMovingError(message)
    return found


async def _check_at(url: str, window: Window | None, told: Told) -> Comparison:
    parameters = {}
    if window is not None:
        names = zip(("start", "end"), window, strict=True)
        parameters = {name: moment(at_ms).isoformat() for name, at_ms in names}
    answer = await ask(url, "/ranking/check", parameters, seconds_max=CHECK_SECONDS_MAX)
    if answer.status != 200:
        message = f"The ranking worker at {url} answers {answer.status}: {_detail(answer.body)}"
        raise (PartitionsMovingError if answer.status == 503 else OwnerAwayError)(message)
    try:
        found = decode_comparison(answer.body)
    except (msgspec.DecodeError, ValueError) as error:
        message = f"What answers at {url} is no ranking worker of this version: {error}."
        raise OwnerAwayError(message) from error
    told(url, found)
    return found


def _detail(body: bytes) -> str:
    """Return what a problem says, or the beginning of whatever else was answered."""
    try:
        return str(msgspec.json.decode(body)["detail"])
    except (msgspec.DecodeError, LookupError, TypeError):
        return body[:200].decode(errors="replace")
