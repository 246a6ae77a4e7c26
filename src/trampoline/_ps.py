"""`python -m trampoline ps PID`: who waits where in a process that was not prepared for the question.

The other process is attached to by `sys.remote_exec`, which CPython has from 3.14 on. It runs a few lines that write a file, at the next
line of Python that its main thread comes to.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_REFUSED = 2  # exit status
_ASKED = """
import os, sys
__name__ = "trampoline._stacks"  # which leaves itself out of the functions that it tells of
def ask():
    try:
        if "trampoline" in sys.modules:
            from trampoline._stacks import told_all
            text = told_all({locals})
        else:
            text = "no trampoline was imported there\\n"
    except BaseException as error:
        text = f"the stacks cannot be told: {{type(error).__name__}}: {{error}}\\n"
    with open({answer!r} + ".part", "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    os.replace({answer!r} + ".part", {answer!r})
ask()
"""


def ps(number: int, *, locals: bool = False, seconds: float = 5.0, nudge: bool = False) -> int:
    """Print the stacks of all trampolines of the process `number`. Return the exit status: 2 if it cannot be asked or does not answer.

    A process that only waits runs no line of Python: `nudge` stops it for a moment (SIGSTOP, then SIGCONT), which ends a wait by epoll, but
    not what goes on after a stop (a sleep, a read, a lock).
    """
    ask: Callable[[int, str], None] | None = getattr(sys, "remote_exec", None)
    if ask is None:
        return _refuse(
            f"Python {sys.version.split()[0]} cannot attach to another process: that takes CPython 3.14, here and there. "
            "Without it, call trampoline.dump_on_signal() in the program, and then: kill -USR1 PID"
        )
    with tempfile.TemporaryDirectory(prefix="trampoline-ps-") as folder:
        os.chmod(folder, 0o711)  # the other may be of another user, if we are root
        answer, script = Path(folder, "answer"), Path(folder, "ask.py")
        script.write_text(_ASKED.format(locals=locals, answer=str(answer)), encoding="utf-8")
        try:
            if os.name == "posix":
                os.kill(number, 0)  # whether there is such a process, and whether it is ours
            _give(folder, number)
            ask(number, str(script))
        except ProcessLookupError:
            return _refuse(f"there is no process {number}")
        except (OSError, RuntimeError, ValueError) as error:
            return _refuse(
                f"cannot attach to process {number}: {error}. It must be of CPython {sys.version_info[0]}.{sys.version_info[1]}, of your "
                "user (or be root), and started without PYTHON_DISABLE_REMOTE_DEBUG"
            )
        if nudge and hasattr(signal, "SIGSTOP"):
            os.kill(number, signal.SIGSTOP)
            try:
                time.sleep(0.05)  # until it has stopped: else the one takes back the other
            finally:
                os.kill(number, signal.SIGCONT)
        end = time.monotonic() + seconds
        while not answer.exists():
            if time.monotonic() > end:
                instead = "--nudge stops it for a moment, which ends a wait by epoll; " * (not nudge)
                return _refuse(
                    f"process {number} did not come to a line of Python within {seconds:g} s: it waits, or is in a long call of C, as a "
                    f"time.sleep() or the recv() of a blocking socket in a coroutine is. {instead}--seconds waits longer; "
                    "trampoline.dump_on_signal(), where the program calls it, shows such a wait, too"
                )
            time.sleep(0.02)
        sys.stdout.write(answer.read_text(encoding="utf-8"))
    return 0


def _give(folder: str, number: int) -> None:
    """Have the user of the process own the folder, to write the answer there. Linux, and root, for others have only their own."""
    with contextlib.suppress(OSError):
        owner = os.stat(f"/proc/{number}").st_uid
        if owner != os.geteuid():
            os.chown(folder, owner, -1)


def _refuse(why: str) -> int:
    print(f"python -m trampoline ps: {why}", file=sys.stderr)
    return _REFUSED
