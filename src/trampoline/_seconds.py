"""What both cores say of seconds, deadlines and clocks."""

from __future__ import annotations

from math import inf

from trampoline._base import describe, not_yielded


class Expired(BaseException):
    """What unwinds a coroutine whose time is up. No GeneratorExit: at a `yield from` that would close the callee, not go through it."""

    def __str__(self) -> str:
        return "the seconds of a timeout() are up"


def seconds_of(where: str, seconds: float) -> float:
    """Return a number of seconds, inf perhaps. TypeError for what is none, ValueError if it is negative or nan."""
    try:
        known = float(seconds) if hasattr(type(seconds), "__float__") or hasattr(type(seconds), "__index__") else None  # of no text
    except OverflowError:
        known = inf if seconds > 0 else -inf
    except (TypeError, ValueError):
        known = None
    if known is None:
        raise TypeError(f"{where} takes a number of seconds, not {describe(seconds)}{not_yielded(seconds)}")
    if not known >= 0:
        raise ValueError(f"{where} takes a number of seconds from 0 on, not {describe(seconds)}: write max(0, ...) where it is computed")
    return known


def wrong_start() -> TypeError:
    """Return the TypeError for arguments that a VirtualClock does not take."""
    return TypeError("VirtualClock() takes the second at which it starts and, by name, its patience: nothing else")


def no_moment(when: float, clock: object) -> ValueError:
    """Return the ValueError for a deadline that is nan."""
    return ValueError(f"a deadline is a number of seconds, not {when!r}: the clock, {describe(clock)}, should give numbers")


def no_jump(clock: object, when: float) -> RuntimeError:
    """Return the RuntimeError for a virtual clock that does not jump."""
    return RuntimeError(f"the clock, {describe(clock)}, was told to jump to {when!r} and shows less: its jump(when) should set it to that")


def sleeps_already(sleep: object, _: object = None) -> RuntimeError:
    """Return the RuntimeError for a sleep that two want at once."""
    return RuntimeError(f"another pseudothread waits for this {sleep!r} already: make one for each wait")
