"""`python -m trampoline`: say what is installed, and run the sub-commands."""

from __future__ import annotations

import argparse
import errno
import os
import platform
import sys

from trampoline import __version__
from trampoline._core import accelerated, reason

_SUBCOMMANDS = (
    "demo      walk the standard library's syntax trees and an expression nested 100,000 deep, beside PEP 342's recipe",
    "profile   run a script or a module and say which coroutine, called by which, spends or waits the time",
    "ps PID    print who waits where in another process (CPython 3.14)",
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line `arguments` and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["profile"]:  # what follows the script is the script's own
        from trampoline._profile_command import profile

        return profile(arguments[1:])
    parser = argparse.ArgumentParser(
        prog="python -m trampoline",
        description="Without a sub-command: say which version, which core and which Python this is.",
    )
    parser.add_argument("--version", action="version", version=f"ctrampoline {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo_parser = commands.add_parser("demo", help="show what it does on real input, beside PEP 342's recipe")
    demo_parser.add_argument("--files", type=_positive, metavar="N", help="walk only the first N files")
    ps_parser = commands.add_parser("ps", help="print who waits where in another process (CPython 3.14)")
    ps_parser.add_argument("pid", type=_positive, metavar="PID", help="the process's number")
    ps_parser.add_argument("--locals", action="store_true", help="print the variables, too")
    ps_parser.add_argument("--seconds", type=float, default=5.0, metavar="N", help="wait so long for the answer (default: 5)")
    ps_parser.add_argument("--nudge", action="store_true", help="stop it for a moment, which ends a wait by epoll (a shell may say so)")
    commands.add_parser("profile", add_help=False, help="profile a script or a module as it runs")
    chosen = parser.parse_args(arguments)
    if chosen.command == "demo":
        from trampoline._demo import demo

        return demo(chosen.files)
    if chosen.command == "ps":
        from trampoline._ps import ps

        return ps(chosen.pid, locals=chosen.locals, seconds=chosen.seconds, nudge=chosen.nudge)
    print(f"ctrampoline {__version__}")
    slower = " (slower)" if platform.python_implementation() == "CPython" else ""
    print(f"core: {'C' if accelerated else f'Python{slower}'}, accelerated = {accelerated}: {reason}")
    print(f"Python: {platform.python_implementation()} {platform.python_version()} on {platform.platform()}")
    print("sub-commands (each with --help):", *_SUBCOMMANDS, sep="\n  ")
    return 0


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 on, not {text!r}")
    return number


def _until_the_pipe_breaks() -> int:
    """Run the command line, and end quietly when nobody reads what it says any more: the documentation of `signal`, "Note on SIGPIPE"."""
    stdout = sys.stdout
    if stdout is None or sys.argv[1:2] == ["profile"]:  # which does so itself: an error of its program is the program's own
        return main()
    try:
        try:
            return main()
        finally:
            stdout.flush()
    except OSError as error:
        if error.errno != (errno.EINVAL if os.name == "nt" else errno.EPIPE):  # so Windows calls it
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(_until_the_pipe_breaks())
