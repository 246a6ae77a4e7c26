"""Frames of coroutines that another thread may run at this moment.

CPython 3.11 may collect garbage in the midst of making the object of a frame, or the dict of its variables. Whatever line of Python
runs then (a finalizer, one of gc.callbacks) lets the other thread go on, the frame ends meanwhile, and the object points at what is no
more: a crash. Since 3.12 garbage is collected between two instructions only, and in 3.10 a frame is an object from its beginning.
"""

from __future__ import annotations

import gc
import os
import sys
from _thread import RLock  # `threading` would take its time at each import of this package
from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, TypeVar

    T = TypeVar("T")


def _plainly(ask: Callable[..., T], *args: Any) -> T:
    return ask(*args)


def _uncollected(ask: Callable[..., T], *args: Any) -> T:
    """Call `ask`, which is written in C, while no garbage is collected."""
    with _one_at_a_time[0]:
        collects = gc.isenabled()
        try:
            gc.disable()
            return ask(*args)
        finally:
            if collects:
                gc.enable()


def _after_fork() -> None:
    _one_at_a_time[0] = RLock()


_one_at_a_time = [RLock()]  # one lock, and another in the child of a fork; a signal's handler may look while its thread does
_asked = _plainly
if sys.version_info[:2] == (3, 11) and sys.implementation.name == "cpython":
    _asked = _uncollected
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)

_caller: Callable[[FrameType], FrameType | None] = attrgetter("f_back")
_variables: Callable[[FrameType], dict[str, Any]] = attrgetter("f_locals")


def frame_of(coroutine: object, attribute: str) -> FrameType | None:
    """Return the frame of `coroutine`, which it has as `attribute`, or None."""
    try:
        frame: FrameType | None = _asked(getattr, coroutine, attribute, None)
        return frame
    except Exception:  # a class of the user's that has no answer
        return None


def frame_of_thread(thread: int) -> FrameType | None:
    """Return the innermost frame of a thread, None if there is no such thread."""
    return _asked(sys._current_frames).get(thread)


def caller_of(frame: FrameType) -> FrameType | None:
    """Return the frame that called `frame`."""
    return _asked(_caller, frame)


def variables_of(frame: FrameType) -> list[tuple[str, Any]]:
    """Return the names of the local variables, and what they hold now."""
    return list(_asked(_variables, frame).items())
