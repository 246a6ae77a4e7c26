"""A trampoline that is a guest in an asyncio loop: whose each awaitable is, how cancelling goes over the border, and how it ends."""

from __future__ import annotations

import asyncio
import sys
from asyncio import CancelledError
from types import CoroutineType

from trampoline._awaited import Awaited
from trampoline._base import is_coroutine, name_of
from trampoline._bridge import Bridge, awaiting, is_future, within
from trampoline._driven import Driven

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Context
    from typing import Any, TypeAlias

    from trampoline._core import core

    Pseudothread: TypeAlias = core.Pseudothread[Any]


class Guest(Driven):
    """What makes a trampoline a guest. A class of its own, so that it can be put on either core."""

    _throws_at_once = False

    async def _drive(self, root: Pseudothread) -> BaseException | None:
        """Make turns until `root` has ended, then close what is left. Return the error that it ended by, or None."""
        failure, _ = await self._go_on(lambda: root.done, root)
        if failure is None:  # it was cancelled, and ended before it waited
            failure = next((error for error in self._pending.get(root, ()) if isinstance(error, CancelledError)), None)
        failure = self._closed(failure)
        while self._ending:
            other, cancelled = await self._go_on(lambda: not self._ending, None)
            failure = self._first(failure, other)
            if failure is None:
                failure = cancelled
        return failure

    # What is the trampoline's, and what is asyncio's.

    def _adapt(self, got: Any) -> Any:
        if type(got) is CoroutineType:
            return Awaited(got, None)
        if is_future(got):
            return Awaited(None, got)
        if is_coroutine(got):
            return Awaited(got, None) if hasattr(type(got), "__await__") else got
        instead = super()._adapt(got)
        if instead is got and hasattr(type(got), "__await__"):
            return Awaited(awaiting(got), None)
        return instead

    def _root(self, coroutine: Any) -> Any:
        if not hasattr(type(coroutine), "__await__"):
            return coroutine
        return _named(within(coroutine), coroutine)

    def _rooted(self, coroutine: Any) -> Pseudothread:
        """Queue `coroutine`. There is no place to tell of where it was added but this one."""
        return self.schedule(_named(within(coroutine, self), coroutine))

    def _start(self, bridge: Bridge, context: Context | None) -> asyncio.Task[Any]:
        """Make a task that runs `bridge`. From CPython 3.12 on it runs at once, until it waits."""
        return _start(self._of_asyncio, bridge) if context is None else context.run(_start, self._of_asyncio, bridge)

    # Cancelling, and the end.

    def _cancel(self, pseudothread: Pseudothread, error: CancelledError, task: asyncio.Task[Any] | None) -> None:
        """Throw `error` into a pseudothread because `task`, which waits for it, was cancelled: when it waits, or between turns."""
        error.asked_by = task  # type: ignore[attr-defined]
        self._interrupt(pseudothread, error)
        if pseudothread.state == "queued":
            self._late.append((pseudothread, error))

    def _interrupt(self, pseudothread: Pseudothread, error: BaseException, *, unless: object = None) -> None:
        waits = pseudothread.waits_for
        if type(waits) is not Awaited:
            super()._interrupt(pseudothread, error, unless=unless)
        elif not waits.interrupt(error):
            self._pend(pseudothread, error)

    def _pend(self, pseudothread: Pseudothread, error: BaseException) -> None:
        self._pending.setdefault(pseudothread, []).append(error)
        pseudothread._interrupt()

    def _interruption(self, pseudothread: Pseudothread) -> BaseException | None:
        error, waits = super()._interruption(pseudothread), pseudothread.waits_for
        if type(waits) is not Awaited:
            return error
        waits.error = error
        return None

    def _see_off(self, future: asyncio.Future[Any]) -> None:
        """Wait for a cancelled task before `aio.run()` returns."""
        self._ending.add(future)
        future.add_done_callback(self._seen_off)

    def _seen_off(self, future: asyncio.Future[Any]) -> None:
        self._ending.discard(future)
        self._arouse()

    def _closed(self, failure: BaseException | None) -> BaseException | None:
        """Close what is left. Return the first error."""
        self._waker = None
        try:
            self.close()
        except BaseException as raised:
            failure = self._first(failure, raised)
        return failure


def _named(generator: Any, coroutine: Any) -> Any:
    generator.__qualname__ = name_of(coroutine)
    return generator


def _start(loop: asyncio.AbstractEventLoop, bridge: Bridge) -> asyncio.Task[Any]:
    if sys.version_info >= (3, 12) and loop.get_task_factory() is None:
        return asyncio.Task(bridge, loop=loop, eager_start=True)
    return loop.create_task(bridge)
