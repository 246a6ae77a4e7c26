"""Synchronising pseudothreads: what is waited for first in, first out, and `Event`. Locks are in `_locks.py`, `Channel` is in the cores.

Each keeps those that wait in the order in which they came. Whoever is resumed has what it waited for at that moment, not only at its next
turn, so nobody can come between; if it is closed before that turn, the core has it taken back and the next gets it.
"""

from __future__ import annotations

from collections import OrderedDict

from trampoline._base import Suspension, no_copy
from trampoline._waited import check_thread, tell, waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, NoReturn

    from trampoline._core import core


class Waited(Suspension):
    """What pseudothreads wait for in the order in which they came."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: OrderedDict[core.Pseudothread[Any], None] = OrderedDict()

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        got = self.at_once(pseudothread)
        if got is not NotImplemented:
            pseudothread.resume(got)
            return
        error = self._refusal(pseudothread)
        if error is not None:
            pseudothread.throw(error)  # and not raised: its traceback has the user's frames alone
        else:
            self._waiters[pseudothread] = None

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> None:
        self._waiters.pop(pseudothread, None)

    def _refusal(self, pseudothread: core.Pseudothread[Any]) -> Exception | None:
        """Return the error for one that must not wait for this, or None."""
        return None

    def _first(self) -> core.Pseudothread[Any] | None:
        """Return the first that still waits for this, or None. RuntimeError if it does so in another thread."""
        while self._waiters:
            first = next(iter(self._waiters))
            if first.waits_for is self:
                check_thread(self, first)
                return first
            self._waiters.pop(first, None)  # somebody else has resumed it
        return None

    def __reduce__(self) -> NoReturn:
        raise no_copy(self)

    def _told(self, *told: str) -> str:
        return tell(self, *told, waiting(sum(waiter.waits_for is self for waiter in self._waiters)))


class Event(Waited):
    """Something that happens once, and for which any number can wait: `yield event`; `event.set()` lets them all go on.

    It stays set, so that nobody has to wait any more, until it is cleared.
    """

    __slots__ = ("_is_set",)

    def __init__(self) -> None:
        super().__init__()
        self._is_set = False

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Let go on all that wait for it, in the order in which they came, and whoever comes from now on."""
        waiter = self._first()
        self._is_set = True
        while waiter is not None:
            self._waiters.pop(waiter, None)
            waiter.resume(True)
            waiter = self._first()

    def clear(self) -> None:
        """Have those that come from now on wait. Who waited when it was set goes on all the same."""
        self._is_set = False

    def at_once(self, pseudothread: core.Pseudothread[Any]) -> Any:
        return True if self._is_set else NotImplemented

    def __repr__(self) -> str:
        return self._told("set" if self._is_set else "not set")

    if TYPE_CHECKING:

        def __iter__(self) -> Generator[Any, Any, bool]: ...

        __await__ = __iter__
