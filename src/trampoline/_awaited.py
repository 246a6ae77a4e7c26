"""The border between a trampoline and the asyncio loop that it is a guest in, both ways.

`Awaited` is a suspension: a pseudothread waits for a future, or for a task that runs what is asyncio's. `Bridge` is the coroutine of that
task. What it awaits goes to the task as it is, if that is a future; what is the trampoline's it runs as a pseudothread, and gives the task
an `Outcome`, a future, to wait for. Cancelling goes over the border as asyncio's own does from a task to what that awaits: whoever is
cancelled cancels what it waits for, and goes on when that has ended.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import CancelledError
from collections.abc import Coroutine
from contextvars import copy_context
from types import CodeType

from trampoline._base import VALUE, Suspension, describe, meaning_of, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from contextvars import Context
    from types import TracebackType
    from typing import Any, TypeAlias

    from trampoline._core import core
    from trampoline._guest import Guest

    Pseudothread: TypeAlias = core.Pseudothread[Any]

is_future = asyncio.isfuture


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
        try:
            value = future.result()
        except BaseException as raised:
            failure = raised
            failure.__traceback__ = _without_ours(raised.__traceback__)
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
            for task in asked[future.cancelling() :]:
                task.uncancel()  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<await {describe(self._coroutine if self._future is None else self._future)}>"


class Bridge(Coroutine):  # type: ignore[type-arg]
    """The coroutine of a task: `coroutine`, with what that awaits of the trampoline's in the form of futures."""

    __slots__ = ("_awaited", "_coroutine", "_guest", "_outcome")

    def __init__(self, coroutine: Any, guest: Guest, awaited: Awaited) -> None:
        self._coroutine, self._guest, self._awaited = coroutine, guest, awaited
        self._outcome: Outcome | None = None

    def send(self, value: Any) -> Any:
        """Go on with `coroutine` until it waits."""
        outcome, self._outcome = self._outcome, None
        try:
            got = self._coroutine.send(value if outcome is None else outcome.result())
        except BaseException:
            self._awaited.ends()
            raise
        return got if got is None or is_future(got) else self._translated(got)

    def throw(self, *error: Any) -> Any:
        """Raise an error where `coroutine` waits."""
        self._outcome = None
        try:
            got = self._coroutine.throw(*error)
        except BaseException:
            self._awaited.ends()
            raise
        return got if got is None or is_future(got) else self._translated(got)

    def close(self) -> None:
        """Close `coroutine`."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise NotImplementedError("a task runs it")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)  # what asyncio asks, to tell of the task

    def _translated(self, got: Any) -> Any:
        if meaning_of(got) == VALUE:
            return got  # the task says that it is no future
        outcome = self._outcome = Outcome(got, self._guest)
        outcome._asyncio_future_blocking = True
        return outcome


class Outcome(asyncio.Future):  # type: ignore[type-arg]
    """What a task waits for that is the trampoline's: it is run, or waited for, by a pseudothread."""

    def __init__(self, got: Any, guest: Guest) -> None:
        super().__init__(loop=guest._of_asyncio)
        self._guest = guest
        self._error: CancelledError | None = None
        self._task = asyncio.current_task(guest._of_asyncio)
        self._pseudothread = guest.add(self._of(got), name=name_of(got), context=_context_of(self._task))

    def cancel(self, msg: Any = None) -> bool:
        """Cancel what is waited for. It is done when that has ended."""
        if self.done():
            return False
        self._error = CancelledError() if msg is None else CancelledError(msg)
        self._guest._cancel(self._pseudothread, self._error, self._task)
        return True

    def _of(self, got: Any) -> Generator[Any, Any, None]:
        try:
            value = yield (got, got := None)[0]
        except GeneratorExit:
            super().cancel()
            raise
        except CancelledError as error:
            super().cancel(*error.args[:1])
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            self.set_exception(RuntimeError("coroutine raised StopIteration") if isinstance(error, StopIteration) else error)
        else:
            if self._error is not None and self._guest._spare(self._pseudothread, self._error):  # it never waited
                super().cancel(*self._error.args)
            else:
                self.set_result(value)


def within(coroutine: Any) -> Generator[Any, Any, Any]:
    """Return a generator that calls `coroutine`: a root is the trampoline's."""
    try:
        return (yield (coroutine, coroutine := None)[0])
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this frame, from CPython 3.11 on
        raise


async def awaiting(awaitable: Any) -> Any:
    """Await what has an `__await__` and is no coroutine."""
    return await awaitable


def _context_of(task: asyncio.Task[Any] | None) -> Context:
    """Return the context in which `task` runs; before CPython 3.12 a copy of it."""
    return copy_context() if task is None or sys.version_info < (3, 12) else task.get_context()


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


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_frame.f_code in _own_codes:
        traceback = traceback.tb_next
    return traceback


_own_codes: set[CodeType] = {function.__code__ for function in (Awaited._arrived, Bridge.send, Bridge.throw, awaiting)}
