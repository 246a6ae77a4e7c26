"""What a type checker must know of the package. Not run: mypy --strict and pyright read it (see `.ci/run`)."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Executor
from typing import Any

from typing_extensions import assert_type

from trampoline import (
    Channel,
    Event,
    Lock,
    Profile,
    Pseudothread,
    Semaphore,
    Suspension,
    Trampoline,
    call,
    consumer,
    first,
    gather,
    map_in,
    profile,
    spawn,
    trampoline,
)


def child() -> Generator[Any, Any, int]:
    """A callee whose result is typed by what it returns."""
    yield
    return 1


async def native() -> str:
    """The same as a native coroutine."""
    return "text"


def caller() -> Generator[Any, Any, float]:
    """Call both, by `yield from call()`, and one by a plain yield."""
    number = yield from call(child())
    assert_type(number, int)
    text = yield from call(native())
    assert_type(text, str)
    anything = yield child()
    assert_type(anything, Any)
    return number + len(text)


async def awaiting() -> int:
    """Call both by `await call()`."""
    number = await call(child())
    assert_type(number, int)
    text = await call(native())
    assert_type(text, str)
    return number


async def together(processes: Executor) -> None:
    """Join, spawn and gather."""
    p = await spawn(child(), name="child")
    assert_type(p, Pseudothread[int])
    assert_type(await p, int)
    assert_type(await gather(child(), p), list[int])
    assert_type(await first(native(), native()), str)
    async for length in map_in(processes, len, ["a", "bc"], 2):
        assert_type(length, int)
    await spawn(child)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def exchanging(channel: Channel[int], lock: Lock) -> Generator[Any, Any, None]:
    """What comes out of a channel is what goes in."""
    number = yield from channel.get()
    assert_type(number, int)
    text = yield from channel.get("none")
    assert_type(text, int | str)
    yield from channel.put(number)
    with (yield from lock):
        yield channel.put("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def exchanging_natively(channel: Channel[int], lock: Lock, semaphore: Semaphore, event: Event) -> None:
    """The same."""
    assert_type(await channel.get(), int)
    async with lock, semaphore:
        assert_type(await event, bool)
    async for number in channel:
        assert_type(number, int)


class Never(Suspension):
    """A suspension with the right signature."""

    def suspend(self, pseudothread: Pseudothread[Any]) -> None:
        """Resume at once."""
        pseudothread.resume(1)


@consumer
def collect(sink: list[str]) -> Generator[None, str, None]:
    """A consumer keeps its signature."""
    while True:
        sink.append((yield))


class Pages:
    """Consumers as methods of every kind."""

    @consumer
    def method(self) -> Generator[int, str, None]:
        """A plain method."""
        yield 1

    @consumer
    @classmethod
    def of_class(cls) -> Generator[int, str, None]:
        """A classmethod."""
        yield 1


def use() -> None:
    """The types that come out."""
    t = Trampoline()
    assert_type(t.add(caller()), Pseudothread[float])
    assert_type(t.add(awaiting()).result(), int)
    assert_type(t.spawn(native()), Pseudothread[str])
    assert_type(trampoline(native()), str)
    assert_type(collect([]), Generator[None, str, None])
    assert_type(Pages().method(), Generator[int, str, None])
    with Trampoline() as inner:
        assert_type(inner, Trampoline)
    with profile(clock=lambda: 0, timeline=10) as measured:
        assert_type(measured, Profile)
    assert_type(measured.merge(measured).tree.children[0].self_time, int)
    assert_type(Trampoline(profile=True).profile, Profile | None)
    profile(timeline="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    t.add(child)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    call(42)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
