"""Inside asyncio: the coroutine of a task that runs what is asyncio's, and may await what is the trampoline's.

What it awaits goes to the task as it is, if that is a future. What is the trampoline's is run as a pseudothread, and the task waits for an
`Outcome`, a future. Cancelling goes over this border as asyncio's own does from a task to what that awaits: whoever is cancelled cancels
what it waits for, and goes on when that has ended.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import CancelledError
from collections.abc import Coroutine
from contextvars import copy_context
from types import CodeType

from trampoline._base import VALUE, end_of_call, meaning_of, name_of
from trampoline._errors import without_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from contextvars import Context
    from types import TracebackType
    from typing import Any

    from trampoline._awaited import Awaited
    from trampoline._guest import Guest

is_future = asyncio.isfuture


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
        end_of_call(self._coroutine)
        try:
            got = self._coroutine.throw(*error)
        except BaseException:
            self._awaited.ends()
            raise
        return got if got is None or is_future(got) else self._translated(got)

    def close(self) -> None:
        """Close `coroutine`."""
        self._coroutine.close()

    def __await__(self) -> Any:
        return self  # for a task factory that has it awaited by a coroutine of its own

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.send(None)

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
            without_frames(error)
            self.set_exception(RuntimeError("coroutine raised StopIteration") if isinstance(error, StopIteration) else error)
        else:
            if self._error is not None and self._guest._spare(self._pseudothread, self._error):  # it never waited
                super().cancel(*self._error.args)
            else:
                self.set_result(value)


def within(coroutine: Any, guest: Guest | None = None) -> Generator[Any, Any, Any]:
    """Return a generator that calls `coroutine`, for a root is the trampoline's. At its end, by `close()` too, `guest` wakes."""
    try:
        return (yield (coroutine, coroutine := None)[0])
    except BaseException as error:
        without_frames(error)  # without this frame, from CPython 3.11 on
        raise
    finally:
        if guest is not None:
            guest._arouse()


async def awaiting(awaitable: Any) -> Any:
    """Await what has an `__await__` and is no coroutine."""
    return await awaitable


def _context_of(task: asyncio.Task[Any] | None) -> Context:
    """Return the context in which `task` runs; before CPython 3.12 a copy of it."""
    return copy_context() if task is None or sys.version_info < (3, 12) else task.get_context()  # type: ignore[attr-defined]


def without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """Cut the frames of ours off the front of a traceback."""
    while traceback is not None and traceback.tb_frame.f_code in own_codes:
        traceback = traceback.tb_next
    return traceback


own_codes: set[CodeType] = {function.__code__ for function in (Bridge.send, Bridge.throw, awaiting, within)}
