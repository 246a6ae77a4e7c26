"""Tracebacks: what an error that leaves `run()` is told of itself, and which entries are the user's."""

from __future__ import annotations

import os

from trampoline._errors import get_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_OURS = os.path.dirname(__file__) + os.sep
_KEPT = 5000  # entries at each end of the traceback of an error that leaves run(): the `traceback` module takes 30 s to print a million


def users(traceback: TracebackType | None) -> TracebackType | None:
    """Return what is left of a traceback without the entries of this package's at its beginning."""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(_OURS) and not file.endswith((".pxi", ".pyx")):  # those of the C core, which has no absolute names
            break
        traceback = traceback.tb_next
    return traceback


def note_on(error: BaseException, name: str | None, added: tuple[str, int] | None) -> BaseException:
    """Note on an error that leaves `run()` whose it is, shorten a traceback that nobody could read, and return the error."""
    notes = [] if added is None else [f"in pseudothread {name!r}, added at {added[0]}:{added[1]}"]
    left_out = _shorten(get_traceback(error))
    if left_out:
        notes.append(f"the traceback is shortened: {left_out:,} calls in the middle are left out")
    try:
        for text in notes:
            error.add_note(text)  # type: ignore[attr-defined]
    except Exception:  # before CPython 3.11 there are no notes, and a class of the user's may refuse them
        pass
    return error


def _shorten(traceback: TracebackType | None) -> int:
    """Keep the first and the last _KEPT entries of a traceback. Return how many there were between."""
    entries = 0
    head = last = traceback
    while last is not None:
        entries += 1
        if entries == _KEPT:
            head = last
        last = last.tb_next
    left_out = entries - 2 * _KEPT
    if left_out <= 0 or head is None:
        return 0
    tail = head.tb_next
    for _ in range(left_out):
        tail = tail and tail.tb_next
    head.tb_next = tail
    return left_out
