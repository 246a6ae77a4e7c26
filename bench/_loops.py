"""The programs of the workloads `sleep`, `wake` and `fairness`, each in its library's best idiom. Other end: `python -m bench._loops`.

Every one runs in a process of its own, so that none finds another's loop, threads or signal handlers, and so that either core of this
package can be the one that `import trampoline` gives. `PROGRAMS` has a class for each library; its methods are the workloads.
"""

from __future__ import annotations

import gc
import importlib
import json
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench import _registry
from bench._measure import clock

PAUSE = 0.005
REST = 0.0005  # till a loop that has been woken waits again
SHORTEST, LONGEST = 0.5, 1.5
STAMP = 8
now = time.perf_counter
# the stamps come from another process: CLOCK_MONOTONIC is the same in all
WRITER = f"""
import socket, sys, time
sock = socket.socket(fileno=int(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    time.sleep({PAUSE})
    sock.sendall(time.monotonic_ns().to_bytes({STAMP}, "little"))
"""


class Waking:
    """What wakes and how late: `waiting` holds what wakes the one that waits, `answer` the answer to the thread."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.waiting: list[Callable[[], Any]] = []
        self.times: list[float] = []
        self.answered = threading.Semaphore(0)
        self.thread = threading.Thread(target=self.wake_all)

    def wake_all(self) -> None:
        """Wake `count` times, and note how long each took."""
        for _ in range(self.count):
            time.sleep(REST)
            while not self.waiting:
                time.sleep(REST)
            wake = self.waiting.pop()
            start = now()
            wake()
            self.answered.acquire()
            self.times.append(now() - start)

    def figures(self) -> dict[str, float]:
        """Return the median and the 99th percentile, in seconds."""
        self.thread.join()
        return {"median": statistics.median(self.times), "p99": statistics.quantiles(self.times, n=100)[98]}


class Lateness:
    """How late a sleeper and a reader ran while others were busy; `left` is the number of them that have not ended."""

    def __init__(self, count: int) -> None:
        self.count, self.left = count, 2
        self.late: dict[str, list[float]] = {"sleeper": [], "socket": []}
        self.sock, far = socket.socketpair()
        self.sock.setblocking(False)
        with far:
            command = [sys.executable, "-I", "-S", "-c", WRITER, str(far.fileno()), str(count)]
            self.writer = subprocess.Popen(command, pass_fds=[far.fileno()])

    def slept(self, start: float) -> None:
        """Note how late a sleeper is that began at `start`."""
        self.late["sleeper"].append(now() - start - PAUSE)

    def read(self, stamp: bytes) -> None:
        """Note how late a reader is."""
        self.late["socket"].append((time.monotonic_ns() - int.from_bytes(stamp, "little")) / 1e9)

    def figures(self) -> dict[str, float]:
        """Return the medians and the maxima, in seconds, without the first of each: a reactor may be imported and made in it."""
        self.writer.wait()
        ways: dict[str, Callable[[Sequence[float]], float]] = {"median": statistics.median, "max": max}
        return {f"{who}, {way}": take(late[1:]) for who, late in self.late.items() for way, take in ways.items()}


class Ours:
    """This package, by `yield`."""

    def __init__(self, name: str) -> None:
        self.package = importlib.import_module("trampoline")

    def sleep(self, delays: list[float]) -> None:
        """Run sleepers to their end."""
        sleep = self.package.sleep

        def sleeper(delay: float) -> Any:
            yield sleep(delay)

        trampoline = self.package.Trampoline()
        for delay in delays:
            trampoline.add(sleeper(delay))
        trampoline.run()

    def wake(self, waking: Waking) -> None:
        """Be resumed by a thread."""

        class Knock(self.package.Suspension):  # type: ignore[misc, name-defined]
            external = True

            def suspend(self, pseudothread: Any) -> None:
                waking.waiting.append(pseudothread.resume)

        def waiter() -> Any:
            knock = Knock()
            for _ in range(waking.count):
                yield knock
                waking.answered.release()

        trampoline = self.package.Trampoline()
        trampoline.add(waiter())
        waking.thread.start()
        trampoline.run()

    def fairness(self, busy: int, lateness: Lateness) -> None:
        """Wait beside pseudothreads that make calls."""
        sleep, nonblocking_read = self.package.sleep, self.package.nonblocking_read

        def child() -> Any:
            return
            yield

        def spin() -> Any:
            while lateness.left:
                yield child()

        def sleeper() -> Any:
            for _ in range(lateness.count):
                start = now()
                yield sleep(PAUSE)
                lateness.slept(start)
            lateness.left -= 1

        def reader() -> Any:
            for _ in range(lateness.count):
                lateness.read((yield nonblocking_read(lateness.sock, STAMP)))
            lateness.left -= 1

        trampoline = self.package.Trampoline()
        for coroutine in (*(spin() for _ in range(busy)), sleeper(), reader()):
            trampoline.add(coroutine)
        trampoline.run()


class Awaiting:
    """What runs native coroutines; the programs are the same for all, but for what a subclass says."""

    def __init__(self, name: str) -> None:
        self.implementation: Any = _registry.load(name)
        self.package = self.implementation.package
        self.pause: Callable[[float], Any] = self.package.sleep

    async def waited(self, waiting: list[Callable[[], Any]]) -> None:
        """Wait till a thread calls what is put into `waiting`."""
        raise NotImplementedError

    async def receive(self, sock: Any) -> bytes:
        """Return the next stamp."""
        return bytes(await sock.recv(STAMP))

    def wrap(self, sock: socket.socket) -> Any:
        """Return the library's own socket."""
        return sock

    async def all(self, coroutines: list[tuple[Any, ...]]) -> None:
        """Start tasks, each a function with arguments, and wait till all have ended."""
        raise NotImplementedError

    def sleep(self, delays: list[float]) -> None:
        """Run sleepers to their end."""
        pause = self.pause

        async def sleeper(delay: float) -> None:
            await pause(delay)

        self.implementation.run(self.all, [(sleeper, delay) for delay in delays])

    def wake(self, waking: Waking) -> None:
        """Be woken by a thread."""

        async def waiter() -> None:
            waking.thread.start()
            for _ in range(waking.count):
                await self.waited(waking.waiting)
                waking.answered.release()

        self.implementation.run(waiter)

    def fairness(self, busy: int, lateness: Lateness) -> None:
        """Wait beside tasks that do nothing but let each other run."""
        pause, receive = self.pause, self.receive

        async def spin() -> None:
            while lateness.left:
                await pause(0)

        async def sleeper() -> None:
            for _ in range(lateness.count):
                start = now()
                await pause(PAUSE)
                lateness.slept(start)
            lateness.left -= 1

        async def reader() -> None:
            sock = self.wrap(lateness.sock)
            for _ in range(lateness.count):
                lateness.read(await receive(sock))
            lateness.left -= 1

        self.implementation.run(self.all, [*[(spin,)] * busy, (sleeper,), (reader,)])


class Asyncio(Awaiting):
    """asyncio and uvloop: create_task, a future, loop.sock_recv."""

    def __init__(self, name: str) -> None:
        super().__init__("asyncio")
        self.implementation = _registry.load(name)
        self.loop = self.implementation.loop

    async def waited(self, waiting: list[Callable[[], Any]]) -> None:
        """Wait for a future, set by call_soon_threadsafe."""
        future, knock = self.loop.create_future(), self.loop.call_soon_threadsafe
        waiting.append(lambda: knock(future.set_result, None))
        await future

    async def receive(self, sock: Any) -> bytes:
        """Read the socket by the loop itself."""
        return bytes(await self.loop.sock_recv(sock, STAMP))

    async def all(self, coroutines: list[tuple[Any, ...]]) -> None:
        """Create the tasks and await each."""
        create = self.loop.create_task
        for task in [create(function(*args)) for function, *args in coroutines]:
            await task


class Trio(Awaiting):
    """trio: a nursery, an event, its own sockets."""

    async def waited(self, waiting: list[Callable[[], Any]]) -> None:
        """Wait for an event, set by run_sync_soon."""
        event, knock = self.package.Event(), self.package.lowlevel.current_trio_token().run_sync_soon
        waiting.append(lambda: knock(event.set))
        await event.wait()

    def wrap(self, sock: socket.socket) -> Any:
        """Return trio's socket."""
        return self.package.socket.from_stdlib_socket(sock)

    async def all(self, coroutines: list[tuple[Any, ...]]) -> None:
        """Start the tasks in a nursery."""
        async with self.package.open_nursery() as nursery:
            for function, *args in coroutines:
                nursery.start_soon(function, *args)


class Curio(Awaiting):
    """curio: spawn, a UniversalEvent, its own sockets."""

    async def waited(self, waiting: list[Callable[[], Any]]) -> None:
        """Wait for an event that a thread may set."""
        event = self.package.UniversalEvent()
        waiting.append(event.set)
        await event.wait()

    def wrap(self, sock: socket.socket) -> Any:
        """Return curio's socket."""
        return self.package.io.Socket(sock)

    async def all(self, coroutines: list[tuple[Any, ...]]) -> None:
        """Spawn the tasks and join each."""
        spawn = self.package.spawn
        for task in [await spawn(function, *args) for function, *args in coroutines]:
            await task.join()


class Gevent:
    """gevent: spawn and joinall, an async watcher, its own socket."""

    def __init__(self, name: str) -> None:
        self.package = _registry.load(name).package  # type: ignore[attr-defined]

    def sleep(self, delays: list[float]) -> None:
        """Run sleepers to their end."""
        spawn, pause = self.package.spawn, self.package.sleep

        def sleeper(delay: float) -> None:
            pause(delay)

        self.package.joinall([spawn(sleeper, delay) for delay in delays])

    def wake(self, waking: Waking) -> None:
        """Wait for an event, set by an async watcher, which a thread may send to."""
        event = importlib.import_module("gevent.event").Event()
        watcher = self.package.get_hub().loop.async_()
        watcher.start(event.set)
        waking.thread.start()
        for _ in range(waking.count):
            waking.waiting.append(watcher.send)
            event.wait()
            event.clear()
            waking.answered.release()

    def fairness(self, busy: int, lateness: Lateness) -> None:
        """Wait beside greenlets that do nothing but let each other run."""
        spawn, pause = self.package.spawn, self.package.sleep
        sock = importlib.import_module("gevent.socket").socket(fileno=lateness.sock.detach())

        def spin() -> None:
            while lateness.left:
                pause(0)

        def sleeper() -> None:
            for _ in range(lateness.count):
                start = now()
                pause(PAUSE)
                lateness.slept(start)
            lateness.left -= 1

        def reader() -> None:
            for _ in range(lateness.count):
                lateness.read(sock.recv(STAMP))
            lateness.left -= 1

        self.package.joinall([spawn(function) for function in (*[spin] * busy, sleeper, reader)])


PROGRAMS: dict[str, Any] = {
    "C core": Ours,
    "Python core": Ours,
    "asyncio": Asyncio,
    "uvloop": Asyncio,
    "gevent": Gevent,
    "trio": Trio,
    "curio": Curio,
}


def sleep(program: Any, count: int) -> dict[str, float]:
    """Return the CPU seconds of `count` sleepers."""
    deal = random.Random(342).uniform
    delays = [deal(SHORTEST, LONGEST) for _ in range(count)]
    gc.collect()
    gc.disable()
    wall, start = now(), clock()
    program.sleep(delays)
    taken = clock() - start
    if now() - wall < max(delays):
        raise RuntimeError("it ended before the last had slept")
    return {"cpu": taken}


def wake(program: Any, count: int) -> dict[str, float]:
    """Return how long `count` wake-ups by a thread took."""
    waking = Waking(count)
    program.wake(waking)
    return waking.figures()


def fairness(program: Any, busy: int, count: int) -> dict[str, float]:
    """Return how late `count` sleeps and reads ended beside `busy` others."""
    lateness = Lateness(count)
    program.fairness(busy, lateness)
    return lateness.figures()


def main(workload: str, name: str, *arguments: str) -> None:
    """Print the figures of one run as JSON."""
    program = PROGRAMS[name](name)
    measured: Any = {"sleep": sleep, "wake": wake, "fairness": fairness}[workload]
    print(json.dumps(measured(program, *map(int, arguments))))


if __name__ == "__main__":
    main(*sys.argv[1:])
