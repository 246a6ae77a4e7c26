"""Time: to sleep, and to wait no longer than so long. Seconds are those of the trampoline's clock."""

from __future__ import annotations

from math import inf
from types import CoroutineType, coroutine

from trampoline._base import Suspension, describe, is_coroutine, no_coroutine, resumed, seconds_of
from trampoline._core import core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeVar

    from trampoline._base import AnyCoroutine, Called

    T = TypeVar("T")

sleep = core.sleep


class _Expired(BaseException):
    """What unwinds a coroutine whose time is up. No GeneratorExit: at a `yield from` that would close the callee, not go through it."""


class _Limit(Suspension):
    """To yield it sets a deadline for whoever yields it; it goes on at once."""

    __slots__ = ("_deadline", "_keeper", "_pseudothread", "error", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.error: _Expired | None = None  # when the time is up
        self._deadline: Any = None
        self._pseudothread: core.Pseudothread[Any] | None = None

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        self._pseudothread = pseudothread
        if not self.seconds:
            self._ready()
        elif self.seconds != inf:
            keeper = self._keeper = pseudothread.trampoline._keeper
            self._deadline = keeper.at(keeper.clock() + self.seconds, self._ready)
            pseudothread.trampoline._limits += 1
        resumed(pseudothread, self)

    def _ready(self) -> None:
        if self._pseudothread is not None and self.error is None:
            self.error = _Expired(f"the {self.seconds!r} seconds are up")
            self._pseudothread.trampoline._interrupt(self._pseudothread, self.error, unless=self)

    def lift(self) -> bool:
        """Let go of all. Return whether the time was up and the coroutine was told so."""
        pseudothread, error, deadline = self._pseudothread, self.error, self._deadline
        self._pseudothread = self.error = self._deadline = None
        if deadline is not None and pseudothread is not None:
            pseudothread.trampoline._limits -= 1
            self._keeper.cancel(deadline)
        return error is not None and pseudothread is not None and not pseudothread.trampoline._spare(pseudothread, error)

    def __repr__(self) -> str:
        return f"timeout({self.seconds!r}, ...)"


if TYPE_CHECKING:

    def timeout(seconds: float, coroutine: AnyCoroutine[T] | Suspension) -> Called[T]:
        """Call a coroutine, but no longer than so long."""
        raise NotImplementedError
else:

    def timeout(seconds, coroutine):
        """Call `coroutine`, or wait for a suspension, but no longer than `seconds`: `data = yield timeout(5, nonblocking_read(sock))`.

        When the time is up, the coroutine is unwound where it waits, or as soon as it waits next: its `finally` blocks run (and may wait
        themselves), and then TimeoutError is raised in the caller. What it waited for either happened, and is given to it first, or did not
        happen: no data is read and then lost. A coroutine that never waits is never interrupted; one that swallows what unwinds it (a
        BaseException) goes on, and when it ends the caller gets the TimeoutError all the same. With 0 seconds it must not wait at all;
        `math.inf` is no limit. To be yielded, awaited or yielded from.

        TypeError if it is no coroutine or `seconds` no number, ValueError if that is negative or nan.
        """
        if not isinstance(coroutine, Suspension) and not is_coroutine(coroutine):
            if isinstance(seconds, Suspension) or is_coroutine(seconds):
                raise TypeError(f"timeout() takes the seconds first: write timeout({describe(coroutine)}, {describe(seconds)})")
            raise no_coroutine("timeout()", coroutine)
        return _limited(_Limit(seconds_of("timeout()", seconds)), coroutine)


@coroutine
def _limited(limit: _Limit, waits: Any) -> Generator[Any, Any, Any]:
    value = None
    try:
        yield limit
        value = yield (waits, waits := None)[0]
    except BaseException as error:
        if type(waits) is CoroutineType:  # never called: Python would warn of it
            waits.close()
        other = error is not limit.error  # that of another timeout() around this one, say
        expired = limit.lift()
        if other:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this frame, from CPython 3.11 on
            raise
    else:
        expired = limit.lift()
    if not expired:
        return value
    value = None
    try:
        raise TimeoutError(f"the {limit.seconds!r} seconds of timeout() were up")
    except TimeoutError as late:
        late.__traceback__ = None
        raise
