"""What an error has, for both cores, and what one is made of."""

from __future__ import annotations

from types import TracebackType

from trampoline._base import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Past its class: a frozen dataclass refuses attributes, and others define one of such a name.
get_traceback: Callable[[BaseException], TracebackType | None] = vars(BaseException)["__traceback__"].__get__
set_traceback: Callable[[BaseException, TracebackType | None], BaseException] = BaseException.with_traceback
get_context: Callable[[BaseException], BaseException | None] = vars(BaseException)["__context__"].__get__
set_context: Callable[[BaseException, BaseException | None], None] = vars(BaseException)["__context__"].__set__


def without_frames(error: BaseException, frames: int = 1) -> BaseException:
    """Cut so many entries off the front of the traceback of `error`, which is returned. Where there was no memory for them it has fewer."""
    traceback = get_traceback(error)
    for _ in range(frames):
        traceback = traceback and traceback.tb_next
    return set_traceback(error, traceback)


def exception_of(where: str, kind: Any, value: Any = None, traceback: Any = None) -> BaseException:
    """Return the instance that `kind, value, traceback` mean, as in a generator's `throw()`."""
    if isinstance(kind, BaseException):
        if value is not None:
            raise TypeError(f"{where} takes no second value with an exception that is an instance already: {describe(value)}")
        error = kind
    elif not isinstance(kind, type) or not issubclass(kind, BaseException):
        raise TypeError(f"{where} takes an exception, or a class of them, not {describe(kind)}")
    elif isinstance(value, kind):
        error = value
    else:
        error = kind() if value is None else kind(*value) if isinstance(value, tuple) else kind(value)
        if not isinstance(error, BaseException):
            raise TypeError(f"{where} takes an exception, but {describe(kind)} makes {describe(error)}")
    if traceback is None:
        return error
    if not isinstance(traceback, TracebackType):
        raise TypeError(f"{where} takes a traceback as the third part of an error, not {describe(traceback)}")
    return set_traceback(error, traceback)
