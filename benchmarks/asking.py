"""A generator in a process of its own: a plan goes in, what was heard comes out, both as JSON."""

import asyncio
import sys
from typing import TypeVar

import msgspec

Heard = TypeVar("Heard", bound=msgspec.Struct)


async def ask_child(module: str, plan: msgspec.Struct, heard: type[Heard]) -> Heard:
    """Let a module carry out a plan. Raises RuntimeError where it leaves with an error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await process.communicate(msgspec.json.encode(plan))
    finally:
        # After Ctrl-C it would go on loading a server that is about to stop.
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        message = f"the generator left with {process.returncode}"
        raise RuntimeError(message)
    return msgspec.json.decode(output, type=heard)
