"""`python -m benchmarks.scaling`: from `inputs.json` to tables and pictures of the document."""

import argparse
import tempfile
from pathlib import Path

import msgspec

from benchmarks.scaling import pictures, tables
from benchmarks.scaling.inputs import FILE, read
from benchmarks.scaling.scenes import Retold, play

ERROR_MAX = 0.25
"""A model that is further off than this does not know what it models."""


def main() -> None:
    """Simulate, and print or publish; exit 1 where the model does not tell what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--inputs", type=Path, default=FILE)
    parser.add_argument("--smoke", action="store_true", help="few and short simulations")
    parser.add_argument("--publish", action="store_true", help="write docs/scaling.md anew")
    parser.add_argument("--folder", type=Path, help="for JSON and pictures")
    options = parser.parse_args()
    inputs = read(options.inputs)
    scenes = play(inputs, smoke=options.smoke)
    texts = tables.to_markdown(inputs, scenes)
    print("\n\n".join(texts.values()))
    folder = options.folder or Path(tempfile.mkdtemp(prefix="scaling-"))
    (folder / "scaling.json").write_bytes(msgspec.json.encode(scenes))
    pictures.draw(scenes, tables.PAGE.parent if options.publish else folder)
    print(f"written to {folder}")
    if options.publish:
        page = tables.PAGE.read_text()
        for name, text in texts.items():
            page = tables.written(page, name, text)
        tables.PAGE.write_text(page)
    if wrong := [each for each in scenes.retold if abs(each.error) > ERROR_MAX]:
        raise SystemExit("\n".join(map(_told, wrong)))


def _told(each: Retold) -> str:
    return f"{each.measured.name}: the model's throughput is {each.error:+.0%} off"


if __name__ == "__main__":
    main()
