"""Commands of ours, typed as an operator would, while this process goes on."""

import asyncio
import json
import sys
from typing import Any, NamedTuple

from tests.installation import Installation, environment


class Said(NamedTuple):
    """What a command left: its exit code, and its two streams."""

    code: int
    out: str
    err: str

    @property
    def body(self) -> Any:
        """The outcome it showed."""
        return json.loads(self.out)


async def started(installation: Installation, *words: str) -> asyncio.subprocess.Process:
    """Start a command; its streams are read by whoever waits for it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "app.cli", *words),
        env=environment(installation.settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def fairline(installation: Installation, *words: str) -> Said:
    """Run a command to its end."""
    process = await started(installation, *words)
    out, err = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return Said(process.returncode, out.decode(), err.decode())
