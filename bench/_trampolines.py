"""The trampolines: this package with either core, the recipe of PEP 342 (mended), and PyPI's `trampoline` 0.1.2.

PyPI's package has this package's import name, so it is installed into a cache folder of its own and loaded from there by another name.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from bench import _overriding, _profiling, _programs, _simulation, _synchronising, _together
from bench._implementation import Implementation
from bench._measure import SkippedError, Unit, clock, timed
from bench._native import consumer_unit
from bench._workloads import FIB, SHARED

PROGRAMS = _programs.by_yield()
YIELDED = _programs.by_yielded_result()


class Trampolining(Implementation):
    """What calls by `yield f()` and takes undecorated generators; `drive` runs one of them and returns its result."""

    levels = 1_000_000

    def drive(self, coroutine: Any) -> Any:
        """Run a coroutine to its end and return its result."""
        raise NotImplementedError

    def memory_level(self, count: int, read: Callable[[], None]) -> None:
        """Read the memory before and at the bottom of `count` calls."""
        read()
        self.drive(PROGRAMS.deepen(count, read))

    def calls(self, way: str) -> Unit:
        """Time fib."""
        if way == "spawn":
            raise SkippedError("`return` is it: a call needs no native stack")
        programs = PROGRAMS if way == "return" else YIELDED
        return lambda loops: self.drive(programs.fibs(FIB, loops))

    def depth(self, depth: int) -> Unit:
        """Time calls from the innermost of a stack of `depth`."""
        return lambda loops: self.drive(PROGRAMS.descend(depth, loops))

    def recursion(self, depth: int) -> Unit:
        """Time going down and back."""
        return timed(lambda: self.drive(PROGRAMS.down(depth)))

    def errors(self, levels: int) -> Unit:
        """Time errors that unwind `levels`."""
        return lambda loops: self.drive(PROGRAMS.catch(levels, loops))


class Scheduling(Trampolining):
    """A class with the recipe's interface: `add`, `run`, `schedule`, `queue`."""

    trampoline: Any
    consumer_decorator: Any = None

    def drive(self, coroutine: Any) -> Any:
        """Add the coroutine to a new trampoline and run it."""
        return self.drive_with(self.trampoline, coroutine)

    def drive_with(self, make: Any, coroutine: Any) -> Any:
        """Add the coroutine to the trampoline that `make()` returns and run it."""
        trampoline = make()
        trampoline.add(coroutine)
        return trampoline.run()

    def turns(self, shares: tuple[int, int]) -> Unit:
        """Time pseudothreads that make calls in turn."""
        pseudothreads, share = shares

        def run() -> None:
            trampoline, worker = self.trampoline(), PROGRAMS.worker
            for _ in range(pseudothreads):
                trampoline.add(worker(share))
            trampoline.run()

        return timed(run)

    def add(self, count: int) -> Unit:
        """Time adding and running coroutines that return at once."""

        def run() -> None:
            trampoline, child = self.trampoline(), PROGRAMS.child
            for i in range(count):
                trampoline.add(child(i))
            trampoline.run()

        return timed(run)

    def overridden(self, argument: tuple[str, str]) -> Unit:
        """Time fib where `schedule` is overridden or the queue is the user's own: one pseudothread, or 100 in turn."""
        idiom, share = argument
        make = _overriding.IDIOMS[idiom](self.trampoline)
        if share == "alone":
            return lambda loops: self.drive_with(make, PROGRAMS.fibs(FIB, loops))

        def run() -> None:
            trampoline, worker = make(), PROGRAMS.worker
            for _ in range(SHARED):
                trampoline.add(worker(SHARED))
            trampoline.run()

        return timed(run)

    def walk(self, files: int) -> Unit:
        """Time the demonstration's walk."""
        from trampoline._demo import _walk_with

        trees = _profiling.trees(files)
        return timed(lambda: _walk_with(self.trampoline, trees))

    def consumer(self, what: str) -> Unit:
        """Time a pipeline of consumers, or making one."""
        return consumer_unit(what, self.consumer_decorator)


class Recipe(Scheduling):
    """The class of PEP 342 without its faults: what a drop-in replaces."""

    name = "recipe"
    idiom = "PEP 342's class, mended; `yield f()`"
    module = "trampoline._recipe"
    without: ClassVar[dict[str, str]] = {
        "call": "it has no typed calls",
        "memory_parked": "it has nothing to park for",
        "import": "it is a page in the user's own program",
    }

    def load(self) -> Any:
        """Import the mended class."""
        library = super().load()
        self.trampoline = library.Mended
        self.consumer_decorator = recipe_consumer
        return library


def recipe_consumer(function: Any) -> Any:
    """Advance a generator to its first yield, as PEP 342's example 2 prints it (with `next()` for `.next()`)."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kw: Any) -> Any:
        generator = function(*args, **kw)
        next(generator)
        return generator

    return wrapper


class Core(Scheduling):
    """This package's `BaseTrampoline`, with one of its cores."""

    distribution = "ctrampoline"
    idiom = "`yield f()`"
    imports = ("trampoline",)

    def load(self) -> Any:
        """Import the core and the decorator."""
        library = super().load()
        self.trampoline = library.BaseTrampoline
        return library

    def version(self) -> str:
        """Return the package's version, also of a source tree that is not installed."""
        found = super().version()
        return "source tree" if found == "unknown" else found

    def consumer(self, what: str) -> Unit:
        """Time the package's own decorator, the same with either core."""
        from trampoline import consumer

        return consumer_unit(what, consumer)

    def memory_parked(self, count: int, read: Callable[[], None]) -> None:
        """Read the memory before and after `count` pseudothreads park for one suspension that does nothing."""

        from trampoline import Suspension

        class Park(Suspension):
            __slots__ = ()

            def suspend(self, pseudothread: Any) -> None:
                """Leave it parked."""

        park, trampoline, held = Park(), self.trampoline(), [None] * count
        read()
        for i in range(count):
            held[i] = trampoline.add(_programs.parked(park))
        trampoline.run()
        read()

    def aio(self, argument: tuple[str, str]) -> Unit:
        """Time what runs inside asyncio."""
        from bench import _inside

        return _inside.trampolines(self.trampoline, *argument)

    def path(self) -> list[str]:
        """Return the folder of the package, which an editable install keeps out of sys.path."""
        return [str(Path(self.package.__file__).parent.parent)]

    def profile(self, what: str) -> Unit:
        """Time what a profile costs, or say how far its shares are off."""
        return _profiling.unit(self.package, what)

    def call(self, argument: tuple[str, int]) -> Unit:
        """Time typed calls, or plain ones, `depth` calls deep."""
        way, depth = argument
        call = self.package.call

        def child(i: int) -> Any:
            return i
            yield

        def by_yield(loops: int) -> Any:
            start = clock()
            for i in range(loops):
                value = yield child(i)  # noqa: F841
            return clock() - start

        def by_yield_from(loops: int) -> Any:
            start = clock()
            for i in range(loops):
                value = yield from call(child(i))  # noqa: F841
            return clock() - start

        async def by_await(loops: int) -> Any:
            start = clock()
            for i in range(loops):
                value = await call(child(i))  # noqa: F841
            return clock() - start

        innermost = {"yield": by_yield, "from": by_yield_from, "await": by_await}[way]

        def descend(level: int, loops: int) -> Any:
            return (yield descend(level - 1, loops) if level > 1 else innermost(loops))

        return lambda loops: self.drive(descend(depth - 1, loops) if depth > 1 else innermost(loops))

    def together(self, way: str) -> Unit:
        """Time spawning pseudothreads and joining them."""
        from trampoline import gather

        program = _together.by_yield(way, self.package.spawn, gather)
        return timed(lambda: self.drive(program()))

    def channel(self, argument: tuple[str, int | str]) -> Unit:
        """Time two pseudothreads, of which one puts and one gets."""
        way, size = argument

        def make() -> list[Any]:
            channel = self.package.Channel(None if size == _synchronising.UNBOUNDED else size)
            if way == "yield":
                return _synchronising.exchange_by_yield(channel)
            return _synchronising.exchange_by_await(channel.put, channel.get)

        return self.started(make)

    def lock(self, argument: tuple[str, bool]) -> Unit:
        """Time pseudothreads that have a lock."""
        from trampoline import Lock, sleep

        way, free = argument
        locking = _synchronising.locking_by_yield if way == "yield" else _synchronising.locking_by_await
        return self.started(lambda: locking(Lock(), free, lambda: sleep(0)))

    def started(self, make: Callable[[], list[Any]]) -> Unit:
        """Time the coroutines of the functions that `make()` returns."""

        def run() -> None:
            trampoline = self.trampoline()
            for function in make():
                trampoline.add(function())
            trampoline.run()

        return timed(run)


class CCore(Core):
    """The core at C speed."""

    name = "C core"
    module = "trampoline._ctrampoline"

    def simulation(self, which: str) -> Unit:
        """Time simulated sleepers, or the bank."""
        import trampoline

        if not trampoline.accelerated:
            raise SkippedError("TRAMPOLINE_NO_EXTENSIONS is set: the package is on the other core")
        return timed(_simulation.program(_simulation.Ours(trampoline), which))


class PythonCore(Core):
    """The core in Python."""

    name = "Python core"
    module = "trampoline._pytrampoline"
    environment: ClassVar[dict[str, str]] = {"TRAMPOLINE_NO_EXTENSIONS": "1"}
    without: ClassVar[dict[str, str]] = {"simulation": "sleep() and timeout() are those of the core in use"}


class PyPI(Trampolining):
    """PyPI's `trampoline`: one call tree, a loop over a list."""

    name = "PyPI trampoline"
    module = "trampoline 0.1.2"
    idiom = "`trampoline(f())`; `yield f()`"
    imports = ("trampoline",)
    without: ClassVar[dict[str, str]] = {
        "turns": "it runs one pseudothread only",
        "add": "it runs one pseudothread only",
        "call": "it has no typed calls",
        "memory_parked": "it has nothing to park for",
        "overridden": "it has neither schedule nor queue",
        "walk": "the demonstration is for the recipe's interface",
        "consumer": "it has no such decorator",
    }

    def load(self) -> Any:
        """Install version 0.1.2 into a cache folder, once, and load it by another name."""
        spec = importlib.util.spec_from_file_location("_bench_pypi_trampoline", pypi_folder() / "trampoline" / "__init__.py")
        assert spec is not None
        assert spec.loader is not None
        library = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(library)
        return library

    def version(self) -> str:
        """Return the version that is asked for."""
        return "0.1.2"

    def path(self) -> list[str]:
        """Return the cache folder."""
        return [str(pypi_folder())]

    def calls(self, way: str) -> Unit:
        """Time fib; a call's result is its return value only."""
        if way == "yield":
            raise SkippedError("it takes results by return only")
        return super().calls(way)

    def drive(self, coroutine: Any) -> Any:
        """Run one call tree."""
        return self.package.trampoline(coroutine)


def pypi_folder() -> Path:
    """Return the folder that holds PyPI's package, which pip puts there if it is not there yet. SkippedError if pip cannot."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ctrampoline-bench"
    folder = cache / "trampoline-0.1.2"
    if not (folder / "trampoline" / "__init__.py").exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--target",
            str(folder),
            "trampoline==0.1.2",
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SkippedError(f"pip could not install it: {error}") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise SkippedError(f"pip could not install it: {last}")
    return folder
