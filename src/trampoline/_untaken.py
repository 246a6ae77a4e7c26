"""What becomes of pseudothreads that are not joined, or cannot be: what reports an error that nobody took, and what refuses a join."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from trampoline._base import Suspension, TailCall, describe
from trampoline._errors import get_traceback
from trampoline._waited import cannot_join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from trampoline._core import core


class _Refused(Suspension):
    __slots__ = ("_error",)

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        raise self._error


def refused(got: Any, trampoline: object) -> Suspension:
    """Return what raises the error for `got`, a pseudothread or a `spawn()` of the other core, at the yield."""
    if hasattr(got, "waits_for"):
        return _Refused(cannot_join(None, got))
    return _Refused(RuntimeError(f"{describe(got)} was made with the other core, not with that of {trampoline!r}: take its own spawn()"))


def not_that_none() -> Suspension:
    """Return what raises the error for what is awaited and yields None, as `asyncio.sleep(0)` does: a round of asyncio's loop."""
    hint = "asyncio.sleep(0) asks its loop for a round by that: `await trampoline.sleep(0)`, or run it by `await trampoline.aio.run(...)`"
    return _Refused(TypeError(f"what an `async def` awaited yielded None, which is no result of its own here: {hint}"))


def not_raised(tail_call: TailCall) -> Suspension:
    """Return what raises the error for a tail call that was yielded."""
    return _Refused(TypeError(f"{describe(tail_call)} was yielded, but is to be raised: it takes the place of who raises it"))


def not_in_asyncio(future: Any) -> Suspension:
    """Return what raises the error for a future of asyncio that is awaited, where no loop of asyncio waits for it."""
    future._asyncio_future_blocking = False
    where = "was awaited under a trampoline that asyncio does not know of"
    return _Refused(RuntimeError(f"{describe(future)} {where}: run it by `await trampoline.aio.run(...)`"))


class Untaken:
    """What a spawned pseudothread keeps with an error that nobody has taken: let go with it, it reports that."""

    __slots__ = ("_added", "_error", "_name")

    def __init__(self, pseudothread: core.Pseudothread[Any]) -> None:
        self._error: BaseException | None = None
        self._name, self._added = pseudothread.name, pseudothread.added
        self._error = pseudothread._error

    def taken(self) -> None:
        self._error = None

    def __del__(self) -> None:
        error, self._error = self._error, None
        if error is None:
            return
        where = "" if self._added is None else f", spawned at {self._added[0]}:{self._added[1]}"
        text = f"Nobody joined pseudothread {self._name!r}{where}, which failed"
        hook = sys.unraisablehook
        if hook is not sys.__unraisablehook__:
            told: Any = SimpleNamespace(
                exc_type=type(error), exc_value=error, exc_traceback=get_traceback(error), err_msg=text, object=None
            )
            hook(told)
        elif sys.stderr is not None:  # Python's own takes nothing but what Python itself made
            from traceback import format_exception

            sys.stderr.write(f"{text}:\n" + "".join(format_exception(type(error), error, get_traceback(error))))
