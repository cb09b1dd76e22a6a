"""What a worker knows of its own health; readiness is made of it."""

from dataclasses import dataclass, field

from streams.liveness import Liveness


@dataclass(slots=True)
class WorkerHealth:
    """Facts that the worker's parts keep up to date."""

    database_answers: bool = True
    broker_answers: bool = True
    is_assigned: bool = False
    is_recovered: bool = True
    log_append_time: bool = True
    details: dict[str, str] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    """What an operator should look at, by name, a line each; it makes no worker unready."""
    liveness: Liveness = field(default_factory=Liveness)

    def checks(self) -> dict[str, bool]:
        """Return each check by name; the worker is ready when all hold."""
        return {
            "database": self.database_answers,
            "broker": self.broker_answers,
            "assignment": self.is_assigned,
            "recovery": self.is_recovered,
            "logAppendTime": self.log_append_time,
        }

    @property
    def is_ready(self) -> bool:
        """Tell whether commands are applied as they come."""
        return all(self.checks().values())
