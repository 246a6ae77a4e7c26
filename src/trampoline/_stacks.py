"""Who waits where: every pseudothread of a trampoline with its logical stack, for people and for programs.

All of it only reads, and so may be asked from another thread, from a signal handler, and while `run()` is busy or stuck in one coroutine.
Each answer is of one moment for each pseudothread, not for all of them together: the others go on meanwhile.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from contextlib import suppress
from typing import NamedTuple

from trampoline._base import describe, frames_of, name_of
from trampoline._core import core
from trampoline._frames import caller_of, frame_of_thread, variables_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType
    from typing import Any, TextIO

    from trampoline._trampoline import Layer

_MOST_COROUTINES = 20  # of one stack that are told at each end
_TIMES = 3  # the same place again and again is told so many times, as in a traceback


class Place(NamedTuple):
    """Where one coroutine, or one function that it called, stands."""

    file: str
    """The file's name, "" if the coroutine has no code of Python."""
    line: int
    """The line, from 1; 0 if it has no code of Python."""
    function: str
    """The qualified name of its function."""
    locals: dict[str, str] | None = None
    """The local variables and their reprs, each of at most 200 characters, if they were asked for."""


class Snapshot(NamedTuple):
    """What one pseudothread does at one moment."""

    name: str | None
    """What `add()` was given, or the name of its root's function."""
    state: str
    """'queued', 'running', 'parked' or 'ended' (it ended while it was looked at)."""
    age: float | None
    """Seconds since it was added, None if that is unknown."""
    added: tuple[str, int] | None
    """The file and the line where it was added, None if that is unknown."""
    waits_for: str | None
    """The repr of the suspension for which it is parked."""
    stack: tuple[Place, ...]
    """Where its coroutines stand, the root first; also those that one of them delegates to by `yield from` or `await`."""
    calls: tuple[Place, ...]
    """While it runs: the plain functions that its innermost coroutine is in, the outermost first."""


def pseudothreads_of(trampoline: Layer) -> list[core.Pseudothread[Any]]:
    """Return all pseudothreads that have not ended: the one whose turn it is, those in the queue, those parked."""
    found: dict[int, core.Pseudothread[Any]] = {}
    running = trampoline._turn
    queued: list[object] = []
    with suppress(Exception):  # a queue of the user's, which may be changed at this moment or not be iterable
        queued = list(trampoline.queue)
    entries: tuple[Any, ...] = (running, *queued, *trampoline._all_parked())
    for entry in entries:
        if type(entry) in _kinds() and not entry.done:
            found.setdefault(id(entry), entry)
    return list(found.values())


def _kinds() -> tuple[type, ...]:
    other = sys.modules.get("trampoline._pytrampoline")
    return (core.Pseudothread,) if other is None else (core.Pseudothread, other.Pseudothread)


def snapshot_of(pseudothread: core.Pseudothread[Any], with_locals: bool = False) -> Snapshot:
    """Say what it does now."""
    places, innermost = _places(pseudothread.stack, with_locals)
    return _shot(pseudothread, tuple(places), innermost, with_locals)


def _shot(pseudothread: core.Pseudothread[Any], places: tuple[Place, ...], innermost: FrameType | None, with_locals: bool) -> Snapshot:
    state, waits_for = pseudothread.state, pseudothread.waits_for
    calls = tuple(_calls(pseudothread, innermost, with_locals)) if state == "running" else ()
    waits = None if waits_for is None else describe(waits_for)
    return Snapshot(pseudothread.name, state, pseudothread.age, pseudothread.added, waits, places, calls)


def _places(coroutines: Iterable[object], with_locals: bool) -> tuple[list[Place], FrameType | None]:
    """Return where they stand, and the frame of the last, if it has one."""
    places: list[Place] = []
    innermost = None
    for coroutine in coroutines:
        count, innermost = len(places), None
        for code, innermost, name in frames_of(coroutine):
            line = innermost.f_lineno if innermost is not None else code.co_firstlineno
            places.append(_place(code.co_filename, line, name, innermost, with_locals))
        if len(places) == count:
            places.append(Place("", 0, name_of(coroutine)))
    return places, innermost


def _place(file: str, line: int, name: str, frame: FrameType | None, with_locals: bool) -> Place:
    variables = None
    if with_locals and frame is not None:
        variables = {variable: describe(value) for variable, value in variables_of(frame)}
    return Place(file, line, name, variables)


def _calls(pseudothread: core.Pseudothread[Any], innermost: FrameType | None, with_locals: bool) -> Iterator[Place]:
    """Give the plain functions that the coroutine of the frame `innermost`, which runs, is in."""
    frames: list[FrameType] = []
    frame = frame_of_thread(pseudothread.trampoline._thread or 0)
    while frame is not None and frame is not innermost:
        if frame.f_globals.get("__name__") == __name__:
            frames.clear()  # this module asks, in the same thread: what it does is not the coroutine's
        else:
            frames.append(frame)
        frame = caller_of(frame)
    if frame is None:
        return
    for frame in reversed(frames):
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        if not code.co_filename.startswith(_PACKAGE):
            yield _place(code.co_filename, frame.f_lineno, name, frame, with_locals)


_PACKAGE = __file__.rpartition("_stacks.")[0]


def described(pseudothread: core.Pseudothread[Any], with_locals: bool = False, with_age: bool = False) -> list[str]:
    """Return the lines that tell of one pseudothread: its name and state, and below that its coroutines, the root first."""
    stack = pseudothread.stack
    left_out = len(stack) - 2 * _MOST_COROUTINES
    first: list[Place] = []
    if left_out > _TIMES:
        first, _ = _places(stack[:_MOST_COROUTINES], with_locals)
        stack = stack[-_MOST_COROUTINES:]
    places, innermost = _places(stack, with_locals)
    shot = _shot(pseudothread, tuple(places), innermost, with_locals)
    waits = "" if shot.waits_for is None else f" for {shot.waits_for}"
    where = "" if shot.added is None else f", added at {shot.added[0]}:{shot.added[1]}"
    ago = "" if shot.age is None or not with_age else f" {_duration(shot.age)} ago"
    lines = [f"{shot.name}, {shot.state}{waits}{where}{ago}"]
    if first:
        lines += [*_lines(first), f"  ... {left_out:,} more coroutines"]
    lines += _lines(shot.stack)
    if shot.calls:
        lines += ["  in the functions", *_lines(shot.calls)]
    return lines


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def _lines(places: Iterable[Place]) -> Iterator[str]:
    """Give the lines. The same again and again is told three times and then counted."""
    last, again = None, 0
    for place in (*places, None):
        if place is not None and place == last and place.locals is None:
            again += 1
            if again >= _TIMES:
                continue
        else:
            if again >= _TIMES:
                yield f"  [the last line {again - _TIMES + 1:,} more times]"
            last, again = place, 0
        if place is not None:
            yield f'  File "{place.file}", line {place.line}, in {place.function}' if place.file else f"  in {place.function}"
            for name, text in (place.locals or {}).items():
                yield f"    {name} = {text}"


def told(trampoline: Layer, with_locals: bool = False) -> str:
    """Return the text of `print_stacks()`."""
    found = pseudothreads_of(trampoline)
    states = Counter(pseudothread.state for pseudothread in found)
    counts = ", ".join(f"{states[state]:,} {state}" for state in ("running", "queued", "parked") if states[state])
    thread = trampoline._thread
    names = {each.ident: each.name for each in threading.enumerate()}
    running = "not running" if thread is None else f"running in thread {names.get(thread, thread)!r}"
    many = "pseudothread" if len(found) == 1 else "pseudothreads"
    lines = [f"{describe(trampoline)}, {running}: {len(found):,} {many}" + (f" ({counts})" if counts else "")]
    for pseudothread in found:
        lines += described(pseudothread, with_locals, with_age=True)
    return "\n".join(lines) + "\n"


def told_all(with_locals: bool = False) -> str:
    """Return the text of all trampolines of the process that have pseudothreads."""
    trampolines: list[Any] = list(core._live())
    other = sys.modules.get("trampoline._pytrampoline")
    if other is not None and other is not core:
        trampolines += other._live()
    texts = [told(each, with_locals) for each in trampolines if each._thread is not None or pseudothreads_of(each)]
    return "\n".join(texts) or "no trampoline of this process has pseudothreads\n"


def print_stacks(trampoline: Layer, file: TextIO | None, with_locals: bool) -> None:
    """Write the text to `file`, standard error if it is None."""
    (sys.stderr if file is None else file).write(told(trampoline, with_locals))
