"""The floor: Python's own `yield from` and `await`, plain generators, and what it costs only to create, start and hold generators."""

from __future__ import annotations

import collections
from typing import Any

from bench import _programs
from bench._implementation import Implementation
from bench._measure import SkippedError, Unit, clock, once, timed
from bench._workloads import CONSUMED, FIB


def drive(coroutine: Any) -> Any:
    """Run a generator or native coroutine to its end, answering each bare yield, and return its result."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def round_robin(coroutines: Any) -> None:
    """Send to each in turn till all have ended: what a scheduler cannot do without."""
    queue = collections.deque(coroutines)
    while queue:
        coroutine = queue.popleft()
        try:
            coroutine.send(None)
        except StopIteration:
            continue
        queue.append(coroutine)


class YieldFrom(Implementation):
    """Python's own calls between generators."""

    name = "yield from"
    idiom = "`yield from f()`; a deque of generators, sent to in turn"
    not_offered = "does not apply: it is Python itself"
    programs = _programs.by_yield_from()

    def calls(self, way: str) -> Unit:
        """Time fib in the innermost's own way to return."""
        if way != "return":
            raise SkippedError("its calls give their results by return")
        return lambda loops: drive(self.programs.fibs(FIB, loops))

    def turns(self, shares: tuple[int, int]) -> Unit:
        """Time a round robin of loops that call a child which switches once."""
        (pseudothreads, share), worker = shares, self.programs.worker
        return timed(lambda: round_robin(worker(share) for _ in range(pseudothreads)))

    def depth(self, depth: int) -> Unit:
        """Time resumes of the innermost of a chain."""
        return lambda loops: drive(self.programs.descend(depth, loops))

    def recursion(self, depth: int) -> Unit:
        """Time going down and back."""
        return timed(lambda: drive(self.programs.down(depth)))

    def errors(self, levels: int) -> Unit:
        """Time errors that unwind `levels`."""
        return lambda loops: drive(self.programs.catch(levels, loops))

    def add(self, count: int) -> Unit:
        """Time the round robin of `count` trivial coroutines."""
        down = self.programs.down
        return timed(lambda: round_robin(down(0) for _ in range(count)))


class Await(YieldFrom):
    """Python's own calls between native coroutines."""

    name = "await"
    idiom = "`await f()`; a deque of coroutines, sent to in turn"
    programs = _programs.by_await()


class Generators(Implementation):
    """Plain generators, not driven by anything."""

    name = "generators"
    programs = _programs.by_yield()
    not_offered = "nothing drives them"
    idiom = "created, started by next() and held in a list; consumers advanced to their first yield by hand"

    def recursion(self, depth: int) -> Unit:
        """Time creating, starting and holding `depth` generators; to free them is not counted."""

        def hold() -> float:
            held, make = list[Any](), self.programs.held
            start = clock()
            for n in range(depth):
                generator = make(n)
                next(generator)
                held.append(generator)
            return clock() - start

        return once(hold)

    def consumer(self, what: str) -> Unit:
        """Time a pipeline of generators, or making and advancing one."""
        return consumer_unit(what, advanced)


class EndedGenerators(Implementation):
    """Plain generators, created, started, held, and then ended, last first: the floor of going down and back."""

    name = "generators ended"
    programs = Generators.programs
    not_offered = Generators.not_offered
    idiom = "the same, and each then ended by next()"

    def recursion(self, depth: int) -> Unit:
        """Time creating, starting, holding and ending `depth` generators."""

        def hold_and_end() -> float:
            held, make = list[Any](), self.programs.held
            start = clock()
            for n in range(depth):
                generator = make(n)
                next(generator)
                held.append(generator)
            generator = None
            while held:
                next(held.pop(), None)
            return clock() - start

        return once(hold_and_end)


def advanced(function: Any) -> Any:
    """Return a function that makes the generator and advances it to its first yield; no more than that."""

    def make(*args: Any) -> Any:
        generator = function(*args)
        next(generator)
        return generator

    return make


def consumer_unit(what: str, consumer: Any) -> Unit:
    """Return the unit of the `consumer` workload for a decorator."""

    @consumer  # type: ignore[untyped-decorator]
    def stage(target: Any) -> Any:
        while True:
            target.send((yield) + 1)

    @consumer  # type: ignore[untyped-decorator]
    def sink(into: list[int]) -> Any:
        while True:
            into[0] += yield

    total = [0]
    if what == "make":
        return timed(lambda: sink(total))
    head = sink(total)
    for _ in range(4):
        head = stage(head)

    def send_all() -> None:
        for i in range(CONSUMED):
            head.send(i)

    return timed(send_all)
