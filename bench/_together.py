"""The programs of the workload `together`: to start something and wait for its result, singly and many at once.

Each is made with the library's own way to start, to wait for one, and to wait for all. What is started returns at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MANY = 1_000
FEW = 10
Child = Callable[[int], Any]


def child_of_yield(i: int) -> Any:
    """Return at once."""
    return i
    yield


async def child_of_await(i: int) -> int:
    """Return at once."""
    return i


def child_of_calls(i: int) -> int:
    """Return at once."""
    return i


def by_yield(way: str, spawn: Any, gather: Any) -> Callable[[], Any]:
    """Return the program, a function that returns a generator."""
    child = child_of_yield

    def one_by_one() -> Any:
        for i in range(MANY):
            p = yield spawn(child(i))
            yield p

    def all_then_each() -> Any:
        started = []
        for i in range(MANY):
            started.append((yield spawn(child(i))))
        for p in started:
            value = yield p  # noqa: F841

    def gathered() -> Any:
        yield gather(*[child(i) for i in range(MANY)])

    def gathered_in_tens() -> Any:
        for _ in range(MANY // FEW):
            yield gather(*[child(i) for i in range(FEW)])

    return {"one": one_by_one, "all": all_then_each, "gather": gathered, "tens": gathered_in_tens}[way]


def by_await(way: str, spawn: Any, join: Any, gather: Any) -> Callable[[], Any]:
    """Return the program, a function that returns a native coroutine. `spawn` and `gather` take functions and numbers."""
    child = child_of_await

    async def one_by_one() -> None:
        for i in range(MANY):
            await join(await spawn(child, i))

    async def all_then_each() -> None:
        for started in [await spawn(child, i) for i in range(MANY)]:
            await join(started)

    async def gathered() -> None:
        await gather(child, MANY)

    async def gathered_in_tens() -> None:
        for _ in range(MANY // FEW):
            await gather(child, FEW)

    return {"one": one_by_one, "all": all_then_each, "gather": gathered, "tens": gathered_in_tens}[way]


def by_asyncio(way: str, create_task: Any, gather: Any) -> Callable[[], Any]:
    """Return the program by asyncio's own idiom, in which to start is a plain call."""
    child = child_of_await

    async def one_by_one() -> None:
        for i in range(MANY):
            await create_task(child(i))

    async def all_then_each() -> None:
        for task in [create_task(child(i)) for i in range(MANY)]:
            await task

    async def gathered() -> None:
        await gather(*[child(i) for i in range(MANY)])

    async def gathered_in_tens() -> None:
        for _ in range(MANY // FEW):
            await gather(*[child(i) for i in range(FEW)])

    return {"one": one_by_one, "all": all_then_each, "gather": gathered, "tens": gathered_in_tens}[way]


def by_calls(way: str, spawn: Any, joinall: Any) -> Callable[[], Any]:
    """Return the program, a plain function."""
    child = child_of_calls

    def one_by_one() -> None:
        for i in range(MANY):
            spawn(child, i).get()

    def all_then_each() -> None:
        for started in [spawn(child, i) for i in range(MANY)]:
            started.get()

    def gathered() -> None:
        joinall([spawn(child, i) for i in range(MANY)])

    def gathered_in_tens() -> None:
        for _ in range(MANY // FEW):
            joinall([spawn(child, i) for i in range(FEW)])

    return {"one": one_by_one, "all": all_then_each, "gather": gathered, "tens": gathered_in_tens}[way]
