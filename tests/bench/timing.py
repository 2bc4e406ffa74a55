"""Timing commands in turns, so that whatever else the machine does meets all of them alike."""

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping

Case = Callable[[], Callable[[], None] | None]  # what is timed; it may answer what is to be done after it, untimed
SPACING = 0.12  # seconds between two starts: containers are started now and then, not in a tight loop


class Figures:
    """The times of one case, in milliseconds."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @property
    def median(self) -> float:
        """p50."""
        return statistics.median(self.times)

    @property
    def p90(self) -> float:
        """p90, by rank."""
        return sorted(self.times)[int(len(self.times) * 0.9) - 1]

    def row(self) -> dict[str, float | int]:
        """For the JSON report."""
        return {"n": len(self.times), "min": min(self.times), "p50": self.median, "p90": self.p90}


def in_turns(
    cases: Mapping[str, Case], rounds: int, spacing: float = SPACING, warm: bool = True
) -> dict[str, Figures]:
    """Time each case `rounds` times, one after the other; with `warm`, once more before, which is not counted."""
    figures = {name: Figures() for name in cases}
    for number in range(0 if warm else 1, rounds + 1):
        for name, case in cases.items():
            time.sleep(spacing)
            before = time.perf_counter()
            after = case()
            took = (time.perf_counter() - before) * 1000
            if after:
                after()
            if number:
                figures[name].times.append(took)
    return figures


def command(*argv: str) -> Callable[[], None]:
    """A case that runs a program, whose failure ends the bench."""

    def run() -> None:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.decode(errors='replace')}")

    return run
