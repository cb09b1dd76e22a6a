"""The report as one HTML page that needs nothing else."""

from collections.abc import Iterable, Sequence
from html import escape
from string import Template

from tests.chaos.report.measures import Json

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Chaos: $verdict</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  color: #1c1c1c; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
.well { color: #17692f } .ill { color: #b3261e }
table { border-collapse: collapse; margin: .5rem 0 }
th, td { border-bottom: 1px solid #ddd; padding: .2rem .8rem .2rem 0; text-align: left }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
code { background: #f3f3f3; padding: .1rem .3rem }
svg { width: 100%; height: auto }
</style>
<h1 class="$mood">$verdict</h1>
$body
</html>
""")


def page_of(told: Json, picture: str) -> str:
    """Show a report; `picture` is an SVG element, empty where there is nothing to draw."""
    verdict = told["verdict"]
    well = verdict["countsAsRun"] and not verdict["violations"]
    said = f"{verdict['violations']} violations"
    if not verdict["countsAsRun"]:
        said += "; the run does not count"
    parts = [_list(verdict["shortcomings"]), *_rules(verdict["rules"])]
    if "run" in told:
        parts += [_run(told["run"]), picture, *_tables(told)]
    return _PAGE.substitute(
        verdict=escape(said), mood="well" if well else "ill", body="\n".join(parts)
    )


def _run(run: Json) -> str:
    offered = f"{run['seconds']:,} s, {run['offeredPerSecond']:g} commands/s offered"
    return f"<p>{offered}, seed {run['seed']}: <code>{escape(run['command'])}</code></p>"


def _rules(rules: Iterable[Json]) -> Iterable[str]:
    for each in rules:
        yield f"<h2 class=ill>{escape(each['rule'])}: {each['violations']}</h2>"
        yield _list(each["first"])


def _list(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def _tables(told: Json) -> Iterable[str]:
    yield "<h2>Recoveries</h2><p>From a fault's end, or a kill, until service was seen again.</p>"
    names = ("kind", "faults", "recovered", "medianSeconds", "maxSeconds")
    yield _table(
        ("kind", "faults", "recovered", "median, s", "max, s"),
        [[each[name] for name in names] for each in told["recoveries"]],
    )
    yield "<h2>HTTP latency, ms</h2><p>Of acknowledged requests, by when they were sent.</p>"
    names = ("answers", "p50", "p90", "p99", "max")
    shown = {"outside faults": "outsideFaults", "inside faults": "insideFaults"}
    yield _table(
        ("", *names),
        [[where, *(told["latencies"][n][name] for name in names)] for where, n in shown.items()],
    )
    yield "<h2>Counts</h2>"
    yield _table(("what", "how many"), sorted(told["counts"].items()))
    yield "<h2>Faults</h2>"
    names = ("kind", "target", "beginSeconds", "endSeconds", "recoverySeconds")
    yield _table(
        ("kind", "target", "began, s", "ended, s", "recovery, s"),
        [[each[name] for name in names] for each in told["faults"]],
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    shown = [f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>"]
    shown += [f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows]
    return f"<table>{''.join(shown)}</table>"


def _cell(value: object) -> str:
    if isinstance(value, int | float):
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
        return f"<td class=number>{text}</td>"
    return f"<td>{'-' if value is None else escape(str(value))}</td>"
