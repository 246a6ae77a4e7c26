"""What the constructor of a trampoline does not take, and how it says so."""

from __future__ import annotations

from functools import wraps

from trampoline._base import describe, is_coroutine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def by_keywords(init: Any) -> Any:
    """Have an `__init__()` say by the name of the class that is made what it does not take; Python's own words would name `Layer`."""
    options = "reactor", "clock", "profile"

    @wraps(init)
    def __init__(self: Any, /, *given: object, **keywords: Any) -> None:
        if not given and not keywords:  # most of the time: there is nothing to do
            return
        wrong = [describe(given[0])] if given else [f"{name}=..." for name in keywords if name not in options]
        if wrong:
            hint = ": add() takes coroutines" if given and is_coroutine(given[0]) else ""
            raise TypeError(f"{type(self).__name__}() takes only keywords, reactor, clock and profile, not {wrong[0]}{hint}")
        init(self, **keywords)

    return __init__
