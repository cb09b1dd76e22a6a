"""When requests are due: drawn before the run, from a seed, so that both sides get the same."""

import random
from array import array


def due_times(rate: float, seconds: float, seed: int, *, evenly: bool = False) -> "array[float]":
    """Return the seconds after the start at which requests are due, in order, below `seconds`.

    By chance (a Poisson process: pauses are exponential), as independent customers come; or
    evenly, which shows less of a queue than there would be. `rate` is in requests per second.
    """
    chance = random.Random(seed)
    due: array[float] = array("d")
    at = 0.0
    while True:
        at += 1 / rate if evenly else chance.expovariate(rate)
        if at >= seconds:
            return due
        due.append(at)
