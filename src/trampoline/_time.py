"""Time: to sleep, and to wait no longer than so long. Seconds are those of the trampoline's clock."""

from __future__ import annotations

from types import CoroutineType, GeneratorType

from trampoline._base import VALUE, Suspension, describe, is_coroutine, meaning_of, named, no_coroutine
from trampoline._core import core
from trampoline._errors import without_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeVar

    from trampoline._base import AnyCoroutine, Called

    T = TypeVar("T")

sleep, Limit = core.sleep, core.Limit
_PLAIN = Suspension, GeneratorType, CoroutineType  # what need not be looked at any closer


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
        if not isinstance(coroutine, _PLAIN) and meaning_of(coroutine) == VALUE:
            if isinstance(seconds, Suspension) or is_coroutine(seconds):
                raise TypeError(f"timeout() takes the seconds first: write timeout({describe(coroutine)}, {describe(seconds)})")
            raise no_coroutine("timeout()", coroutine)
        return _timeout(Limit(seconds), coroutine)


def _limited(limit: core.Limit, waits: Any) -> Generator[Any, Any, Any]:
    value = None
    try:
        yield limit
        value = yield (waits, waits := None)[0]
    except BaseException as error:
        if type(waits) is CoroutineType:  # never called: Python would warn of it
            waits.close()
        if not limit.lift(error):  # that of another timeout() around this one, say
            without_frames(error)  # without this frame, from CPython 3.11 on
            raise
    else:
        if not limit.lift():
            return value
    value = None
    try:
        raise TimeoutError(limit)  # which tells the seconds, if somebody asks
    except TimeoutError as late:
        late.__traceback__ = None
        raise


_timeout = named("timeout", _limited)
