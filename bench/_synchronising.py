"""The programs of the workloads `channel` and `lock`: by `yield`, by `await`, and by plain calls.

A program is made with the library's own channel, queue or lock, and its own way to let others run. It returns coroutines, or functions to
be started, all of which are started together and run to their end. The items are numbers, each made for it. Whoever gets them counts by
`repeat`, as that costs least: what is compared is the channels, not the loops around them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any

ITEMS = 10_000
TIMES = 10_000  # that a lock is had
HOLDERS = 10  # that have it in turn
UNBOUNDED = "unbounded"
SIZES: tuple[int | str, ...] = (1, 100, UNBOUNDED)


def exchange_by_yield(channel: Any) -> list[Any]:
    """Return who puts and who gets."""

    def puts() -> Any:
        for item in range(ITEMS):
            yield channel.put(item)

    def gets() -> Any:
        for _ in repeat(None, ITEMS):
            yield channel.get()

    return [puts, gets]


def exchange_by_await(put: Callable[[Any], Any], get: Callable[[], Any]) -> list[Any]:
    """Return who puts and who gets."""

    async def puts() -> None:
        for item in range(ITEMS):
            await put(item)

    async def gets() -> None:
        for _ in repeat(None, ITEMS):
            await get()

    return [puts, gets]


def exchange_by_calls(put: Callable[[Any], Any], get: Callable[[], Any]) -> list[Any]:
    """Return who puts and who gets."""

    def puts() -> None:
        for item in range(ITEMS):
            put(item)

    def gets() -> None:
        for _ in repeat(None, ITEMS):
            get()

    return [puts, gets]


def locking_by_yield(lock: Any, free: bool, switch: Callable[[], Any]) -> list[Any]:
    """Return who has the lock TIMES times, or those that have it in turn, each while the others run."""

    def alone() -> Any:
        for _ in repeat(None, TIMES):
            with (yield lock):
                pass

    def in_turn() -> Any:
        for _ in repeat(None, TIMES // HOLDERS):
            with (yield lock):
                yield switch()

    return [alone] if free else [in_turn] * HOLDERS


def locking_by_await(lock: Any, free: bool, switch: Callable[[], Any]) -> list[Any]:
    """Return the same."""

    async def alone() -> None:
        for _ in repeat(None, TIMES):
            async with lock:
                pass

    async def in_turn() -> None:
        for _ in repeat(None, TIMES // HOLDERS):
            async with lock:
                await switch()

    return [alone] if free else [in_turn] * HOLDERS


def locking_by_calls(lock: Any, free: bool, switch: Callable[[], Any]) -> list[Any]:
    """Return the same."""

    def alone() -> None:
        for _ in repeat(None, TIMES):
            with lock:
                pass

    def in_turn() -> None:
        for _ in repeat(None, TIMES // HOLDERS):
            with lock:
                switch()

    return [alone] if free else [in_turn] * HOLDERS
