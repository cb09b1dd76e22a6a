"""Under which circumstances figures were taken: without these they mean nothing."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent


class Circumstances(msgspec.Struct):
    """When, where, of what, and how."""

    date: str
    commit: str
    command: str
    processor: str
    cores: int
    memory_gib: int
    system: str
    python: str
    load_average: float
    """Of the minute before the start: what else the machine was doing."""
    generator: str
    services: dict[str, str]

    def lines(self) -> list[str]:
        """As a list for people."""
        services = ", ".join(self.services.values())
        return [
            f"- {self.date}, commit {self.commit}, `{self.command}`",
            f"- {self.processor}, {self.cores} cores for everything, the load generator "
            f"({self.generator}) included; {self.memory_gib} GiB; {self.system}",
            f"- {services}; Python {self.python}; load average before the start "
            f"{self.load_average:.1f}",
        ]


def circumstances(generator: str) -> Circumstances:
    """Those of now."""
    return Circumstances(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=_commit(),
        command=" ".join(["python", "-m", _module(), *sys.argv[1:]]),
        processor=_processor(),
        cores=os.cpu_count() or 0,
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load_average=os.getloadavg()[0],
        generator=generator,
        services={},
    )


def _module() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name.removesuffix(".__main__") if spec is not None else "benchmarks"


def _commit() -> str:
    head = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return f"{head or 'unknown'}{' with changes' if changed else ''}"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
