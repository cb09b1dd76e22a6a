"""Runs a machine of commands until it has met what it is there to meet."""

from collections.abc import Set

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import CommandMachine

ROUNDS_MAX = 5


def run_rounds(
    machine: type[CommandMachine], wanted: Set[str], *, examples: int, steps: int
) -> None:
    """Run a machine, and again where a round has missed something; all of it must be met.

    What a round meets depends on luck, and on the constants of whatever modules are loaded. A
    machine that never meets a refusal says nothing of it.
    """
    one_round = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    for number in range(ROUNDS_MAX):
        run_state_machine_as_test(seed(number)(machine), settings=one_round)
        if wanted <= machine.seen.keys():
            return
    assert wanted <= machine.seen.keys()
