"""The workload `aio`: a trampoline inside asyncio and uvloop, beside itself alone, and awaitables that it yields, beside a plain task's.

A trampoline's program is a generator that yields each awaitable; asyncio's is a coroutine that awaits it, or makes a task of it and
awaits that.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bench import _programs
from bench._measure import SkippedError, Unit, clock
from bench._workloads import FIB, REQUEST_SIZE

FIBS = _programs.by_yield().fibs


def trampolines(base: type, what: str, loop: str) -> Unit:
    """Time a program by the core that has the class `base`: alone, or inside a loop."""
    from trampoline import aio
    from trampoline._guest import Guest
    from trampoline._trampoline import Layer

    if loop == "alone":
        alone = type("Trampoline", (Layer, base), {})

        def drive(loops: int) -> float:
            trampoline = alone()
            trampoline.add(FIBS(FIB, loops))
            return float(trampoline.run())

        return drive
    guest = type("Trampoline", (Guest, base), {})

    async def inside(coroutine: Any) -> Any:
        before, aio._Trampoline = aio._Trampoline, guest  # type: ignore[misc, assignment]
        try:
            return await aio.run(coroutine)
        finally:
            aio._Trampoline = before  # type: ignore[misc]

    def yields(make: Callable[[], Any], loops: int) -> Any:
        start = clock()
        for _ in range(loops):
            yield make()
        return clock() - start

    async def main(loops: int) -> float:
        if what == "calls":
            return float(await inside(FIBS(FIB, loops)))
        async with made(what) as make:
            return float(await inside(yields(make, loops)))

    return lambda loops: run(loop, main(loops))


def coroutines(what: str, loop: str, as_tasks: bool) -> Unit:
    """Time the same by coroutines of asyncio's."""
    if what == "calls":
        raise SkippedError("the calls of a trampoline")

    async def main(loops: int) -> float:
        async with made(what) as make:
            start = clock()
            for _ in range(loops):
                await (asyncio.ensure_future(make()) if as_tasks else make())
            return clock() - start

    return lambda loops: run(loop, main(loops))


def run(loop: str, coroutine: Any) -> float:
    """Run a coroutine in a loop of that kind."""
    made = _new_loop(loop)()
    try:
        return float(made.run_until_complete(coroutine))
    finally:
        made.close()


def _new_loop(loop: str) -> Callable[[], Any]:
    if loop == "asyncio":
        return asyncio.new_event_loop
    try:
        found: Callable[[], Any] = importlib.import_module("uvloop").new_event_loop
    except ImportError as error:
        raise SkippedError(f"not importable: {error}") from error
    return found


@asynccontextmanager
async def made(what: str) -> AsyncIterator[Callable[[], Any]]:
    """Give what makes the awaitables."""
    if what == "nap":
        yield lambda: asyncio.sleep(0)
        return
    request = b"x" * REQUEST_SIZE
    served = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(writer)
        try:
            while True:
                writer.write(await reader.readexactly(REQUEST_SIZE))
        except asyncio.IncompleteReadError:
            writer.close()

    async def ask() -> bytes:
        writer.write(request)
        return await reader.readexactly(REQUEST_SIZE)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield ask
    writer.close()
    await writer.wait_closed()
    server.close()
    for other in served:
        await other.wait_closed()
