"""The clock: best of many rounds, CPU time, all cells of a workload taking turns so that drift hits every one alike.

A cell is one implementation at one column of a workload. Its unit is a function that does the work `loops` times and returns what
that took: CPU seconds of this process by default, or whatever the workload measures (a subprocess's seconds, or bytes). Set-up is left
out by the unit itself, which reads the clock around the part that counts. The garbage collector runs before a unit, never in it.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

clock = time.process_time
Unit = Callable[[int], float]
Progress = Callable[[str], None]


class SkippedError(Exception):
    """Say why an implementation has no figure here; the text is printed below the table."""


class TooLongError(KeyboardInterrupt):
    """Leave a run that takes too long; as KeyboardInterrupt does, which every event loop lets through."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooLongError after so many seconds, where the platform has an alarm; again and again if something swallows it."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    rung = False

    def ring(number: int, frame: object) -> None:
        nonlocal rung
        rung = True
        raise TooLongError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    except BaseException as error:
        if rung:  # it may come in an exception group
            raise TooLongError from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def timed(function: Callable[[], Any]) -> Unit:
    """Make a unit of a function: `loops` calls, all of it timed."""

    def unit(loops: int) -> float:
        repeat = range(loops)
        start = clock()
        for _ in repeat:
            function()
        return clock() - start

    return unit


def once(function: Callable[[], float]) -> Unit:
    """Make a unit of a function that reads the clock itself and returns the seconds of its one pass."""

    def unit(loops: int) -> float:
        return sum(function() for _ in range(loops))

    return unit


@dataclass(frozen=True)
class Effort:
    """Say how long to measure: seconds for one cell, how many runs at least and at most, the shortest and the longest single run.

    Patience is the number of seconds after which a cell need not have its least number of runs.
    """

    seconds: float
    least: int
    most: int
    shortest: float = 0.01
    limit: float = 20.0
    patience: float = 4.0

    def is_enough(self, runs: int, spent: float) -> bool:
        """Whether a cell has been measured often enough."""
        return (runs >= self.least and spent >= self.seconds) or (runs > 0 and spent >= self.patience)


@dataclass
class Cell:
    """Measure one implementation at one column; a sample is what one of the `operations` took in one run."""

    implementation: str
    column: str
    operations: int
    build: Callable[[], Unit]
    fixed: bool = False
    unit: Unit | None = None
    loops: int = 1
    spent: float = 0.0
    samples: list[float] = field(default_factory=list)
    reason: str = ""

    def run(self, limit: float) -> float:
        """Run the unit once at the present number of loops, the garbage collector held off, and keep the best."""
        assert self.unit is not None
        gc.collect()
        wall = time.perf_counter()
        gc.disable()
        try:
            with limited(limit):
                amount = self.unit(self.loops)
        finally:
            gc.enable()
            self.spent += time.perf_counter() - wall
        self.samples.append(amount / (self.loops * self.operations))
        return amount

    @property
    def best(self) -> float:
        """The least sample."""
        return min(self.samples)

    @property
    def median(self) -> float:
        """The middle sample: how far above the best one it lies tells how noisy the machine was."""
        return statistics.median(self.samples)

    def prepare(self, effort: Effort) -> None:
        """Build the unit and raise `loops` until one run takes long enough to be timed well."""
        self.unit = self.build()
        while not self.fixed:
            self.samples, self.spent = [], 0.0
            amount = self.run(effort.limit)
            if amount >= effort.shortest:
                break
            self.loops *= max(2, min(10, int(1.2 * effort.shortest / amount) if amount > 0 else 10))

    def attempt(self, effort: Effort) -> None:
        """Run the unit once more, or prepare it first; what goes wrong becomes the reason why there is no figure."""
        try:
            if self.unit is None:
                self.prepare(effort)
            else:
                self.run(effort.limit)
        except SkippedError as skipped:
            self.give_up(str(skipped))
        except RecursionError:
            self.give_up(f"RecursionError: every call is a native call (recursion limit {sys.getrecursionlimit():,})")
        except TooLongError:
            self.give_up(f"one run takes more than {effort.limit:g} s")
        except Exception as error:
            self.give_up(f"failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")

    def give_up(self, reason: str) -> None:
        """Note why there is no figure."""
        self.unit, self.reason = None, reason


def measure(cells: Sequence[Cell], effort: Effort, progress: Progress = lambda text: None) -> None:
    """Measure the cells in interleaved rounds, each until it has had its seconds and its least number of runs."""
    for cell in cells:
        progress(f"{cell.implementation} {cell.column}: first run")
        cell.attempt(effort)
    for turn in range(effort.most):
        left = [cell for cell in cells if cell.unit and not effort.is_enough(len(cell.samples), cell.spent)]
        if not left:
            break
        for cell in left:
            progress(f"{cell.implementation} {cell.column}: round {turn + 1}")
            cell.attempt(effort)


def show_progress(text: str) -> None:
    """Write over the last line of stderr, if that is a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{text[:100]}")
        sys.stderr.flush()
