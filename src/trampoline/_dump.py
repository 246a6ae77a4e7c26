"""dump_on_signal(): a process that is asked by a signal writes who waits where in all its trampolines."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading

from trampoline._base import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, TextIO

_NEVER = [getattr(signal, name) for name in ("SIGKILL", "SIGSTOP") if hasattr(signal, name)]


def dump_on_signal(number: int | None = None, file: TextIO | None = None, *, locals: bool = False, chain: bool = False) -> Any:
    """Have the stacks of all trampolines written to `file` (standard error) whenever the process gets the signal `number` (SIGUSR1).

    Works while `run()` waits, is busy, or is stuck in one coroutine, unless that is in a call that never comes back to Python. With
    `locals` the variables are told, too; with `chain` the handler that was there before is called after it. Return that handler, for
    `signal.signal(number, ...)` to put back. From the main thread only: RuntimeError elsewhere; ValueError for a signal that cannot be
    caught.
    """
    if number is None:
        number = getattr(signal, "SIGUSR1", None)
        if number is None:
            raise ValueError("there is no SIGUSR1 on this system: say which signal, dump_on_signal(signal.SIGBREAK) say")
    if file is not None and not hasattr(file, "write"):
        raise TypeError(f"dump_on_signal() takes a file that is open for text, not {describe(file)}")
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("dump_on_signal() is called in the main thread: only there signals can be given a handler")
    before = signal.getsignal(number) if chain else None

    def dump(number: int, frame: FrameType | None) -> None:
        from trampoline._stacks import told_all

        try:
            text = told_all(locals)
        except Exception as error:  # a handler must not end what it interrupts
            text = f"the stacks cannot be told: {describe(error)}\n"
        _write(sys.stderr if file is None else file, text)
        if callable(before):
            before(number, frame)

    try:
        if number in _NEVER:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))  # PyPy and Pyodide would take the handler, and never call it
        return signal.signal(number, dump)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"signal {describe(number)} cannot be caught: {error}. SIGUSR1 can, for instance") from None


def _write(file: TextIO, text: str) -> None:
    """Write at once: the handler may have interrupted a write to the same file, which must not be entered twice."""
    try:
        descriptor = file.fileno()
    except (AttributeError, OSError, ValueError):
        file.write(text)
        return
    left = text.encode(getattr(file, "encoding", None) or "utf-8", "backslashreplace")
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            return  # nobody reads: better nothing than to stand still
