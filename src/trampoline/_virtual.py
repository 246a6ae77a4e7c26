"""Simulated time: what a trampoline does whose clock is virtual when nothing is queued.

Where only sleepers and suspensions of the trampoline's own are parked, the run loop sets the clock to the next deadline by itself. Where a
reactor is in use, or something outside will resume what is parked, it asks here, and the order is this:

1. what files and other threads have made ready by now goes first;
2. while something from outside is waited for, a call by `in_thread()` say (`Suspension.external`), time stands still: it is waited for as
   on a real clock, however long that takes, so that no result depends on how fast the machine is;
3. a file may never be ready, and holds time up only for the `patience` of the clock, in real seconds, 0 if nothing else is said;
4. then time jumps to the next deadline;
5. where there is none, files and other threads are waited for as on a real clock.
"""

from __future__ import annotations

from trampoline._core import core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from trampoline._trampoline import Layer

VirtualClock = core.VirtualClock


def jumped(t: Layer) -> bool:
    """Do the first four of these. Return whether something was ready or time has jumped: else it is to be waited for, for real."""
    timers = t._timers
    assert timers is not None  # else nobody asks
    if "reactor" in vars(t) or t._posted:
        t._dispatch(t.reactor.poll(0))
        if t.queue:
            return True
    if t._outside or t._leaving or t._elsewhere:
        return False
    patience = getattr(timers.clock, "patience", 0)
    if patience and "reactor" in vars(t) and t.reactor.waiting:
        t._waker = t.reactor.knock
        try:
            events = t.reactor.poll(patience)
        finally:
            t._waker = None
        t._dispatch(events)
        if t.queue:
            return True
    return timers.jump()
