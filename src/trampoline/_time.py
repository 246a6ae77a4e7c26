"""Time: to sleep, and to wait no longer than so long. Seconds are those of the trampoline's clock."""

from __future__ import annotations

from math import inf
from types import CoroutineType, coroutine

from trampoline._base import VALUE, Suspension, describe, is_coroutine, meaning_of, no_coroutine, not_yielded, resumed

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
        self._pseudothread: core.Pseudothread[Any] | None = None

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        earlier = self._pseudothread
        if earlier is not None:
            if earlier is not pseudothread and earlier.waits_for is self:
                raise RuntimeError(f"another pseudothread waits for this {self!r} already: make one for each wait")
            self.withdraw(earlier)  # it was resumed before its time
        self._pseudothread = pseudothread
        if not self.seconds:
            resumed(pseudothread, self)
        elif self.seconds != inf:
            reactor = pseudothread.trampoline.reactor
            self._deadline = reactor.at(reactor.clock() + self.seconds, self._ready)
            if pseudothread.waits_for is not self:
                self.withdraw(pseudothread)  # again: another thread, or a signal handler, has thrown into it before there was a deadline

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> None:
        if self._deadline is not None:
            pseudothread.trampoline.reactor.cancel(self._deadline)
        self._deadline = self._pseudothread = None

    def _ready(self) -> None:
        if self._pseudothread is not None:
            resumed(self._pseudothread, self)
        self._deadline = self._pseudothread = None  # last: where Ctrl-C strikes before, this is called again

    def __repr__(self) -> str:
        return f"sleep({self.seconds!r})"

    if TYPE_CHECKING:

        def __iter__(self) -> Generator[Any, Any, None]: ...

        __await__ = __iter__


class _Expired(BaseException):
    """What unwinds a coroutine whose time is up. No GeneratorExit: at a `yield from` that would close the callee, not go through it."""


class _Limit(Suspension):
    """To yield it sets a deadline for whoever yields it; it goes on at once."""

    __slots__ = ("_deadline", "_pseudothread", "_reactor", "error", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.error: _Expired | None = None  # when the time is up
        self._deadline: Deadline | None = None
        self._pseudothread: core.Pseudothread[Any] | None = None

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        self._pseudothread = pseudothread
        if not self.seconds:
            self._ready()
        elif self.seconds != inf:
            reactor = self._reactor = pseudothread.trampoline.reactor
            self._deadline = reactor.at(reactor.clock() + self.seconds, self._ready)
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
            self._reactor.cancel(deadline)
        return error is not None and pseudothread is not None and not pseudothread.trampoline._spare(pseudothread, error)

    def __repr__(self) -> str:
        return f"timeout({self.seconds!r}, ...)"


if TYPE_CHECKING:

    def timeout(seconds: float, coroutine: AnyCoroutine[T] | Suspension) -> Called[T]:
        """Call a coroutine, but no longer than so long."""
        raise NotImplementedError
else:

    def timeout(seconds, coroutine):
        """Call `coroutine`, or wait for what can be, but no longer than `seconds`: `data = yield timeout(5, nonblocking_read(sock))`.

        When the time is up, the coroutine is unwound where it waits, or as soon as it waits next: its `finally` blocks run (and may wait
        themselves), and then TimeoutError is raised in the caller. What it waited for either happened, and is given to it first, or did not
        happen: no data is read and then lost. A coroutine that never waits is never interrupted; one that swallows what unwinds it (a
        BaseException) goes on, and when it ends the caller gets the TimeoutError all the same. With 0 seconds it must not wait at all;
        `math.inf` is no limit. To be yielded, awaited or yielded from.

        TypeError if it is no coroutine or `seconds` no number, ValueError if that is negative or nan.
        """
        if meaning_of(coroutine) == VALUE:
            if isinstance(seconds, Suspension) or is_coroutine(seconds):
                raise TypeError(f"timeout() takes the seconds first: write timeout({describe(coroutine)}, {describe(seconds)})")
            raise no_coroutine("timeout()", coroutine)
        return _limited(_Limit(_checked("timeout()", seconds)), coroutine)


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


def _checked(where: str, seconds: float) -> float:
    try:
        known = float(seconds) if hasattr(type(seconds), "__float__") or hasattr(type(seconds), "__index__") else None  # of no text
    except OverflowError:
        known = inf if seconds > 0 else -inf
    except (TypeError, ValueError):
        known = None
    if known is None:
        raise TypeError(f"{where} takes a number of seconds, not {describe(seconds)}{not_yielded(seconds)}")
    if not known >= 0:
        raise ValueError(f"{where} takes a number of seconds from 0 on, not {describe(seconds)}: write max(0, ...) where it is computed")
    return known
