"""All parts in turn on the same services, and what they have found together."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from app.services.errors import StartError
from benchmarks.limits import costs, drain, kafka_tools, pgbench, reads
from benchmarks.limits.batch_body import BatchBodyRate, batch_body_rates
from benchmarks.limits.costs import Cost
from benchmarks.limits.drain import Drained
from benchmarks.limits.kafka_tools import KafkaRate
from benchmarks.limits.options import Options
from benchmarks.limits.pgbench import PgbenchRate
from benchmarks.limits.reads import ReadRate
from benchmarks.load import generator
from benchmarks.machine import Circumstances, circumstances
from benchmarks.services import Services, real_services

BATCH_COMMANDS = 20_000


class Limits(msgspec.Struct):
    """What each part has found; a part that could not be measured says why."""

    circumstances: Circumstances
    batch: list[BatchBodyRate] = []
    pgbench: list[PgbenchRate] = []
    kafka: list[KafkaRate] = []
    reads: list[ReadRate] = []
    drain: list[Drained] = []
    costs: list[Cost] = []
    missing: dict[str, str] = {}

    @property
    def faults(self) -> list[str]:
        """Everything that did not bear checking."""
        checked = (
            *((f"pgbench, {each.kind}", each.fault) for each in self.pgbench),
            *((f"Kafka's {each.tool}", each.fault) for each in self.kafka),
            *((f"read of {each.name}", each.fault) for each in self.reads),
            *((f"{each.work}, {each.by}", each.fault) for each in self.drain),
            *((f"cost of {each.work}", fault) for each in self.costs for fault in each.faults),
        )
        return [f"{name}: {fault}" for name, fault in checked if fault]


async def measure_batch(
    services: Services, _folder: Path, options: Options
) -> list[BatchBodyRate]:
    """Measure the batch body without Kafka and Faust."""
    found = []
    for kind in options.batch_kinds:
        database, sizes = services.urls["database"], options.batch_sizes
        found += await batch_body_rates(database, kind, sizes, commands=BATCH_COMMANDS)
    return found


Measuring = Callable[[Services, Path, Options], Awaitable[Sequence[object]]]
PARTS: dict[str, Measuring] = {
    "batch": measure_batch,
    "pgbench": pgbench.measure,
    "kafka": kafka_tools.measure,
    "reads": reads.measure,
    "drain": drain.measure,
    "costs": costs.measure,
}


async def measure(options: Options, folder: Path) -> Limits:
    """Start the services in a folder, and measure the parts that are asked for on them."""
    found = Limits(circumstances(generator()))
    with real_services(folder) as services:
        found.circumstances.services = services.products
        for part in options.parts:
            print(f"{part}:", flush=True)
            try:
                setattr(found, part, await PARTS[part](services, folder, options))
            except (StartError, TimeoutError, RuntimeError) as error:
                found.missing[part] = str(error)
                print(f"not measured: {error}", flush=True)
    return found
