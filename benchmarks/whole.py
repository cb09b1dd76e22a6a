"""One whole run of the benchmark: services, sides, the closed loop, and the other parts."""

from pathlib import Path

from app.services.errors import StartError
from benchmarks import closed_loop, goals, ratios
from benchmarks.embedded import start_embedded
from benchmarks.load import generator
from benchmarks.machine import Circumstances, circumstances
from benchmarks.parts import PARTS
from benchmarks.peer.side import VARIANT_TO_WORKS
from benchmarks.plans import (
    ALL_WORKS,
    EMBEDDED_SECONDS,
    START_SECONDS,
    Plan,
    seconds_of,
    single_turns,
    turns,
)
from benchmarks.progress import Progress
from benchmarks.ratios import Figures
from benchmarks.report import PartFound, Report
from benchmarks.rounds import Round
from benchmarks.services import real_services
from benchmarks.sides import Side


async def measure(plan: Plan, folder: Path) -> Report:
    """Measure all that a plan says. A part that cannot be measured is told; the rest goes on."""
    around = circumstances(generator())
    parts = [PARTS[name] for name in plan.parts]
    progress = Progress(planned_seconds(plan) + sum(part.seconds for part in parts))
    rounds = await run_loop(plan, folder, around, progress)
    figures: Figures = ratios.figures(rounds)
    found: list[PartFound] = []
    missing: dict[str, str] = {}
    for part in parts:
        progress.step(0, f"{part.name} begins")
        try:
            of_part = await part.run(folder / part.name)
        except (StartError, TimeoutError, RuntimeError) as error:
            missing[part.name] = str(error)
        else:
            found.append(of_part)
            # What the closed loop has said already has a range, and stays.
            figures = {**of_part.figures, **figures}
        progress.step(part.seconds, f"{part.name} is done")
    return Report(around, plan.name, figures, goals.judge_all(figures), rounds, found, missing)


async def run_loop(
    plan: Plan, folder: Path, around: Circumstances, progress: Progress
) -> list[Round]:
    """The closed loop, and requests one at a time, on services that live as long."""
    with real_services(folder) as services:
        around.services = services.products
        async with closed_loop.all_sides(services, folder, plan.styles) as sides:
            if "orders" in plan.works:
                for side in sides:
                    await side.open_shop()
            progress.step(START_SECONDS, "all sides are ready")
            rounds = await closed_loop.measure(turns(plan), sides, progress)
            if plan.single_rounds:
                rounds += await run_single(plan, folder, sides[0], progress)
    return rounds


async def run_single(plan: Plan, folder: Path, ours: Side, progress: Progress) -> list[Round]:
    """Charges one at a time, to real services and to the embedded ones in turn."""
    async with start_embedded(folder) as embedded:
        progress.step(EMBEDDED_SECONDS, "the embedded installation is ready")
        return await closed_loop.measure(single_turns(plan), [ours, embedded], progress)


def planned_seconds(plan: Plan) -> float:
    """About how long the closed loop takes."""
    peers = [works for (style, _), works in VARIANT_TO_WORKS.items() if style in plan.styles]
    seconds = START_SECONDS + seconds_of(turns(plan), [ALL_WORKS, *peers])
    if plan.single_rounds:
        seconds += EMBEDDED_SECONDS + seconds_of(single_turns(plan), [ALL_WORKS] * 2)
    return seconds
