"""Methods that are one step to all other threads."""

from __future__ import annotations

from _thread import RLock
from functools import wraps

from trampoline._base import FREE_THREADED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Method = TypeVar("Method", bound=Callable[..., Any])


def lock_of_steps() -> RLock | None:
    """Return the lock that a class with such methods keeps as `_lock`: None where that of the interpreter does it."""
    return RLock() if FREE_THREADED else None


def in_one_step(method: Method) -> Method:
    """Have a method hold the object's `_lock`, where there is no lock of the interpreter."""
    if not FREE_THREADED:
        return method

    @wraps(method)
    def locked(self: Any, *args: Any) -> Any:
        with self._lock:
            return method(self, *args)

    return locked  # type: ignore[return-value]
