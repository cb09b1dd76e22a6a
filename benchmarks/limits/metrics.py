"""What a process of ours counts of itself, read as Prometheus would."""

import aiohttp


async def metrics_of(url: str) -> str:
    """Ask a worker; nothing where it does not answer yet."""
    try:
        async with aiohttp.ClientSession() as session:
            answer = await session.get(f"{url}/metrics")
            return await answer.text()
    except aiohttp.ClientError:
        return ""


def counted_in(metrics: str, name: str) -> float:
    """Sum a counter over its labels."""
    lines = [line for line in metrics.splitlines() if not line.startswith("#")]
    ours = [line for line in lines if line.partition(" ")[0].partition("{")[0] == name]
    return sum(float(line.rpartition(" ")[2]) for line in ours)


def partitions_in(metrics: str, topic: str) -> int:
    """Count a topic's partitions that a worker owns: it tells the lag of those."""
    return sum(
        line.startswith("fairline_lag_records{") and f'topic="{topic}"' in line
        for line in metrics.splitlines()
    )
