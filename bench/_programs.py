"""The coroutines that the workloads run, in the three ways to write them: calls by `yield`, by `yield from`, and by `await`.

The same text serves every implementation of a family, so that they differ in what drives the coroutines and in nothing else.
`by_yield` takes the decorator of the families that need one (tornado, twisted, asynq).
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from types import SimpleNamespace
from typing import Any

from bench._measure import clock


class RaisedError(Exception):
    """The error of the `errors` workload."""


def by_yield(decorate: Callable[[Any], Any] = lambda function: function, switch: Callable[[], Any] | None = None) -> SimpleNamespace:
    """Return the programs in which `yield f()` calls f and returns its result; `yield switch()` where a call alone does not switch."""

    @decorate
    def fib(n: int) -> Any:
        if n < 2:
            return n
        return (yield fib(n - 1)) + (yield fib(n - 2))

    @decorate
    def child(i: int) -> Any:
        return i
        yield

    @decorate
    def fibs(n: int, loops: int) -> Any:
        start = clock()
        for _ in range(loops):
            yield fib(n)
        return clock() - start

    @decorate
    def switching(i: int) -> Any:
        yield switch()  # type: ignore[misc]
        return i

    called = switching if switch else child

    @decorate
    def worker(calls: int) -> Any:
        for i in range(calls):
            yield called(i)

    @decorate
    def workers(count: int, calls: int) -> Any:
        yield [worker(calls) for _ in range(count)]

    @decorate
    def children(count: int) -> Any:
        yield [child(i) for i in range(count)]

    @decorate
    def descend(depth: int, loops: int) -> Any:
        if depth > 1:
            return (yield descend(depth - 1, loops))
        start = clock()
        for i in range(loops):
            yield child(i)
        return clock() - start

    @decorate
    def down(n: int) -> Any:
        if n == 0:
            return 0
        return 1 + (yield down(n - 1))

    def held(n: int) -> Any:  # as big as `down`, to be created, started and held, and perhaps ended: the floor of recursion
        if n < 0:
            return 1 + (yield held(n - 1))
        yield n
        return None

    @decorate
    def fall(levels: int) -> Any:
        if levels == 1:
            raise RaisedError
        yield fall(levels - 1)

    @decorate
    def catch(levels: int, loops: int) -> Any:
        start = clock()
        for _ in range(loops):
            try:
                yield fall(levels)
            except RaisedError:
                continue
        return clock() - start

    @decorate
    def deepen(n: int, read: Callable[[], None]) -> Any:
        if n == 0:
            read()
            return
        yield deepen(n - 1, read)

    return SimpleNamespace(**locals())


def by_yielded_result() -> SimpleNamespace:
    """Return fib as PEP 342 has it: the callee yields its result and is let go."""

    def fib(n: int) -> Any:
        if n < 2:
            yield n
        else:
            yield (yield fib(n - 1)) + (yield fib(n - 2))

    def fibs(n: int, loops: int) -> Any:
        start = clock()
        for _ in range(loops):
            yield fib(n)
        yield clock() - start

    return SimpleNamespace(**locals())


def by_yield_from() -> SimpleNamespace:
    """Return the programs of plain generators, called by `yield from`; a bare `yield` goes out to whoever drives them."""

    def fib(n: int) -> Any:
        if n < 2:
            return n
        return (yield from fib(n - 1)) + (yield from fib(n - 2))

    def fibs(n: int, loops: int) -> Any:
        start = clock()
        for _ in range(loops):
            yield from fib(n)
        return clock() - start

    def child(i: int) -> Any:
        yield
        return i

    def worker(calls: int) -> Any:
        for i in range(calls):
            yield from child(i)

    def descend(depth: int, loops: int) -> Any:
        if depth > 1:
            return (yield from descend(depth - 1, loops))
        start = clock()
        for _ in range(loops):
            yield
        return clock() - start

    def down(n: int) -> Any:
        if n == 0:
            return 0
        return 1 + (yield from down(n - 1))

    def fall(levels: int) -> Any:
        if levels == 1:
            raise RaisedError
        yield from fall(levels - 1)

    def catch(levels: int, loops: int) -> Any:
        start = clock()
        for _ in range(loops):
            try:
                yield from fall(levels)
            except RaisedError:
                continue
        return clock() - start

    return SimpleNamespace(**locals())


@types.coroutine
def bare_switch() -> Generator[None, None, None]:
    """Yield once to whoever drives the coroutine: the least that a switch can be."""
    yield


def by_await(switch: Callable[[], Awaitable[Any]] = bare_switch) -> SimpleNamespace:
    """Return the programs of native coroutines, called by `await`; `await switch()` lets the others have their turn."""

    async def fib(n: int) -> Any:
        if n < 2:
            return n
        return (await fib(n - 1)) + (await fib(n - 2))

    async def fibs(n: int, loops: int) -> Any:
        start = clock()
        for _ in range(loops):
            await fib(n)
        return clock() - start

    async def child(i: int) -> Any:
        await switch()
        return i

    async def worker(calls: int) -> Any:
        for i in range(calls):
            await child(i)

    async def trivial() -> None:
        pass

    async def descend(depth: int, loops: int) -> Any:
        if depth > 1:
            return await descend(depth - 1, loops)
        start = clock()
        for _ in range(loops):
            await switch()
        return clock() - start

    async def down(n: int) -> Any:
        if n == 0:
            return 0
        return 1 + await down(n - 1)

    async def fall(levels: int) -> Any:
        if levels == 1:
            raise RaisedError
        await fall(levels - 1)

    async def catch(levels: int, loops: int) -> Any:
        start = clock()
        for _ in range(loops):
            try:
                await fall(levels)
            except RaisedError:
                continue
        return clock() - start

    return SimpleNamespace(**locals())


def by_plain_calls(switch: Callable[[], Any]) -> SimpleNamespace:
    """Return the programs of plain functions, for the libraries that switch whole stacks; `switch()` lets the others have their turn."""

    def fib(n: int) -> int:
        if n < 2:
            return n
        return fib(n - 1) + fib(n - 2)

    def child(i: int) -> int:
        switch()
        return i

    def worker(calls: int) -> None:
        for i in range(calls):
            child(i)

    def trivial() -> None:
        pass

    def descend(depth: int, loops: int) -> float:
        if depth > 1:
            return descend(depth - 1, loops)
        start = clock()
        for _ in range(loops):
            switch()
        return clock() - start

    def down(n: int) -> int:
        if n == 0:
            return 0
        return 1 + down(n - 1)

    def fall(levels: int) -> None:
        if levels == 1:
            raise RaisedError
        fall(levels - 1)

    def catch(levels: int) -> None:
        try:
            fall(levels)
        except RaisedError:
            return

    return SimpleNamespace(**locals())


def parked(suspension: Any) -> Any:
    """Be a generator that parks."""
    yield suspension


async def awaiting(suspension: Any) -> None:
    """Be a native coroutine that parks."""
    await suspension
