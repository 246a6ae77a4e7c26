"""The programs of the workload `simulation`, for this package and for SimPy: sleepers, and SimPy's own example "Bank renege".

Both draw the same numbers, and the bank's customers wait equally long in both: that is checked before anything is measured.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

SLEEPERS, SLEEPS = 1_000, 100
CUSTOMERS = 3_000
SEED = 42
WAITED = 3260.600903  # minutes, by all customers of that seed together


class Ours:
    """This package, on the core in use."""

    def __init__(self, library: Any) -> None:
        self.package = library

        class Counter(library.Suspension):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                self.busy = False
                self.line: deque[Any] = deque()

            def suspend(self, pseudothread: Any) -> None:
                if self.busy:
                    self.line.append(pseudothread)
                else:
                    self.busy = True
                    pseudothread.resume()

            def withdraw(self, pseudothread: Any) -> None:
                self.line.remove(pseudothread)

            def release(self) -> None:
                if self.line:
                    self.line.popleft().resume()
                else:
                    self.busy = False

        self.counter = Counter

    def sleepers(self) -> None:
        """Sleep at random."""
        sleep, drawn = self.package.sleep, random.Random(SEED).random

        def sleeper() -> Any:
            for _ in range(SLEEPS):
                yield sleep(drawn())

        t = self.package.Trampoline(clock=self.package.VirtualClock())
        for _ in range(SLEEPERS):
            t.add(sleeper())
        t.run()

    def bank(self) -> list[float]:
        """Return how long the customers waited."""
        sleep, timeout = self.package.sleep, self.package.timeout
        draw, waited = random.Random(SEED), []
        clock, counter = self.package.VirtualClock(), self.counter()

        def customer() -> Any:
            arrived = clock.now
            try:
                yield timeout(draw.uniform(1, 3), counter)
            except TimeoutError:
                waited.append(clock.now - arrived)
                return
            waited.append(clock.now - arrived)
            try:
                yield sleep(draw.expovariate(1.0 / 12.0))
            finally:
                counter.release()

        def source() -> Any:
            for _ in range(CUSTOMERS):
                t.add(customer())
                yield sleep(draw.expovariate(1.0 / 10.0))

        t = self.package.Trampoline(clock=clock)
        t.add(source())
        t.run()
        return waited


class Simpy:
    """SimPy, as its documents write these."""

    def __init__(self, library: Any) -> None:
        self.package = library

    def sleepers(self) -> None:
        """Sleep at random."""
        drawn = random.Random(SEED).random

        def sleeper() -> Any:
            for _ in range(SLEEPS):
                yield env.timeout(drawn())

        env = self.package.Environment()
        for _ in range(SLEEPERS):
            env.process(sleeper())
        env.run()

    def bank(self) -> list[float]:
        """Return how long the customers waited."""
        draw, waited = random.Random(SEED), []

        def customer() -> Any:
            arrived = env.now
            with counter.request() as request:
                results = yield request | env.timeout(draw.uniform(1, 3))
                waited.append(env.now - arrived)
                if request in results:
                    yield env.timeout(draw.expovariate(1.0 / 12.0))

        def source() -> Any:
            for _ in range(CUSTOMERS):
                env.process(customer())
                yield env.timeout(draw.expovariate(1.0 / 10.0))

        env = self.package.Environment()
        counter = self.package.Resource(env, capacity=1)
        env.process(source())
        env.run()
        return waited


def program(simulator: Ours | Simpy, which: str) -> Callable[[], Any]:
    """Return the program of that column. RuntimeError if its bank is not the bank that both have."""
    if which == "bank" and round(sum(simulator.bank()), 6) != WAITED:
        raise RuntimeError("these customers wait longer, or less long, than the others'")
    made: Callable[[], Any] = getattr(simulator, which)
    return made
