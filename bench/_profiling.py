"""The workload `profile`: the same programs without a profile, with one, and under cProfile and yappi; and how true the shares are.

The profile is used as a user does, by entering it; so its start and end are in the figure, and reading it is not.
"""

from __future__ import annotations

import contextlib
import cProfile
import functools
import itertools
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from bench import _programs
from bench._measure import SkippedError, Unit, clock, timed

PROGRAMS = _programs.by_yield()
PSEUDOTHREADS, CALLS = 100, 100
FILES = 20
TIMES, SMALL, LARGE = 3000, 300, 1200  # how often each of the two callers calls, and what it has the leaf do


def unit(library: Any, what: str) -> Unit:
    """Return what a column measures with one core."""
    if what == "share":
        return lambda loops: loops * statistics.median(_off(library) for _ in range(5))
    program, how = what.split(", ")
    run = _switching(library) if program == "switch" else _walking(library)
    measured = {"off": contextlib.nullcontext, "on": functools.partial(profiled, library), "cProfile": by_cprofile, "yappi": by_yappi}[how]

    def once() -> None:
        with measured():
            run()

    if how == "yappi":
        once()  # says whether it is there
    return timed(once)


def profiled(library: Any) -> Any:
    """Return a profile for this core."""
    from trampoline import profile

    made = profile()
    made._core = library
    return made


@contextlib.contextmanager
def by_cprofile() -> Iterator[None]:
    """Profile by cProfile, at its cheapest."""
    profiler = cProfile.Profile(builtins=False)
    profiler.enable()
    try:
        yield
    finally:
        profiler.disable()


@contextlib.contextmanager
def by_yappi() -> Iterator[None]:
    """Profile by yappi, at its cheapest."""
    try:
        import yappi
    except ImportError as error:
        raise SkippedError(f"not importable: {error}") from error
    yappi.set_clock_type("wall")
    yappi.start(builtins=False, profile_threads=False)
    try:
        yield
    finally:
        yappi.stop()
        yappi.clear_stats()


def _switching(library: Any) -> Callable[[], None]:
    def run() -> None:
        trampoline, worker = library.BaseTrampoline(), PROGRAMS.worker
        for _ in range(PSEUDOTHREADS):
            trampoline.add(worker(CALLS))
        trampoline.run()

    return run


@functools.cache
def trees(count: int) -> list[Any]:
    """Return the trees of so many files of the standard library."""
    from trampoline import _demo

    files = itertools.islice(sorted(_demo._standard_library()), count)
    found = [_demo._shape(tree) for tree in map(_demo._parse, files) if tree is not None]
    if not found:
        raise SkippedError("the source of the standard library is not on this machine")
    return found


def _walking(library: Any) -> Callable[[], object]:
    from trampoline._demo import _walk_with

    walked = trees(FILES)
    return lambda: _walk_with(library.BaseTrampoline, walked)


def leaf(amount: int) -> Any:
    """Take time in proportion to `amount`."""
    yield sum(range(amount))


def small() -> Any:
    """Have the leaf do a little, often."""
    for _ in range(TIMES):
        yield leaf(SMALL)


def large() -> Any:
    """Have the leaf do more, as often."""
    for _ in range(TIMES):
        yield leaf(LARGE)


def _alone(library: Any, caller: Callable[[], Any]) -> float:
    """Return the CPU seconds of one caller that runs alone, not profiled."""
    best = float("inf")
    for _ in range(5):
        trampoline = library.BaseTrampoline()
        trampoline.add(caller())
        start = clock()
        trampoline.run()
        best = min(best, clock() - start)
    return best


def _off(library: Any) -> float:
    """Return by how many points the share of a caller in a profile of both differs from that of its CPU time alone."""
    with profiled(library) as measured:
        trampoline = library.BaseTrampoline()
        for caller in (small, large):
            trampoline.add(caller())
        trampoline.run()
    found = {node.name: node.cumulative for node in measured.tree.children}
    seconds = {caller.__name__: _alone(library, caller) for caller in (small, large)}
    return 100 * abs(found["small"] / sum(found.values()) - seconds["small"] / sum(seconds.values()))
