"""`python -m trampoline profile`: run a script or a module, and report what its coroutines did, as `python -m cProfile` does for functions.

The program is run as Python itself runs it: `__main__`, `sys.argv` and `sys.path` are its own, and so are its output, its traceback and its
exit status; the report comes last. Trampolines of all threads are measured; those that are not daemons are waited for, as Python does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from types import ModuleType

from trampoline import _profile_files
from trampoline._errors import get_traceback, set_traceback, without_frames
from trampoline._profile import ProfileOfThreads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_EVENTS = 200_000  # of a timeline, for each thread
_SORTS = ("cumulative", "self", "wait", "calls")


def profile(arguments: list[str]) -> int:
    """Do what the command line says. Return the exit status, or raise what ended the program, for Python to exit as the program does."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if not chosen.program:
        parser.error("name the script to run, or a module with -m")
    format = _format(parser, chosen)
    run = _module(parser, chosen.program) if chosen.module else _script(parser, chosen.program)
    measured = ProfileOfThreads(timeline=_EVENTS if format == "trace" else None)
    process, stdout = os.getpid(), sys.stdout
    output = chosen.output and os.path.abspath(chosen.output)  # the program may go to another folder
    measured.start()
    ended_by = _run(run)
    ended_by = _join_threads() or ended_by
    measured.stop()
    if os.getpid() == process or "%p" in (output or ""):  # a child that was forked, and ran to its end, says nothing of ours
        failed = _report(measured, chosen, format, output, stdout)
        if failed:
            print(f"python -m trampoline profile: {failed}", file=sys.stderr)
            if ended_by is None:
                return 1
    if ended_by is not None:
        raise ended_by
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trampoline profile",
        usage="%(prog)s [-o FILE] [--format FORMAT] [--sort KEY] [--limit N] (script.py | -m module) [arguments]",
        description="Run a program and say which coroutine, called by which, spends or waits the time.",
    )
    parser.add_argument(
        "-o",
        dest="output",
        metavar="FILE",
        help=f"write the profile to FILE, in the format of its suffix ({', '.join(_profile_files.SUFFIXES)}), instead of a report to "
        "stdout; %%p in it is the number of the process, and has forked children that run to the program's end write theirs too",
    )
    parser.add_argument("--format", choices=_profile_files.FORMATS, help="the format (default: that of the suffix; text without -o)")
    parser.add_argument("--sort", choices=_SORTS, default="cumulative", help="what the report is sorted by (default: cumulative)")
    parser.add_argument("--limit", type=_count, metavar="N", default=40, help="the most lines of tree and of table (default: 40; 0: all)")
    parser.add_argument("-m", dest="module", action="store_true", help="run a module, as python -m does")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="the script or module, and its own arguments")
    return parser


def _count(text: str) -> int | None:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a number of lines, 0 for all, not {text!r}")
    return int(text) or None


def _format(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> str:
    """Return the format. Ends with a message where the profile could not be written at the end."""
    if chosen.output is None:
        if chosen.format == "pstats":
            parser.error("pstats is a binary format: say with -o to which file it goes")
        return chosen.format or "text"
    folder = os.path.dirname(chosen.output)
    if os.path.isdir(chosen.output) or folder and not os.path.isdir(folder):
        parser.error(f"-o takes a file to write, and {chosen.output!r} is a folder or is in one that does not exist")
    try:
        return chosen.format or _profile_files.format_of(chosen.output)
    except ValueError as error:
        parser.error(f"{error}; or name it with --format")


def _script(parser: argparse.ArgumentParser, program: list[str]) -> Callable[[], None]:
    """Return what runs a script. Ends with a message if it cannot be read or compiled."""
    from importlib.machinery import SourceFileLoader

    path = program[0]
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        parser.error(f"cannot read the script {path!r}: {error.strerror}" + (" (-m runs a module)" if not path.endswith(".py") else ""))
    try:
        code = compile(source, os.path.abspath(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        _refuse(parser, error)
    sys.argv[:] = program
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    main = _new_main()
    main.__dict__.update(__file__=os.path.abspath(path), __cached__=None, __loader__=SourceFileLoader("__main__", os.path.abspath(path)))
    return lambda: exec(code, main.__dict__)


def _module(parser: argparse.ArgumentParser, program: list[str]) -> Callable[[], None]:
    """Return what runs a module, or the `__main__` of a package. Ends with a message if there is none of that name."""
    from importlib.util import find_spec

    name = program[0]
    try:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name += ".__main__"
            spec = find_spec(name)
        code: Any = spec.loader.get_code(name) if spec is not None else None  # type: ignore[union-attr]
    except SyntaxError as error:
        _refuse(parser, error)
    except (ImportError, ValueError, AttributeError) as error:
        parser.error(f"cannot run the module {program[0]!r}: {error}")
    if spec is None or code is None:
        parser.error(f"cannot run the module {program[0]!r}: there is no {name}" + (", or it is not in Python" if spec is not None else ""))
    sys.argv[:] = [spec.origin or name, *program[1:]]
    main = _new_main()
    main.__dict__.update(__file__=spec.origin, __cached__=spec.cached, __loader__=spec.loader, __package__=spec.parent, __spec__=spec)
    return lambda: exec(code, main.__dict__)


def _refuse(parser: argparse.ArgumentParser, error: Exception) -> NoReturn:
    """Show why a program cannot be compiled, as Python does, and end."""
    sys.excepthook(type(error), set_traceback(error, None), None)
    parser.exit(1)


def _new_main() -> ModuleType:
    main = sys.modules["__main__"] = ModuleType("__main__")
    return main


def _run(run: Callable[[], None]) -> BaseException | None:
    """Run the program. Return what ended it, which has been shown already as Python shows it, or None."""
    try:
        run()
    except SystemExit as error:
        return error  # whose message Python prints
    except BaseException as error:
        return _shown(without_frames(error, 2))  # this frame and that of the lambda
    return None


def _shown(error: BaseException) -> BaseException:
    try:
        sys.excepthook(type(error), error, get_traceback(error))
    finally:
        sys.excepthook = lambda *_: None  # it comes by once more, for the exit status
    return error


def _join_threads() -> BaseException | None:
    """Wait for the program's threads, as Python does before it exits. Return what interrupted that, or None."""
    try:
        while True:
            mine = threading.current_thread()
            left = [thread for thread in threading.enumerate() if thread is not mine and not thread.daemon]
            if not left:
                return None
            left[0].join()
    except BaseException as error:
        return _shown(error)


def _report(measured: ProfileOfThreads, chosen: argparse.Namespace, format: str, output: str | None, stdout: Any) -> Any:
    """Print or write the profile. Return what is wrong, or None."""
    file = _still_open(stdout)
    try:
        if output:
            measured.save(output.replace("%p", str(os.getpid())), format, sort=chosen.sort, limit=chosen.limit)
        elif format == "text":
            measured.print(chosen.sort, chosen.limit, file)
        else:
            file.write(measured._rendered(format, chosen.sort, chosen.limit).decode())
        file.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())  # as the documentation of `signal` has it
    except Exception as error:
        return f"cannot write the profile: {error}"
    return None


def _still_open(stdout: Any) -> Any:
    """Return where the report goes: `stdout`, whatever the program has put in its place, unless it has closed or detached that."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    try:
        return sys.stdout if stdout.closed else stdout
    except (AttributeError, ValueError):
        return sys.stdout
