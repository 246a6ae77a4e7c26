"""Host loops: a trampoline that a loop of another kind drives, Tk's or a game's, by `step()` in place of `run()`.

A host calls `step()` when it has been told to by the step before, and, where it can watch a descriptor, when `fileno()` can be read.
Between two steps a bell hangs where `run()` has its waker: the first that queues something rings it, and the descriptor can be read.
"""

from __future__ import annotations

from io import UnsupportedOperation
from math import inf
from time import monotonic

from trampoline._base import describe
from trampoline._errors import without_frames
from trampoline._seconds import seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from trampoline._reactor import Reactor
    from trampoline._trampoline import Layer

_UNTOLD = 0.01  # seconds to come back in where a reactor of the user's does not tell of its next deadline


class Host:
    """What a trampoline knows of its host."""

    __slots__ = ("budget", "rung", "timeout", "until", "watched")

    def __init__(self) -> None:
        self.until: float | None = None  # when the step that is made shall end
        self.timeout = self.budget = 0.0  # what it may wait, and take for its turns
        self.watched = False  # whether the host watches the descriptor
        self.rung = False  # whether that can be read because of the bell

    def late(self) -> bool:
        """Return whether the step has had its time."""
        return self.until is not None and monotonic() >= self.until

    def wait(self, t: Layer) -> bool:
        """Take in what is ready, now that nothing is queued, and return whether the step goes on with it."""
        timeout, self.timeout = self.timeout, 0.0
        timers = t._timers
        if timers is not None and timers.virtual:
            from trampoline._virtual import jumped

            while not t.queue and jumped(t) and not self.late():
                timeout = 0.0
        if not t.queue and ("reactor" in vars(t) or timeout or t._posted or t._waits):
            self._poll(t, 0 if t._leaving or t._posted or not t._running else timeout)
        return bool(t.queue) and not self.late()

    def _poll(self, t: Layer, timeout: float) -> None:
        reactor = t.reactor
        t._waker = reactor.knock
        try:  # who queues something from now on knocks
            events = reactor.poll(0 if t.queue else timeout)
        finally:
            t._waker = None
        if timeout:
            self.until = monotonic() + self.budget
        t._dispatch(events)

    def hang(self, t: Layer) -> None:
        """Hang up the bell; ring it if something is queued already."""
        reactor, self.rung = t.reactor, False

        def ring() -> None:
            if not self.rung:
                self.rung = True
                reactor.knock()

        t._waker = ring
        if t.queue or t._posted or t._leaving:
            ring()

    def answer(self, t: Layer) -> None:
        """Take the bell down."""
        t._waker = None
        if self.rung:
            self.rung = False
            t._dispatch(t.reactor.poll(0))


def step(t: Layer, run: Callable[[], object], timeout: float, budget: float) -> tuple[float | None, BaseException | None]:
    """Make a step by the core's `run`. Return when to come back, and the error that left a root."""
    if t._thread is not None:
        raise RuntimeError(
            f"step() of {t!r} was called while it runs: inside run() or step(), or by a second thread; add() what else it shall do"
        )
    timeout, budget = seconds_of("step()", timeout), seconds_of("the budget of step()", budget)
    host = t._host
    if host is None:
        host = t._host = Host()
    failure = None
    host.timeout, host.budget = 0.0 if t.queue else timeout, budget
    host.until = monotonic() + budget
    t._limits += 1  # so that it looks at the time
    try:
        if host.watched:
            host.answer(t)
        run()
    except BaseException as error:
        failure = error
    host.until = None
    t._limits -= 1
    if host.watched and "reactor" in vars(t):
        host.hang(t)
    if failure is not None:
        return None, without_frames(failure, 2)  # this frame, and the one of run()
    return _when(t), None


def _when(t: Layer) -> float | None:
    """Return the seconds until the next step, inf or None."""
    if t.queue or t._posted or t._leaving:
        return 0
    if not t._any_parked:
        return None
    timers = t._timers
    if timers is not None and timers.virtual:
        return 0 if len(timers) and not t._outside else inf
    if "reactor" not in vars(t):
        return inf
    left = getattr(t.reactor, "left", None)
    if left is None:
        return _UNTOLD if t.reactor.waiting else inf
    seconds = left()
    return inf if seconds is None else max(0.0, seconds)


def fileno(t: Layer) -> int:
    """Return the descriptor of the reactor, and hang up the bell."""
    reactor: Reactor = t.reactor
    number: int | None = reactor.fileno() if hasattr(reactor, "fileno") else None
    if number is None:
        raise UnsupportedOperation(
            f"{describe(reactor)} has no descriptor to watch on this system: call step() every few milliseconds instead"
        )
    if t._host is None:
        t._host = Host()
    t._host.watched = True
    if t._thread is None:
        t._host.hang(t)
    return number
