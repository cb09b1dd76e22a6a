"""Dead letters as people read them.

What a producer sent is never shown to a terminal as it is: bytes that are no printable text become
base64 or hexadecimal, so that none of them can move the cursor.
"""

import base64
from collections.abc import Iterator

import msgspec
from rich.table import Table
from rich.text import Text

from app.dlq import Shown, named
from app.dlq_json import status_of
from app.dlq_replay import Replayed
from storage.dead_letter_actions import Action, ActionKind, replay_of
from storage.dead_letters import ListedLetter, Outcome
from streams.outcomes import moment

HEX_WIDTH = 16

_headers = msgspec.json.Decoder(list[tuple[str, bytes | None]]).decode


def table(letters: list[ListedLetter]) -> Table:
    """Make the table of a page of letters; its first columns are what other commands take."""
    made = Table(box=None, pad_edge=False)
    for name in ("topic", "partition", "offset", "recorded (UTC)", "reason"):
        made.add_column(name, no_wrap=True)
    made.add_column("key", no_wrap=True, max_width=24)
    for name in ("bytes", "status"):
        made.add_column(name, no_wrap=True)
    made.add_column("detail", no_wrap=True, overflow="ellipsis")
    for one in letters:
        cells = (
            one.letter.topic,
            str(one.letter.partition),
            str(one.letter.offset),
            at(one.recorded_at_ms),
            one.reason,
            short(one.key),
            "none" if one.value_size is None else str(one.value_size),
            one.status.value,
            clean(one.detail),
        )
        # Text is shown as it is; a plain string could hold markup.
        made.add_row(*map(Text, cells))
    return made


def at(epoch_ms: int) -> str:
    """Show a time to the second, in UTC."""
    return f"{moment(epoch_ms):%Y-%m-%d %H:%M:%S}"


def short(raw: bytes | None) -> str:
    """Show bytes in a line: text where they are printable, else base64."""
    if raw is None:
        return "none"
    text = _text_of(raw)
    if text is None or "\n" in text:
        return f"base64:{base64.b64encode(raw).decode()}"
    return text


def clean(text: str) -> str:
    """Show text with its control characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _text_of(raw: bytes) -> str | None:
    """Return bytes as text, None where a terminal would not show just that."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c == "\n" for c in text) else None


def described(shown: Shown) -> str:
    """Tell all that is known of a letter, its value last."""
    return "\n".join([*_facts(shown), *_history(shown), "value", *_value(shown.letter.value)])


def _facts(shown: Shown) -> Iterator[str]:
    letter = shown.letter
    yield f"{letter.topic} {letter.partition} {letter.offset} (log epoch {letter.epoch})"
    yield f"status    {status_of(shown.closing).value}"
    yield f"recorded  {at(letter.recorded_at_ms)} UTC"
    yield f"reason    {letter.reason}: {clean(letter.detail)}"
    yield f"key       {short(letter.key)}"
    for name, value in _headers(letter.headers):
        yield f"header    {clean(name)}: {short(value)}"
    if shown.outcome is not None:
        yield f"command   {shown.outcome.command_id or 'no command id was read'}"
        yield f"outcome   {_outcome(shown.outcome)}"


def _history(shown: Shown) -> Iterator[str]:
    for action in shown.actions:
        yield f"history   {_deed(action)}"
    if shown.closing is None:
        return
    when = f"{at(shown.closing.closed_at_ms)} UTC"
    by = replay_of(shown.closing)
    if by is None:
        yield f"closed    {when}, discarded"
        return
    yield f"closed    {when}, replayed by {by.topic} {by.partition} {by.offset}"
    disposition, status = shown.closing.disposition, shown.closing.status
    told = _outcome(shown.replayed) if shown.replayed else f"{disposition} {status}"
    yield f"outcome   {told}"


def _deed(action: Action) -> str:
    verb = "discarded" if action.kind == ActionKind.DISCARD else "replay asked for"
    why = f": {clean(action.why)}" if action.why else ""
    return f"{at(action.acted_at_ms)} UTC, {verb} by {clean(action.actor)}{why}"


def _outcome(outcome: Outcome) -> str:
    return f"{outcome.disposition} {outcome.status} {clean(outcome.body)}"


def _value(value: bytes | None) -> Iterator[str]:
    if value is None:
        yield "(none)"
        return
    text = _text_of(value)
    if text is not None:
        yield text
        return
    for start in range(0, len(value), HEX_WIDTH):
        row = value[start : start + HEX_WIDTH]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{start:08x}  {row.hex(' '):<{HEX_WIDTH * 3}} {shown}"


def result(replayed: Replayed) -> str:
    """Tell in a line what came of a replay."""
    name, closing = named(replayed.letter), replayed.closing
    by = replay_of(closing)
    if by is None:
        return f"{name} was discarded meanwhile; nothing was applied"
    place = f"{by.topic} {by.partition} {by.offset}"
    if not replayed.is_ours:
        return f"{name} was replayed before, by {place}; this replay did nothing"
    told = _outcome(replayed.outcome) if replayed.outcome else f"{closing.disposition}"
    return f"{name} replayed by {place}: {told}"
