"""Rivals whose coroutines are generators: tinyio, asynq, tornado.gen, twisted's inlineCallbacks, simpy. `yield f()` calls f in each.

With all of them a call makes a task, a Future, a Deferred or a process.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

from bench import _programs, _simulation
from bench._implementation import Implementation
from bench._measure import SkippedError, TooLongError, Unit, clock, timed
from bench._workloads import FIB


class Yielding(Implementation):
    """What runs the programs `by_yield`; a subclass says how to run one."""

    programs: SimpleNamespace
    without: ClassVar[dict[str, str]] = {
        "overridden": "it has neither schedule nor queue",
        "walk": "the demonstration is for the recipe's interface",
        "call": "it has no typed calls",
        "consumer": "it has no such decorator",
    }

    def run(self, function: Any, *args: Any) -> Any:
        """Run `function(*args)` to its end and return its result."""
        raise NotImplementedError

    def calls(self, way: str) -> Unit:
        """Time fib."""
        if way != "return":
            raise SkippedError("`return` is it" if way == "spawn" else "its calls give their results by return")
        return lambda loops: float(self.run(self.programs.fibs, FIB, loops))

    def turns(self, shares: tuple[int, int]) -> Unit:
        """Time loops that make calls in turn."""
        return timed(lambda: self.run(self.programs.workers, *shares))

    def depth(self, depth: int) -> Unit:
        """Time calls from the innermost."""
        return lambda loops: float(self.run(self.programs.descend, depth, loops))

    def recursion(self, depth: int) -> Unit:
        """Time going down and back."""
        return timed(lambda: self.run(self.programs.down, depth))

    def errors(self, levels: int) -> Unit:
        """Time errors that unwind `levels`."""
        return lambda loops: float(self.run(self.programs.catch, levels, loops))

    def add(self, count: int) -> Unit:
        """Time starting and ending trivial ones."""
        return timed(lambda: self.run(self.programs.children, count))

    def memory_level(self, count: int, read: Callable[[], None]) -> None:
        """Read the memory before and at the bottom of `count` calls."""
        read()
        self.run(self.programs.deepen, count, read)


class Tinyio(Yielding):
    """tinyio: a small event loop over plain generators."""

    name = "tinyio"
    distribution = "tinyio"
    module = "tinyio"
    imports = ("tinyio",)
    idiom = "`yield f()`; `yield [f(), ...]`"
    programs = _programs.by_yield()
    without: ClassVar[dict[str, str]] = {**Yielding.without, "errors": "an error ends its whole loop: no caller can catch it"}

    def run(self, function: Any, *args: Any) -> Any:
        """Run it in a new loop."""
        return self.package.Loop().run(function(*args))

    def memory_parked(self, count: int, read: Callable[[], None]) -> None:
        """Read the memory before and after `count` coroutines have begun to wait for one event."""
        event, held = self.package.Event(), [None] * count

        def waiting() -> Any:
            yield event.wait()

        def main() -> Any:
            yield
            read()
            for i in range(count):
                held[i] = waiting()
            yield set(held)
            yield
            read()

        self.package.Loop().run(main())


class Asynq(Yielding):
    """asynq: generators whose calls are batched."""

    name = "asynq"
    distribution = "asynq"
    module = "asynq"
    imports = ("asynq",)
    idiom = "`yield f.asynq()`"
    without: ClassVar[dict[str, str]] = {
        **Yielding.without,
        "turns": "its scheduler ends one before it goes on with the next: they take no turns",
        "memory_parked": "it waits for batches only",
    }

    def load(self) -> Any:
        """Import it and decorate the programs."""
        library = super().load()
        self.programs = _programs.by_yield(lambda function: library.asynq()(function).asynq)
        return library

    def run(self, function: Any, *args: Any) -> Any:
        """Compute a task's value."""
        return function(*args).value()


class Tornado(Yielding):
    """tornado.gen: coroutines over Futures, on asyncio's loop."""

    name = "tornado"
    distribution = "tornado"
    module = "tornado"
    imports = ("tornado.gen", "tornado.ioloop")
    idiom = "`@gen.coroutine`, `yield f()`; `yield None`"

    def load(self) -> Any:
        """Import it, make a loop and decorate the programs."""
        library = super().load()
        gen, ioloop = importlib.import_module("tornado.gen"), importlib.import_module("tornado.ioloop")
        self.make_loop: Any = lambda: ioloop.IOLoop(make_current=False)
        self.loop = self.make_loop()
        self.programs = _programs.by_yield(gen.coroutine, lambda: None)
        self.coroutine = gen.coroutine
        return library

    def run(self, function: Any, *args: Any) -> Any:
        """Run it in the one loop."""
        try:
            return self.loop.run_sync(lambda: function(*args))
        except TooLongError:
            self.loop = self.make_loop()  # this one is left with something in it
            raise

    def memory_parked(self, count: int, read: Callable[[], None]) -> None:
        """Read the memory before and after `count` coroutines have begun to wait for one Future."""
        waiting = self.coroutine(_programs.parked)
        held: list[Any] = [None] * count

        def main() -> None:
            future = importlib.import_module("tornado.concurrent").Future()
            read()
            for i in range(count):
                held[i] = waiting(future)
            read()

        self.loop.run_sync(main)


class Twisted(Yielding):
    """twisted's inlineCallbacks over Deferreds; `reactor.iterate()` is one round of its reactor."""

    name = "twisted"
    distribution = "twisted"
    module = "twisted"
    imports = ("twisted.internet.defer", "twisted.internet.reactor")
    idiom = "`@inlineCallbacks`, `yield f()`; callLater(0)"

    def load(self) -> Any:
        """Import it and decorate the programs."""
        library = super().load()
        defer, reactor = importlib.import_module("twisted.internet.defer"), importlib.import_module("twisted.internet.reactor")

        def switch() -> Any:
            deferred = defer.Deferred()
            reactor.callLater(0, deferred.callback, None)
            return deferred

        self.defer: Any = defer
        self.reactor: Any = reactor
        self.programs = _programs.by_yield(defer.inlineCallbacks, switch)
        for name in ("workers", "children"):
            setattr(self.programs, name, self.gathering(getattr(self.programs, "worker" if name == "workers" else "child")))
        return library

    def gathering(self, function: Any) -> Any:
        """Return the program that starts many and waits for them: a Deferred of all."""
        if function is self.programs.worker:
            return lambda count, calls: self.defer.gatherResults([function(calls) for _ in range(count)])
        return lambda count: self.defer.gatherResults([function(i) for i in range(count)])

    def run(self, function: Any, *args: Any) -> Any:
        """Iterate the reactor till the Deferred has fired."""
        deferred = function(*args)
        found: list[Any] = []
        deferred.addBoth(found.append)
        try:
            while not found:
                self.reactor.iterate(0)
        except TooLongError:
            for left in self.reactor.getDelayedCalls():
                left.cancel()
            raise
        if hasattr(found[0], "raiseException"):
            found[0].raiseException()
        return found[0]

    def memory_parked(self, count: int, read: Callable[[], None]) -> None:
        """Read the memory before and after `count` coroutines have begun to wait for one Deferred."""
        waiting, deferred = self.defer.inlineCallbacks(_programs.parked), self.defer.Deferred()
        held: list[Any] = [None] * count
        read()
        for i in range(count):
            held[i] = waiting(deferred)
        read()


class Simpy(Yielding):
    """simpy: processes of a simulation, no time passing."""

    name = "simpy"
    distribution = "simpy"
    module = "simpy"
    imports = ("simpy",)
    idiom = "`yield env.process(f())`"
    programs = SimpleNamespace()

    def load(self) -> Any:
        """Import it; its programs differ in that the environment starts each call, so they are its own."""
        library = super().load()
        self.programs = processes(library)
        return library

    def run(self, function: Any, *args: Any) -> Any:
        """Run the process till it ends."""
        environment = self.package.Environment()
        return environment.run(environment.process(function(environment, *args)))

    def simulation(self, which: str) -> Unit:
        """Time simulated sleepers, or the bank."""
        return timed(_simulation.program(_simulation.Simpy(self.package), which))

    def memory_parked(self, count: int, read: Callable[[], None]) -> None:
        """Read the memory before and after `count` processes have begun to wait for one event."""
        environment = self.package.Environment()
        event, held = environment.event(), [None] * count
        read()
        for i in range(count):
            held[i] = environment.process(_programs.parked(event))
        environment.run()
        read()


def processes(library: Any) -> SimpleNamespace:
    """Return the programs as processes: `yield env.process(f(env))` calls f."""

    def fib(env: Any, n: int) -> Any:
        if n < 2:
            return n
        return (yield env.process(fib(env, n - 1))) + (yield env.process(fib(env, n - 2)))

    def fibs(env: Any, n: int, loops: int) -> Any:
        start = clock()
        for _ in range(loops):
            yield env.process(fib(env, n))
        return clock() - start

    def child(env: Any, i: int) -> Any:
        return i
        yield

    def worker(env: Any, calls: int) -> Any:
        for i in range(calls):
            yield env.process(child(env, i))

    def workers(env: Any, count: int, calls: int) -> Any:
        yield library.AllOf(env, [env.process(worker(env, calls)) for _ in range(count)])

    def children(env: Any, count: int) -> Any:
        yield library.AllOf(env, [env.process(child(env, i)) for i in range(count)])

    def descend(env: Any, depth: int, loops: int) -> Any:
        if depth > 1:
            return (yield env.process(descend(env, depth - 1, loops)))
        start = clock()
        for i in range(loops):
            yield env.process(child(env, i))
        return clock() - start

    def down(env: Any, n: int) -> Any:
        if n == 0:
            return 0
        return 1 + (yield env.process(down(env, n - 1)))

    def fall(env: Any, levels: int) -> Any:
        if levels == 1:
            raise _programs.RaisedError
        yield env.process(fall(env, levels - 1))

    def catch(env: Any, levels: int, loops: int) -> Any:
        start = clock()
        for _ in range(loops):
            try:
                yield env.process(fall(env, levels))
            except _programs.RaisedError:
                continue
        return clock() - start

    def deepen(env: Any, n: int, read: Callable[[], None]) -> Any:
        if n == 0:
            read()
            return
        yield env.process(deepen(env, n - 1, read))

    return SimpleNamespace(**locals())
