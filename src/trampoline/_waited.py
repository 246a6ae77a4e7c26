"""What is said of channels, locks and the like, and asked of them, here once for both cores."""

from __future__ import annotations

from _thread import get_ident

from trampoline._base import describe, not_yielded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from trampoline._core import core


class ChannelClosed(Exception):
    """A `Channel` is closed: nothing can be put into it, and when it is empty nothing can be had from it."""


def counted(where: str, value: int) -> int:
    """Return `value` if it is a number from 0 on, else raise the error that says so."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{where} takes a whole number, not {describe(value)}{not_yielded(value)}")
    if value < 0:
        raise ValueError(f"{where} takes a number from 0 on, not {value}")
    return value


def wrong_size() -> TypeError:
    """Return the error of who makes a channel of anything but one argument without a name."""
    return TypeError("Channel() takes one argument, without a name: for how many values it has room, None if that has no limit")


def is_of_this_thread(pseudothread: core.Pseudothread[Any]) -> bool:
    """Return whether the trampoline of `pseudothread` runs in this thread, or does not run."""
    thread = pseudothread.trampoline._thread
    return thread is None or thread == get_ident()


def check_thread(waited: object, pseudothread: core.Pseudothread[Any]) -> None:
    """Raise RuntimeError if the trampoline of `pseudothread` runs in another thread than this."""
    if not is_of_this_thread(pseudothread):
        raise in_two_threads(waited, pseudothread)


def in_two_threads(waited: object, pseudothread: core.Pseudothread[Any]) -> RuntimeError:
    """Return the RuntimeError for what is used in another thread than that in which `pseudothread` waits for it, or has it."""
    return RuntimeError(
        f"{waited!r} is used in two threads: {pseudothread.name!r} runs in another than this. It is for trampolines of one thread; "
        "from another resume a suspension of your own, or have in_thread() call it there"
    )


def closed_channel(verb: str, channel: object) -> ChannelClosed:
    """Return the error of who finds a channel closed."""
    return ChannelClosed(f"cannot {verb} {channel!r}: it is closed")


def tell_channel(channel: Any, items: int, putters: int, getters: int) -> str:
    """Return the repr of a channel."""
    size = "any number" if channel.size is None else channel.size
    closed = "closed" if channel.closed else ""
    return tell(channel, f"{items} of {size} in it", closed, waiting(putters, " to put"), waiting(getters, " to get"))


def tell(what: object, *told: str) -> str:
    """Return the repr of what can be waited for, without what there is not to tell."""
    return f"<{', '.join([f'{type(what).__name__} at {id(what):#x}', *filter(None, told)])}>"


def waiting(count: int, how: str = "") -> str:
    """Say how many wait."""
    return f"{count} {'waits' if count == 1 else 'wait'}{how}" if count else ""


def runs_already(trampoline: object, mine: bool) -> RuntimeError:
    """Return the RuntimeError for who calls `run()` while it runs."""
    where = "inside itself" if mine else "by a second thread"
    return RuntimeError(f"run() of {trampoline!r} was called {where}: it is running already, add() what else it shall do")


def cannot_join(pseudothread: Any, target: Any) -> RuntimeError:
    """Return the RuntimeError for `pseudothread` that yielded `target` and cannot wait for its end."""
    if target is pseudothread:
        return RuntimeError(f"{pseudothread!r} cannot join itself: it would wait for its own end for ever")
    if target.trampoline is None:
        return RuntimeError(f"cannot join {target!r}: it was never added to a trampoline")
    return RuntimeError(
        f"cannot join {target!r}: it belongs to another trampoline, {target.trampoline!r}. Join it there, and hand on its result "
        "from there by resume() or throw()"
    )
