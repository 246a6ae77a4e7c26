"""A trampoline that asyncio drives, inside a task: slices of turns, between them the loop, and nothing while there is nothing to do."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from contextlib import suppress
from time import monotonic

from trampoline._bridge import without_ours
from trampoline._errors import get_traceback, set_traceback, without_frames
from trampoline._onloop import LoopReactor
from trampoline._trampoline import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeAlias

    from trampoline._awaited import Awaited
    from trampoline._core import core

    Pseudothread: TypeAlias = core.Pseudothread[Any]

_SLICE = 0.001  # seconds of turns, after which the loop has its own


class Driven(Layer):
    """The slices, the sleep between them and what wakes from it."""

    reactor: LoopReactor  # type: ignore[assignment]

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(reactor=LoopReactor(loop, self))  # type: ignore[arg-type]
        self._of_asyncio = loop
        self._task = asyncio.current_task(loop)
        self._asks = True
        self._limits = 1  # always: then the core looks at the clock now and then, and calls _look()
        self._began = 0.0
        self._paused = False  # whether the time of the slice was up
        self._sleeping: asyncio.Future[None] | None = None  # done when there is something to do
        self._failure: BaseException | None = None  # what a callback of the loop raised
        self._ended: list[Awaited] = []  # whose task has made its last step
        self._ending: set[asyncio.Future[Any]] = set()  # tasks that were cancelled, and who waited for them did not wait
        self._late: list[tuple[Pseudothread, BaseException]] = []  # who was queued when it should be thrown into

    async def _go_on(self, over: Callable[[], bool], root: Pseudothread | None) -> tuple[BaseException | None, BaseException | None]:
        """Make turns until it is `over()` or an error has left one. Return that, and the last CancelledError, without a root to get it."""
        cancelled = None
        while (failure := self._turns()) is None and not over():
            sleeping: Awaitable[None] | None = None
            if not self.queue:
                sleeping, failure = self._fall_asleep(root)
                if failure is not None:
                    break
            error = None
            try:
                await (asyncio.sleep(0) if sleeping is None else sleeping)
            except CancelledError as raised:
                error = raised
            self._waker = self._sleeping = None
            if error is None:
                continue
            cancelled = CancelledError(*error.args)
            if root is not None:
                self._cancel(root, cancelled, self._task)
            for future in self._ending:
                future.cancel(*error.args)
        return failure, cancelled

    def _turns(self) -> BaseException | None:
        """Make turns until nothing is queued or the time is up. Return the error that has left one, or None."""
        failure, self._failure = self._failure, None
        if failure is not None:
            return failure
        self._paused = False
        late, self._late = self._late, []
        while self._ended:
            self._ended.pop(0).look()
        try:
            if self._posted:
                self._dispatch(())
            self._began = monotonic()
            self.run()
        except BaseException as raised:
            failure = raised
        if failure is not None:
            without_frames(failure, 2)  # this frame, and the one of run()
            return set_traceback(failure, without_ours(get_traceback(failure)))
        if self.queue and not self._paused:
            return RuntimeError(
                f"{self!r}, which runs inside an asyncio loop, was stopped before its end: to end aio.run(), cancel its task"
            )
        for pseudothread, error in late:
            self._overtake(pseudothread, error)
        return None

    def _look(self) -> None:
        if monotonic() - self._began >= _SLICE:
            self._paused = True
            self.stop()

    def _wait(self) -> bool:
        return False

    def _fall_asleep(self, root: Pseudothread | None) -> tuple[asyncio.Future[None] | None, BaseException | None]:
        """Return what is done when there is something to do, None if there is already; or the error that `root` will never have a turn.

        That nothing is known that could wake it is no Deadlock: the task may be cancelled, and what else runs in the loop may resume it.
        """
        self._waker = self._knock  # by which whoever queues something from now on wakes us
        taken = root is not None and root.state == "queued"
        # In this order: another thread resumes one by taking it out of what is parked, and then queues it.
        if self._leaving or self._posted or self.queue or self._ended:
            return None, None
        if taken:
            return None, RuntimeError(f"{root!r}, the root of aio.run(), was taken out of the queue before its end")
        self.reactor.rest()
        self._sleeping = self._of_asyncio.create_future()
        return self._sleeping, None

    def _knock(self) -> None:
        """Wake the trampoline. From any thread and from signal handlers."""
        with suppress(RuntimeError):  # the loop was closed, and nobody waits
            self._of_asyncio.call_soon_threadsafe(self._arouse)

    def _arouse(self) -> None:
        """Wake the trampoline. From the loop's own callbacks."""
        self._waker = None
        if self._sleeping is not None and not self._sleeping.done():
            self._sleeping.set_result(None)

    def _called(self, ready: Callable[..., object], *args: object) -> None:
        """Call what is ready, in a callback of the loop."""
        if self._waker is not None:
            self._waker = self._arouse
        try:
            ready(*args)
        except BaseException as raised:
            self._failure = self._first(self._failure, raised)
            self._arouse()
        if self._waker is not None:
            self._waker = self._knock

    def _overtake(self, pseudothread: Pseudothread, error: BaseException) -> None:
        """Throw into one that has made turns for a slice and did not wait."""
        if error in self._pending.get(pseudothread, ()) and pseudothread.state == "queued":
            if pseudothread._overtake(error):
                self._spare(pseudothread, error)
            else:
                self._late.append((pseudothread, error))

    def _cancel(self, pseudothread: Pseudothread, error: CancelledError, task: asyncio.Task[Any] | None) -> None:
        """Throw `error` into a pseudothread because `task` was cancelled."""
        raise NotImplementedError

    def _first(self, failure: BaseException | None, other: BaseException | None) -> BaseException | None:
        """Return the first error; the other is reported."""
        if failure is None or other is None:
            return other if failure is None else failure
        self._of_asyncio.call_exception_handler({"message": "another error at the end of aio.run()", "exception": other})
        return failure
