"""Rivals whose coroutines call by `await`: asyncio, uvloop, trio, curio. A call is Python's own, so it is bound by the recursion limit.

Their tasks are what stands beside a pseudothread, and sleep(0) or a checkpoint is their switch.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
from collections.abc import Callable
from typing import Any, ClassVar
from unittest import mock

from bench import _inside, _programs, _synchronising, _together
from bench._implementation import Implementation
from bench._measure import SkippedError, Unit, clock
from bench._workloads import FIB


class Awaiting(Implementation):
    """What runs native coroutines; a subclass says how to run one, to switch, and to start many and wait for them."""

    coroutines = "coroutines"
    programs: Any
    without: ClassVar[dict[str, str]] = {
        "overridden": "it has neither schedule nor queue",
        "walk": "the demonstration is for the recipe's interface",
        "call": "`await f()` is it",
        "consumer": "it has no such decorator",
        "memory_level": "a level is a native call, as deep as the recursion limit lets it",
    }

    def run(self, function: Any, *args: Any) -> Any:
        """Run an async function to its end and return its result."""
        raise NotImplementedError

    async def many(self, function: Any, count: int, *args: Any) -> None:
        """Start `count` tasks and wait till all have ended."""
        raise NotImplementedError

    async def spawned(self, n: int) -> int:
        """Be fib with a task for each call."""
        raise SkippedError("its tasks have no results")

    async def park(self, count: int) -> Any:
        """Start `count` tasks that wait for one and the same thing, and return what holds them."""
        raise NotImplementedError

    def repeat(self, function: Any, *args: Any) -> Unit:
        """Return a unit that awaits `function(*args)` once a loop, within one run."""

        async def main(loops: int) -> float:
            start = clock()
            for _ in range(loops):
                await function(*args)
            return clock() - start

        return lambda loops: float(self.run(main, loops))

    def calls(self, way: str) -> Unit:
        """Time fib by await, or by a task for each call."""
        if way == "yield":
            raise SkippedError("its calls give their results by return")
        return self.repeat(self.programs.fib if way == "return" else self.spawned, FIB)

    def turns(self, shares: tuple[int, int]) -> Unit:
        """Time tasks that call a child which switches."""
        return self.repeat(self.many, self.programs.worker, *shares)

    def depth(self, depth: int) -> Unit:
        """Time switches of the innermost of a chain of awaits."""
        return lambda loops: float(self.run(self.programs.descend, depth, loops))

    def recursion(self, depth: int) -> Unit:
        """Time going down and back."""
        return self.repeat(self.programs.down, depth)

    def errors(self, levels: int) -> Unit:
        """Time errors that unwind `levels`."""
        return lambda loops: float(self.run(self.programs.catch, levels, loops))

    def add(self, count: int) -> Unit:
        """Time starting and ending trivial tasks."""
        return self.repeat(self.many, self.programs.trivial, count)

    def waiting_for(self, way: str) -> Any:
        """Return the program of `together`."""
        raise SkippedError("its tasks have no results")

    def together(self, way: str) -> Unit:
        """Time starting tasks and waiting for them."""
        return self.repeat(self.waiting_for(way))

    def exchange(self, size: int | str) -> list[Any]:
        """Return the functions of who puts and who gets, by the library's own channel or queue."""
        raise NotImplementedError

    async def all(self, functions: list[Any]) -> None:
        """Start a task for each function and wait till all have ended."""
        raise NotImplementedError

    def channel(self, argument: tuple[str, int | str]) -> Unit:
        """Time two tasks, of which one puts and one gets."""
        return self.started(lambda: self.exchange(argument[1]))

    def lock(self, argument: tuple[str, bool]) -> Unit:
        """Time tasks that have a lock."""
        free = argument[1]
        return self.started(lambda: _synchronising.locking_by_await(self.package.Lock(), free, lambda: self.package.sleep(0)))

    def started(self, make: Callable[[], list[Any]]) -> Unit:
        """Time the functions that `make()` returns."""

        async def run() -> None:
            await self.all(make())

        return self.repeat(run)

    def memory_parked(self, count: int, read: Callable[[], None]) -> None:
        """Read the memory before and after `count` tasks have begun to wait."""

        async def main() -> None:
            read()
            held = await self.park(count)  # noqa: F841
            read()

        self.run(main)


class Asyncio(Awaiting):
    """The standard library's."""

    name = "asyncio"
    idiom = "`await f()`; create_task; `sleep(0)`"
    module = "asyncio"
    imports = ("asyncio",)
    programs = _programs.by_await(lambda: asyncio.sleep(0))

    def load(self) -> Any:
        """Make an event loop."""
        library = super().load()
        self.loop = self.new_event_loop(library)
        return library

    def new_event_loop(self, library: Any) -> asyncio.AbstractEventLoop:
        """Make the event loop."""
        loop: asyncio.AbstractEventLoop = library.new_event_loop()
        return loop

    def run(self, function: Any, *args: Any) -> Any:
        """Run it in the one event loop; in the next in a new one, if this one is left with something in it."""
        try:
            return self.loop.run_until_complete(function(*args))
        except BaseException:
            self.loop = self.new_event_loop(self.package)
            raise

    async def many(self, function: Any, count: int, *args: Any) -> None:
        """Create the tasks and await each."""
        create = self.loop.create_task
        for task in [create(function(*args)) for _ in range(count)]:
            await task

    def waiting_for(self, way: str) -> Any:
        """By create_task and gather."""
        return _together.by_asyncio(way, self.loop.create_task, asyncio.gather)

    def exchange(self, size: int | str) -> list[Any]:
        """By asyncio.Queue."""
        queue: asyncio.Queue[Any] = asyncio.Queue(0 if isinstance(size, str) else size)
        return _synchronising.exchange_by_await(queue.put, queue.get)

    async def all(self, functions: list[Any]) -> None:
        """Create the tasks and await each."""
        for task in [self.loop.create_task(function()) for function in functions]:
            await task

    async def spawned(self, n: int) -> int:
        """Be fib with a task for each call."""
        if n < 2:
            return n
        create = self.loop.create_task
        return (await create(self.spawned(n - 1))) + (await create(self.spawned(n - 2)))

    async def park(self, count: int) -> Any:
        """Park tasks on one future."""
        future, held = self.loop.create_future(), [None] * count
        for i in range(count):
            held[i] = self.loop.create_task(_programs.awaiting(future))  # type: ignore[call-overload]
        await asyncio.sleep(0)
        return held

    def aio(self, argument: tuple[str, str]) -> Unit:
        """Time awaits beside those of a trampoline inside asyncio; the columns say in which loop."""
        if type(self) is not Asyncio:
            raise SkippedError("the row of asyncio has it")
        return _inside.coroutines(*argument, as_tasks=False)


class TaskEach(Implementation):
    """asyncio with a task for each await, beside a trampoline inside it."""

    name = "task each"
    module = "asyncio"
    idiom = "`await create_task(f())`"
    only = ("aio",)

    def aio(self, argument: tuple[str, str]) -> Unit:
        """Time them."""
        return _inside.coroutines(*argument, as_tasks=True)


class Uvloop(Asyncio):
    """asyncio with libuv's event loop."""

    name = "uvloop"
    distribution = "uvloop"
    module = "uvloop"
    imports = ("uvloop",)


class AsyncioProtocol(Implementation):
    """asyncio's callbacks, a server only."""

    name = "asyncio Protocol"
    module = "asyncio"
    idiom = "a server by callbacks: Protocol.data_received, transport.write"
    only = ("echo", "idle")


class UvloopProtocol(AsyncioProtocol):
    """The same on libuv's event loop."""

    name = "uvloop Protocol"
    distribution = "uvloop"
    module = "uvloop"


class Trio(Awaiting):
    """trio: nurseries and checkpoints."""

    name = "trio"
    distribution = "trio"
    module = "trio"
    imports = ("trio",)
    idiom = "`await f()`; nursery.start_soon; `checkpoint()`"

    def load(self) -> Any:
        """Import it."""
        library = super().load()
        self.programs = _programs.by_await(library.lowlevel.checkpoint)
        return library

    def run(self, function: Any, *args: Any) -> Any:
        """Run it in a new trio run."""
        return self.package.run(function, *args)

    def calls(self, way: str) -> Unit:
        """Time fib by await."""
        if way == "spawn":
            raise SkippedError("its tasks have no results")
        return super().calls(way)

    async def many(self, function: Any, count: int, *args: Any) -> None:
        """Start the tasks in a nursery."""
        async with self.package.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(function, *args)

    def waiting_for(self, way: str) -> Any:
        """By a nursery for each wait, which gives no results."""
        if way == "all":
            raise SkippedError("a nursery waits for all of its tasks")

        async def gather(function: Any, count: int) -> None:
            await self.many(function, count, 0)

        async def spawn(function: Any, number: int) -> None:
            await self.many(function, 1, number)

        async def join(started: None) -> None:
            pass

        return _together.by_await(way, spawn, join, gather)

    def exchange(self, size: int | str) -> list[Any]:
        """By a memory channel."""
        send, receive = self.package.open_memory_channel(math.inf if isinstance(size, str) else size)
        return _synchronising.exchange_by_await(send.send, receive.receive)

    async def all(self, functions: list[Any]) -> None:
        """Start the tasks in a nursery."""
        async with self.package.open_nursery() as nursery:
            for function in functions:
                nursery.start_soon(function)

    async def park(self, count: int) -> Any:
        """Park tasks on one event."""
        event = self.package.Event()
        nursery = await self.package.open_nursery().__aenter__()
        for _ in range(count):
            nursery.start_soon(event.wait)
        for _ in range(3):
            await self.package.lowlevel.checkpoint()
        return nursery


class Curio(Awaiting):
    """curio: a kernel and its traps."""

    name = "curio"
    distribution = "curio"
    module = "curio"
    imports = ("curio",)
    idiom = "`await f()`; spawn, join; `sleep(0)`"

    def load(self) -> Any:
        """Import it; its import asks for names that nothing here uses and that Python 3.12 has no more."""
        connection = "multiprocessing.connection"
        gone = (f"{connection}.CHALLENGE", f"{connection}.WELCOME", f"{connection}.FAILURE", "ssl.wrap_socket")
        with contextlib.ExitStack() as stack:
            for name in gone if sys.version_info >= (3, 12) else ():
                stack.enter_context(mock.patch(name, None, create=True))
            library = super().load()
        self.programs = _programs.by_await(lambda: library.sleep(0))
        return library

    def run(self, function: Any, *args: Any) -> Any:
        """Run it in a new kernel."""
        return self.package.run(function, *args)

    async def many(self, function: Any, count: int, *args: Any) -> None:
        """Spawn the tasks and join each."""
        spawn = self.package.spawn
        for task in [await spawn(function, *args) for _ in range(count)]:
            await task.join()

    def waiting_for(self, way: str) -> Any:
        """By spawn and join, and a TaskGroup."""

        async def gather(function: Any, count: int) -> None:
            async with self.package.TaskGroup() as group:
                for i in range(count):
                    await group.spawn(function, i)

        return _together.by_await(way, self.package.spawn, lambda task: task.join(), gather)

    def exchange(self, size: int | str) -> list[Any]:
        """By a queue."""
        queue = self.package.Queue(0 if isinstance(size, str) else size)
        return _synchronising.exchange_by_await(queue.put, queue.get)

    async def all(self, functions: list[Any]) -> None:
        """Spawn the tasks and join each."""
        for task in [await self.package.spawn(function) for function in functions]:
            await task.join()

    async def spawned(self, n: int) -> int:
        """Be fib with a task for each call."""
        if n < 2:
            return n
        spawn = self.package.spawn
        first = await spawn(self.spawned, n - 1)
        second = await spawn(self.spawned, n - 2)
        return int(await first.join() + await second.join())

    async def park(self, count: int) -> Any:
        """Park tasks on one event."""
        event = self.package.Event()
        held = [await self.package.spawn(event.wait) for _ in range(count)]
        await self.package.sleep(0)
        return held
