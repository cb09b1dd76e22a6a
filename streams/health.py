"""What a worker knows of its own health; readiness is made of it."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class WorkerHealth:
    """Facts that the worker's parts keep up to date."""

    database_answers: bool = True
    log_append_time: bool = True
    partitions: int = 0
    consuming: bool = False
    details: dict[str, str] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    """What an operator should look at, by name, a line each; it makes no worker unready."""

    def checks(self) -> dict[str, bool]:
        """Return each check by name; the worker is ready when all hold."""
        return {
            "database": self.database_answers,
            "logAppendTime": self.log_append_time,
            "consuming": self.consuming,
        }

    @property
    def is_ready(self) -> bool:
        """Tell whether commands are applied as they come."""
        return all(self.checks().values())
