"""One whole run of the benchmark: services, sides, the closed loop, and the other parts."""

from pathlib import Path

from app.services.errors import StartError
from benchmarks import closed_loop, goals, ratios
from benchmarks.embedded import start_embedded
from benchmarks.load import generator
from benchmarks.machine import Circumstances, circumstances
from benchmarks.parts import PARTS, Part
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
from benchmarks.report import Report
from benchmarks.rounds import Round
from benchmarks.services import real_services
from benchmarks.sides import Side


async def measure(plan: Plan, folder: Path) -> Report:
    """Measure all that a plan says. A part that cannot be measured is told; the rest goes on."""
    around = circumstances(generator())
    parts = [PARTS[name] for name in plan.parts]
    progress = Progress(planned_seconds(plan) + sum(part.seconds for part in parts))
    rounds = await run_loop(plan, folder, around, progress) if plan.works else []
    # What the closed loop says of a figure has a range, and comes before what a part says.
    found = Report(around, plan.name, ratios.figures(rounds), rounds)
    for part in parts:
        progress.step(0, f"{part.name} begin")
        await run_part(part, folder, found)
        progress.step(part.seconds, f"{part.name} are done")
    found.verdicts = goals.judge_all(found.figures)
    return found


async def run_part(part: Part, folder: Path, found: Report) -> None:
    """Add what a part finds to the report, or why it finds nothing."""
    try:
        of_part = await part.run(_made(folder / part.name))
    except (StartError, TimeoutError) as error:
        found.missing[part.name] = str(error)
    except RuntimeError as error:
        found.missing[part.name] = "its figures were worthless"
        found.part_faults.append(f"{part.name}: {error}")
    else:
        found.parts.append(of_part)
        found.figures = {**of_part.figures, **found.figures}


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


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
    if not plan.works:
        return 0
    peers = [works for (style, _), works in VARIANT_TO_WORKS.items() if style in plan.styles]
    seconds = START_SECONDS + seconds_of(turns(plan), [ALL_WORKS, *peers])
    if plan.single_rounds:
        seconds += EMBEDDED_SECONDS + seconds_of(single_turns(plan), [ALL_WORKS] * 2)
    return seconds
