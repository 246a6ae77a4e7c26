"""Rivals that switch whole stacks: greenlet and gevent. A call is a plain function call, bound by the recursion limit."""

from __future__ import annotations

import collections
import importlib
from collections.abc import Callable
from typing import Any, ClassVar

from bench import _programs, _synchronising, _together
from bench._implementation import Implementation
from bench._measure import SkippedError, TooLongError, Unit, timed
from bench._workloads import FIB


class Stacks(Implementation):
    """What runs plain functions on stacks of their own."""

    coroutines = "nothing"
    programs: Any
    without: ClassVar[dict[str, str]] = {
        "overridden": "it has neither schedule nor queue",
        "walk": "the demonstration is for the recipe's interface",
        "call": "`f()` is it",
        "consumer": "it has no such decorator",
        "memory_level": "a level is a native call, as deep as the recursion limit lets it",
    }

    def one(self, function: Any, *args: Any) -> Any:
        """Run a function on a stack of its own, whatever it switches, and return its result."""
        raise NotImplementedError

    def many(self, function: Any, count: int, *args: Any) -> None:
        """Run `count` of a function on stacks of their own, in turn, to their end."""
        raise NotImplementedError

    def spawned(self, n: int) -> int:
        """Be fib with a stack for each call."""
        raise NotImplementedError

    def calls(self, way: str) -> Unit:
        """Time fib."""
        if way == "yield":
            raise SkippedError("its calls give their results by return")
        function = self.programs.fib if way == "return" else self.spawned
        return timed(lambda: function(FIB))

    def turns(self, shares: tuple[int, int]) -> Unit:
        """Time loops that call a child which switches."""
        return timed(lambda: self.many(self.programs.worker, *shares))

    def depth(self, depth: int) -> Unit:
        """Time switches from the innermost of `depth` function calls."""
        return lambda loops: float(self.one(self.programs.descend, depth, loops))

    def recursion(self, depth: int) -> Unit:
        """Time going down and back."""
        return timed(lambda: self.one(self.programs.down, depth))

    def errors(self, levels: int) -> Unit:
        """Time errors that unwind `levels`."""
        return timed(lambda: self.programs.catch(levels))

    def add(self, count: int) -> Unit:
        """Time starting and ending trivial ones."""
        return timed(lambda: self.many(self.programs.trivial, count))


class Greenlet(Stacks):
    """greenlet, with a deque of greenlets switched to in turn: it has no scheduler."""

    name = "greenlet"
    distribution = "greenlet"
    module = "greenlet"
    imports = ("greenlet",)
    idiom = "`f()`; a deque of greenlets, switched to in turn"

    def load(self) -> Any:
        """Import it; the hub is the main greenlet."""
        library = super().load()
        self.hub = library.getcurrent()
        self.programs = _programs.by_plain_calls(self.hub.switch)
        return library

    def one(self, function: Any, *args: Any) -> Any:
        """Switch to one greenlet till it is dead."""
        greenlet = self.package.greenlet(function)
        value = greenlet.switch(*args)
        while not greenlet.dead:
            value = greenlet.switch()
        return value

    def many(self, function: Any, count: int, *args: Any) -> None:
        """Switch to each in turn."""
        greenlet = self.package.greenlet
        queue = collections.deque(greenlet(function) for _ in range(count))
        for _ in range(count):
            first = queue.popleft()
            first.switch(*args)
            if not first.dead:
                queue.append(first)
        while queue:
            first = queue.popleft()
            first.switch()
            if not first.dead:
                queue.append(first)

    def spawned(self, n: int) -> int:
        """Be fib with a greenlet for each call."""
        if n < 2:
            return n
        greenlet = self.package.greenlet
        return int(greenlet(self.spawned).switch(n - 1) + greenlet(self.spawned).switch(n - 2))

    def memory_parked(self, count: int, read: Callable[[], None]) -> None:
        """Read the memory before and after `count` greenlets have switched out."""
        held: list[Any] = [None] * count
        read()
        for i in range(count):
            held[i] = self.package.greenlet(self.hub.switch)
            held[i].switch()
        read()


class Gevent(Stacks):
    """gevent: greenlets and a loop."""

    name = "gevent"
    distribution = "gevent"
    module = "gevent"
    imports = ("gevent",)
    idiom = "`f()`; spawn, joinall; `sleep(0)`"

    def load(self) -> Any:
        """Import it."""
        library = super().load()
        self.programs = _programs.by_plain_calls(lambda: library.sleep(0))
        library.get_hub().NOT_ERROR += (RecursionError,)  # which it would print besides raising it
        return library

    def one(self, function: Any, *args: Any) -> Any:
        """Spawn one and wait for it."""
        return self.package.spawn(function, *args).get()

    def many(self, function: Any, count: int, *args: Any) -> None:
        """Spawn all and wait for them."""
        spawn = self.package.spawn
        try:
            self.package.joinall([spawn(function, *args) for _ in range(count)])
        except TooLongError:
            self.package.get_hub().destroy(destroy_loop=True)  # and what it has left; the next hub is a new one
            raise

    def spawned(self, n: int) -> int:
        """Be fib with a greenlet for each call."""
        if n < 2:
            return n
        spawn = self.package.spawn
        first, second = spawn(self.spawned, n - 1), spawn(self.spawned, n - 2)
        return int(first.get() + second.get())

    def together(self, way: str) -> Unit:
        """Time spawning greenlets and waiting for them."""
        return timed(_together.by_calls(way, self.package.spawn, self.package.joinall))

    def channel(self, argument: tuple[str, int | str]) -> Unit:
        """Time two greenlets, of which one puts and one gets, by a queue."""
        size = None if isinstance(argument[1], str) else argument[1]

        def run() -> None:
            queue = importlib.import_module("gevent.queue").Queue(size)
            self.all(_synchronising.exchange_by_calls(queue.put, queue.get))

        return timed(run)

    def lock(self, argument: tuple[str, bool]) -> Unit:
        """Time greenlets that have a lock."""
        pause = self.package.sleep

        def run() -> None:
            lock = importlib.import_module("gevent.lock").BoundedSemaphore()
            self.all(_synchronising.locking_by_calls(lock, argument[1], lambda: pause(0)))

        return timed(run)

    def all(self, functions: list[Any]) -> None:
        """Spawn a greenlet for each function and wait for all."""
        self.package.joinall([self.package.spawn(function) for function in functions], raise_error=True)

    def memory_parked(self, count: int, read: Callable[[], None]) -> None:
        """Read the memory before and after `count` greenlets have begun to wait for one event."""
        event = importlib.import_module("gevent.event").Event()
        held: list[Any] = [None] * count
        self.package.sleep(0)
        read()
        for i in range(count):
            held[i] = self.package.spawn(event.wait)
        self.package.sleep(0)
        read()
