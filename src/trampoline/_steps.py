"""What is one step to all other threads, without the lock of the interpreter, too, and where much of the standard library is in Python."""

from __future__ import annotations

import os
import sys
from _thread import RLock
from functools import wraps

from trampoline._base import FREE_THREADED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Method = TypeVar("Method", bound=Callable[..., Any])
    T = TypeVar("T")


BY_THE_LINE = sys.implementation.name == "cpython" and not FREE_THREADED  # whether others have their turn at calls and jumps back alone


def lock_of_steps() -> RLock | None:
    """Return the lock that a class with such methods keeps as `_lock`: None where that of the interpreter does it.

    In PyPy it does not: `heapq` is in Python there.
    """
    return None if BY_THE_LINE else RLock()


def in_one_step(method: Method) -> Method:
    """Have a method hold the object's `_lock`, where that of the interpreter does not do."""
    if BY_THE_LINE:
        return method

    @wraps(method)
    def locked(self: Any, *args: Any) -> Any:
        with self._lock:
            return method(self, *args)

    return locked  # type: ignore[return-value]


def take_out(entries: list[T], entry: T) -> bool:
    """Take that very entry out of a list to which all others only append, or do this. Return whether it stood there."""
    with _one_at_a_time[0]:
        for index, other in enumerate(entries):
            if other is entry:
                del entries[index]
                return True
    return False


def _after_fork() -> None:
    _one_at_a_time[0] = RLock()


_one_at_a_time = [RLock()]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
