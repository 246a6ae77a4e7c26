"""Tracebacks: what an error that leaves `run()` is told of itself, and which entries are the user's."""

from __future__ import annotations

import os

from trampoline._errors import get_traceback, set_context, set_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_OURS = os.path.dirname(__file__) + os.sep
_KEPT = 5000  # entries at each end of a long traceback: the `traceback` module takes half a minute to print a million
MANY_LEVELS = 8191  # that errors pass between two looks at how long the traceback is by now; a prime, for several by turns
_SHORTENED = "the traceback is shortened: "


def users(traceback: TracebackType | None) -> TracebackType | None:
    """Return what is left of a traceback without the entries of this package's at its beginning."""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(_OURS) and not file.endswith((".pxi", ".pyx")):  # those of the C core, which has no absolute names
            break
        traceback = traceback.tb_next
    return traceback


def as_thrown(error: BaseException) -> BaseException:
    """Have an error that was raised on our way to the yield at which it arrives look as if it had been thrown in there. Return it.

    What of its traceback is ours goes, and with it, if that was all, the context: that is what whoever called `run()` handles.
    """
    traceback = users(get_traceback(error))
    if traceback is None:
        set_context(error, None)
    return set_traceback(error, traceback)


def note_on(error: BaseException, name: str | None, added: tuple[str, int] | None) -> BaseException:
    """Note on an error that leaves `run()` whose it is, shorten a traceback that nobody could read, and return the error."""
    if added is not None:
        _note(error, f"in pseudothread {name!r}, added at {added[0]}:{added[1]}")
    shorten(error)
    return error


def shorten(error: BaseException) -> None:
    """Keep the first and the last _KEPT entries of its traceback, and note how many are left out by now.

    The cores call it at every few thousandth level that an error passes, too, so that nobody has to print, or to keep, a million of them.
    """
    left_out = _cut(get_traceback(error))
    if not left_out:
        return
    try:
        notes = error.__notes__  # type: ignore[attr-defined]
        for text in [text for text in notes if text.startswith(_SHORTENED)]:
            left_out += int(text[len(_SHORTENED) :].split()[0].replace(",", ""))
            notes.remove(text)
    except Exception:  # there are none yet, or those of the user's are no texts
        pass
    _note(error, f"{_SHORTENED}{left_out:,} calls in the middle are left out")


def _note(error: BaseException, text: str) -> None:
    try:
        if text not in getattr(error, "__notes__", ()):  # one that leaves several times, of one place
            error.add_note(text)  # type: ignore[attr-defined]
    except Exception:  # before CPython 3.11 there are no notes, and a class of the user's may refuse them
        return


def _cut(traceback: TracebackType | None) -> int:
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
