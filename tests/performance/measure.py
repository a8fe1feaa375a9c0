"""What a measurement is, and how two things are timed fairly beside each other."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: `figure` carries its unit; `ratio` is figure / peer, measured in the same run."""

    what: str
    figure: str
    peer: str = ""
    ratio: str = ""
    aim: str = ""
    note: str = ""


def interleaved(subjects: Mapping[str, Callable[[], object]], runs: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Seconds per call of each subject, taken in turn (A B C A B C ...) so that drift hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for round_number in range(runs + warm_up):
        for name, call in subjects.items():
            begin = time.perf_counter()
            call()
            took = time.perf_counter() - begin
            if round_number >= warm_up:
                seconds[name].append(took)
    return seconds


def medians(subjects: Mapping[str, Callable[[], object]], runs: int, warm_up: int = 1) -> dict[str, float]:
    """Median seconds per call of each subject, interleaved."""
    return {name: statistics.median(taken) for name, taken in interleaved(subjects, runs, warm_up).items()}


def growth_exponent(sizes: list[int], seconds: list[float]) -> float:
    """The slope of log(seconds) over log(size), by least squares: 1.0 is linear."""
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(taken) for taken in seconds]
    ).slope
