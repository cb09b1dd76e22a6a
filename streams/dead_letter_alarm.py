"""When dead letters are too many: a pure rule. Time is an argument, and nothing is said here.

One bad producer must be seen and must stop nobody: the alarm tells people, and changes nothing in
how records are applied.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from streams.records import Partition

Run = tuple[Partition | None, int]
"""Dead letters in a row: where, None for all partitions taken together, and how many."""

WINDOW_SECONDS = 60
# A share of a few records says little: three bad ones in a quiet minute wake nobody.
LETTERS_MIN = 20


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many dead letters are too many: in a row, or as a share of the last minute's records."""

    in_a_row_max: int = 20
    percent_max: float = 10.0


@dataclass(frozen=True, slots=True)
class Second:
    """What was applied within one second."""

    number: int
    records: int
    letters: int


@dataclass(frozen=True, slots=True)
class Minute:
    """What was applied within the last minute."""

    records: int
    letters: int

    def is_above(self, percent: float) -> bool:
        """Tell whether more of it than this is dead letters."""
        return self.letters * 100 > percent * self.records


@dataclass(frozen=True, slots=True)
class Alarm:
    """Too many dead letters: which count said so, and since when."""

    cause: str
    began_at_ms: int


@dataclass(frozen=True, slots=True)
class Watched:
    """What was counted, and the alarm if one is raised.

    `run` is the worker's dead letters in a row, `runs` each partition's that has any; `longest`
    tells where the longest run of the last batch was, and how long.
    """

    run: int = 0
    runs: Mapping[Partition, int] = field(default_factory=dict)
    longest: Run = (None, 0)
    seconds: tuple[Second, ...] = ()
    alarm: Alarm | None = None

    @property
    def minute(self) -> Minute:
        """Sum up the last minute."""
        return Minute(sum(s.records for s in self.seconds), sum(s.letters for s in self.seconds))


def watch(
    watched: Watched,
    outcomes: Iterable[tuple[Partition, bool]],
    now_ms: int,
    thresholds: Thresholds,
) -> Watched:
    """Count a batch, and raise or end the alarm.

    `outcomes` are its records in the order of the log, each with its partition and whether it
    is a dead letter; none where only time has passed.

    An alarm begins when more than `in_a_row_max` come in a row, in one partition or in all that
    this worker serves, or when more than `percent_max` of the last minute's records are dead
    letters, LETTERS_MIN of them at least. It ends when the last minute had none, or when share
    and runs are down to half of that: what swings about the limit is said once.
    """
    counted = _count(watched, list(outcomes), now_ms // 1000)
    if counted.alarm is None:
        cause = _cause(counted, thresholds)
        return replace(counted, alarm=Alarm(cause, now_ms)) if cause else counted
    # The runs are forgotten with the alarm, or the next record would raise it again.
    return (
        replace(counted, alarm=None, run=0, runs={}) if _is_well(counted, thresholds) else counted
    )


def _count(watched: Watched, outcomes: list[tuple[Partition, bool]], second: int) -> Watched:
    run, runs, letters = watched.run, dict(watched.runs), 0
    longest: Run = (None, 0)
    for partition, is_dead in outcomes:
        if is_dead:
            run, letters = run + 1, letters + 1
            there = runs[partition] = runs.get(partition, 0) + 1
            if run >= longest[1] or there >= longest[1]:
                # A partition is told rather than all of them: it leads to whoever writes there.
                longest = (None, run) if run > there else (partition, there)
        else:
            run = 0
            if runs:
                runs.pop(partition, None)
    seconds = _passed(watched.seconds, Second(second, len(outcomes), letters))
    return replace(watched, run=run, runs=runs, longest=longest, seconds=seconds)


def _passed(seconds: tuple[Second, ...], now: Second) -> tuple[Second, ...]:
    """Add what has just been applied, and drop what is older than the window."""
    kept = tuple(s for s in seconds if s.number > now.number - WINDOW_SECONDS)
    if not now.records:
        return kept
    if kept and kept[-1].number == now.number:
        last = kept[-1]
        now = Second(now.number, last.records + now.records, last.letters + now.letters)
        kept = kept[:-1]
    return (*kept, now)


def _cause(counted: Watched, thresholds: Thresholds) -> str | None:
    where, length = counted.longest
    if length > thresholds.in_a_row_max:
        named = f"in {where[0]}[{where[1]}]" if where else "over all partitions"
        return f"{length} in a row {named}"
    minute = counted.minute
    if minute.letters >= LETTERS_MIN and minute.is_above(thresholds.percent_max):
        return f"{minute.letters} of the last minute's {minute.records} records"
    return None


def _is_well(counted: Watched, thresholds: Thresholds) -> bool:
    minute = counted.minute
    longest = max(counted.run, counted.longest[1], *counted.runs.values())
    is_rare = longest * 2 <= thresholds.in_a_row_max and not minute.is_above(
        thresholds.percent_max / 2
    )
    return minute.letters == 0 or is_rare
