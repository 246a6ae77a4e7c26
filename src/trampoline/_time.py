"""Time: to sleep, and to wait no longer than so long. Seconds are those of the trampoline's clock."""

from __future__ import annotations

from math import inf
from types import coroutine

from trampoline._base import Suspension, describe, is_coroutine, no_coroutine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeVar

    from trampoline._base import AnyCoroutine, Called
    from trampoline._core import core
    from trampoline._reactor import Deadline

    T = TypeVar("T")


class sleep(Suspension):
    """Wait for `seconds`: `yield sleep(0.5)`. With 0 all others that are queued have a turn; with `math.inf` it never ends.

    TypeError if it is no number, ValueError if it is negative or no number of seconds (nan).
    """

    __slots__ = ("_deadline", "_pseudothread", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = _checked("sleep()", seconds)
        self._deadline: Deadline | None = None

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        if not self.seconds:
            pseudothread.resume()
        elif self.seconds != inf:
            reactor = pseudothread.trampoline.reactor
            self._pseudothread = pseudothread
            self._deadline = reactor.at(reactor.clock() + self.seconds, self._ready)

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> None:
        if self._deadline is not None:
            pseudothread.trampoline.reactor.cancel(self._deadline)

    def _ready(self) -> None:
        if self._pseudothread.waits_for is self:
            self._pseudothread.resume()

    def __repr__(self) -> str:
        return f"sleep({self.seconds!r})"

    if TYPE_CHECKING:

        def __iter__(self) -> Generator[Any, Any, None]: ...

        __await__ = __iter__


class _Expired(BaseException):
    """What unwinds a coroutine whose time is up. No GeneratorExit: at a `yield from` that would close the callee, not go through it."""


class _Limit(Suspension):
    """To yield it sets a deadline for whoever yields it; it goes on at once."""

    __slots__ = ("_deadline", "_pseudothread", "error", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.error: _Expired | None = None  # when the time is up
        self._deadline: Deadline | None = None

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        self._pseudothread = pseudothread
        if not self.seconds:
            self._ready()
        elif self.seconds != inf:
            reactor = pseudothread.trampoline.reactor
            self._deadline = reactor.at(reactor.clock() + self.seconds, self._ready)
        pseudothread.resume()

    def _ready(self) -> None:
        self.error = _Expired(f"the {self.seconds!r} seconds are up")
        self._pseudothread.trampoline._interrupt(self._pseudothread, self.error, unless=self)

    def lift(self) -> bool:
        """Return whether the time was up and the coroutine was told so."""
        trampoline = self._pseudothread.trampoline
        if self._deadline is not None:
            trampoline.reactor.cancel(self._deadline)
        return self.error is not None and not trampoline._spare(self._pseudothread, self.error)

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
            raise no_coroutine("timeout()", coroutine)
        return _limited(_Limit(_checked("timeout()", seconds)), coroutine)


@coroutine
def _limited(limit: _Limit, waits: Any) -> Generator[Any, Any, Any]:
    expired: BaseException | None = None
    value = None
    yield limit
    try:
        value = yield (waits, waits := None)[0]
    except _Expired as error:
        if error is not limit.error:  # that of another timeout() around this one
            raise
        expired = error
    finally:
        if limit.lift():
            expired = limit.error
    if expired is not None:
        expired.__traceback__ = expired.__context__ = None
        raise TimeoutError(f"the {limit.seconds!r} seconds of timeout() were up")
    return value


def _checked(where: str, seconds: float) -> float:
    try:
        known = float(seconds)
    except (TypeError, ValueError, OverflowError):
        known = None
    if known is None or isinstance(seconds, str):
        raise TypeError(f"{where} takes a number of seconds, not {describe(seconds)}")
    if not known >= 0:
        raise ValueError(f"{where} takes a number of seconds from 0 on, not {describe(seconds)}: write max(0, ...) where it is computed")
    return known
