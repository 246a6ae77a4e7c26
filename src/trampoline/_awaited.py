"""Inside asyncio: the suspension in which a pseudothread waits for a future, or for a task that runs what is asyncio's."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError

from trampoline._base import Suspension, describe
from trampoline._bridge import Bridge, own_codes, without_ours
from trampoline._errors import get_traceback, set_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from trampoline._core import core
    from trampoline._guest import Guest

    Pseudothread: TypeAlias = core.Pseudothread[Any]


class Awaited(Suspension):
    """Wait for a future, or for a coroutine that is asyncio's."""

    __slots__ = ("_asked", "_coroutine", "_future", "_mine", "_pseudothread", "error")

    external = True
    _pseudothread: Pseudothread | None

    def __init__(self, coroutine: Any, future: asyncio.Future[Any] | None) -> None:
        self._coroutine, self._future = coroutine, future
        self._mine = future is None  # whether it runs in a task that nobody else knows of
        self._pseudothread = None
        self.error: BaseException | None = None  # what shall be raised when it has ended, for which it is cancelled
        self._asked: list[asyncio.Task[Any]] = []  # the tasks that were cancelled, and cancelled this

    def suspend(self, pseudothread: Pseudothread) -> None:
        guest: Guest = pseudothread.trampoline  # type: ignore[assignment]
        error, self.error = self.error, None
        future = self._future
        if future is None:
            coroutine, self._coroutine = self._coroutine, None
            future = self._future = guest._start(Bridge(coroutine, guest, self), pseudothread._context)
        elif (wrong := _wrong(future, guest)) is not None:
            if error is not None:
                guest._pend(pseudothread, error)
            raise wrong
        else:
            future._asyncio_future_blocking = False  # a generator that yields from it
        self._pseudothread = pseudothread
        if not self._mine:
            future.add_done_callback(self._done)
        if error is not None and not self.interrupt(error):
            guest._pend(pseudothread, error)
        if future.done() and pseudothread.waits_for is self:
            if not self._mine:
                future.remove_done_callback(self._done)
            self._arrived(pseudothread, future)

    def withdraw(self, pseudothread: Pseudothread) -> None:
        future = self._future
        if future is None or self._pseudothread is None:  # it was never begun, or has just ended
            return
        self._pseudothread = self._future = None  # else the task, whose error keeps its frames, would keep itself
        if not self._mine:
            future.remove_done_callback(self._done)
        if not future.done():
            future.cancel()
            if self._mine:
                pseudothread.trampoline._see_off(future)  # type: ignore[attr-defined]

    def interrupt(self, error: BaseException) -> bool:
        """Cancel it, for `error` to be raised when it has ended. Return False if that must wait: it has ended, or is cancelled already."""
        future = self._future
        if future is None or future.done() or self.error is not None and not isinstance(error, CancelledError):
            return False
        if self.error is None:
            self.error = error
        future.cancel(*(error.args[:1] if isinstance(error, CancelledError) else ()))
        task = getattr(error, "asked_by", None)
        if task is not None and self._mine:
            self._asked.append(task)
        return True

    def ends(self) -> None:
        """Have the trampoline look at the task after the step that it makes now. A callback would take one more round of the loop."""
        pseudothread = self._pseudothread
        if pseudothread is not None:
            guest: Guest = pseudothread.trampoline  # type: ignore[assignment]
            guest._ended.append(self)
            guest._arouse()

    def look(self) -> None:
        """Take the outcome, if it is there."""
        future = self._future
        if future is None:  # withdrawn meanwhile
            return
        if future.done():
            self._done(future)
        else:  # a task of another kind, made by the loop's task factory
            future.add_done_callback(self._done)

    def _done(self, future: asyncio.Future[Any]) -> None:
        pseudothread = self._pseudothread
        if pseudothread is not None and pseudothread.waits_for is self:
            pseudothread.trampoline._arouse()  # type: ignore[attr-defined]
            self._arrived(pseudothread, future)

    def _arrived(self, pseudothread: Pseudothread, future: asyncio.Future[Any]) -> None:
        failure: BaseException | None = None
        value = None
        try:
            value = future.result()
        except BaseException as raised:
            failure = raised
            set_traceback(failure, without_ours(get_traceback(raised)))
        error, self.error, self._pseudothread = self.error, None, None
        if error is not None and (isinstance(failure, CancelledError) or failure is None and not isinstance(error, CancelledError)):
            failure = error
        if self._asked and not future.cancelled():
            self._give_back(future)
        if failure is None:
            pseudothread.resume(value)
        else:
            pseudothread.throw(failure)

    def _give_back(self, future: asyncio.Future[Any]) -> None:
        """It swallowed what cancelled it: where it called `uncancel()`, the tasks that asked for it are not being cancelled any more."""
        asked, self._asked = self._asked, []
        if hasattr(future, "cancelling"):  # CPython 3.11
            for task in asked[future.cancelling() :]:  # pyright: ignore[reportAttributeAccessIssue]
                task.uncancel()  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<await {describe(self._coroutine if self._future is None else self._future)}>"


def _wrong(future: asyncio.Future[Any], guest: Guest) -> RuntimeError | None:
    """Return why `future` cannot be waited for, if it cannot."""
    loop = future.get_loop()
    if loop is not guest._of_asyncio:
        return RuntimeError(
            f"cannot wait for {describe(future)}: it belongs to another loop, {describe(loop)}. Wait for it there, "
            "or submit it by asyncio.run_coroutine_threadsafe() and yield what that returns"
        )
    if future is guest._task:
        return RuntimeError(f"cannot wait for {describe(future)}: it is the task that awaits this aio.run(), and would wait for itself")
    return None


own_codes.add(Awaited._arrived.__code__)
