"""What is one step to all other threads, without the lock of the interpreter, too."""

from __future__ import annotations

import os
from _thread import RLock
from functools import wraps

from trampoline._base import FREE_THREADED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Method = TypeVar("Method", bound=Callable[..., Any])
    T = TypeVar("T")


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


def take_out(entries: list[T], entry: T) -> bool:
    """Take an entry out of a list, if it is there. Return whether it was. `remove()` of CPython 3.13t looks and takes out in two steps."""
    with _one_at_a_time[0]:
        if entry not in entries:
            return False
        entries.remove(entry)
        return True


def _after_fork() -> None:
    _one_at_a_time[0] = RLock()


_one_at_a_time = [RLock()]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
