"""Time, for the core in Python: deadlines in a heap, a clock that jumps, and to sleep.

The heap is the trampoline's and its reactor's: the reactor asks it how long to wait and has it call what is due; the run loop itself takes
from it where the clock is virtual. A deadline that is cancelled stays in the heap, without what it would have called, until its time has
come or the half of the heap is of that kind: nearly every deadline of a `timeout()` is cancelled, and to leave it there is the cheapest.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from math import inf

from trampoline._base import Suspension, checked, not_copied, resumed
from trampoline._seconds import Expired, no_jump, no_moment, seconds_of, sleeps_already, wrong_start
from trampoline._steps import in_one_step, lock_of_steps

_MANY = 100  # cancelled deadlines that may lie about


def _is_start(given, keywords):
    return len(given) <= 1 and keywords.keys() <= ({"patience"} if given else {"start", "patience"})


class VirtualClock:
    """A clock that stands still while anything is ready, and then jumps to the next deadline: `Trampoline(clock=VirtualClock())`.

    It shows seconds, from `start` on. While a file is waited for it jumps when nothing was ready for `patience` real seconds. Any clock
    that has a `jump(when)` is one. TypeError and ValueError for what are no seconds.
    """

    __slots__ = ("_now", "_patience")

    def __init__(self, start=0.0, *, patience=0.0):
        self._now, self._patience = seconds_of("VirtualClock()", start), seconds_of("the patience of VirtualClock()", patience)

    __init__ = checked(__init__, _is_start, wrong_start)

    def __call__(self):
        """Return `now`."""
        return self._now

    @property
    def now(self):
        """What it shows, in seconds."""
        return self._now

    @property
    def patience(self):
        """How long everything must be quiet before it jumps while a file is waited for, in real seconds."""
        return self._patience

    def jump(self, when):
        """Set it to `when`, if that is later. The run loop calls it."""
        self._now = max(self._now, float(when))

    def __repr__(self):
        return f"<VirtualClock at {self._now!r}>"


class Deadline:
    """A moment, in seconds of its clock, and what is called then; None if it was called or cancelled."""

    __slots__ = ("ready", "when")

    def __new__(cls):
        self = object.__new__(cls)
        self.when, self.ready = 0.0, None
        return self


class Timers:
    """The deadlines of one clock. `virtual` says whether that jumps: whether it has a `jump(when)`."""

    __slots__ = ("_heap", "_live", "_lock", "_numbers", "alone", "clock", "virtual")

    def __new__(cls, clock):
        self = object.__new__(cls)
        self.clock, self.virtual = clock, hasattr(clock, "jump")
        self.alone = True  # whether no reactor is in use
        self._heap, self._numbers, self._lock = [], count(), lock_of_steps()
        self._live = set()  # the deadlines in the heap that are not cancelled: to add and to discard is one step, even for two threads
        return self

    def at(self, when, ready):
        """Have `ready()` called once, by `fire()`, when the clock shows `when` seconds. Return a handle for `cancel()`.

        Where Ctrl-C strikes just as it is called it may be called again. ValueError if `when` is nan.
        """
        if when != when:
            raise no_moment(when, self.clock)
        deadline = Deadline()
        deadline.when, deadline.ready = float(when), ready
        self._add(deadline)
        return deadline

    @in_one_step
    def _add(self, deadline):
        cancelled = len(self._heap) - len(self._live)
        if cancelled > _MANY and cancelled > len(self._heap) // 2:
            left = [entry for entry in self._heap if entry[2].ready is not None]
            heapify(left)
            self._heap = left
        self._live.add(deadline)
        heappush(self._heap, (deadline.when, next(self._numbers), deadline))

    def cancel(self, deadline):
        """Forget that deadline. Nothing happens if it has passed. From any thread, for `throw()` is."""
        deadline.ready = None
        self._live.discard(deadline)

    def left(self):
        """Return the seconds until the next deadline, None if there is none. Of a virtual clock: 0.0 if it has come, else None."""
        first = self._next()
        if first is None:
            return None
        seconds = first.when - self.clock()
        return seconds if not self.virtual else 0.0 if seconds <= 0 else None

    def fire(self):
        """Call what is due, in the order of the deadlines; of those at the same moment in that of `at()`."""
        if not self._heap:
            return
        now = self.clock()
        while (deadline := self._next()) is not None and deadline.when <= now:
            ready = deadline.ready
            if ready is None:  # another thread has just thrown into who waits for it
                continue
            try:
                ready()
            except Exception:
                self.cancel(deadline)
                raise
            self.cancel(deadline)  # last: where Ctrl-C strikes before, it is called again

    def jump(self):
        """Set a virtual clock to the next deadline, and call what is due then. Return False if there is none."""
        first = self._next()
        if first is None:
            return False
        self.clock.jump(first.when)
        if not self.clock() >= first.when:
            raise no_jump(self.clock, first.when)
        self.fire()
        return True

    @in_one_step
    def clear(self):
        """Forget all deadlines."""
        heap, self._heap, self._live = self._heap, [], set()
        for _, _, deadline in heap:
            deadline.ready = None

    def __len__(self):
        return len(self._live)

    @in_one_step
    def _next(self):
        """Return the first deadline that is not cancelled, or None."""
        while self._heap and self._heap[0][2].ready is None:
            heappop(self._heap)
        return self._heap[0][2] if self._heap else None


class sleep(Suspension):
    """Wait for `seconds`: `yield sleep(0.5)`. With 0 all others that are queued have a turn; with `math.inf` it never ends.

    TypeError if it is no number, ValueError if it is negative or no number of seconds (nan).
    """

    __slots__ = ("_deadline", "_pseudothread", "seconds")

    def __init__(self, seconds):
        self.seconds = seconds_of("sleep()", seconds)
        self._deadline = self._pseudothread = None

    def suspend(self, pseudothread):
        """Set a deadline for `pseudothread`. RuntimeError if another one waits for this sleep."""
        earlier = self._pseudothread
        if earlier is not None:
            if earlier is not pseudothread and earlier.waits_for is self:
                raise sleeps_already(self)
            self.withdraw(earlier)  # it was resumed before its time
        self._pseudothread = pseudothread
        if not self.seconds:
            resumed(pseudothread, self)
        elif self.seconds != inf:
            keeper = pseudothread.trampoline._keeper
            self._deadline = keeper.at(keeper.clock() + self.seconds, self._ready)
            if pseudothread.waits_for is not self:
                self.withdraw(pseudothread)  # again: another thread, or a signal handler, has thrown into it before there was a deadline

    def withdraw(self, pseudothread):
        """Cancel the deadline."""
        deadline = self._deadline  # asked once: another thread may throw
        if deadline is not None:
            pseudothread.trampoline._keeper.cancel(deadline)
        self._deadline = self._pseudothread = None

    def _ready(self):
        pseudothread = self._pseudothread
        if pseudothread is not None:
            resumed(pseudothread, self)
        self._deadline = self._pseudothread = None  # last: where Ctrl-C strikes before, this is called again

    __reduce__ = not_copied

    def __repr__(self):
        return f"sleep({self.seconds!r})"


class Limit(Suspension):
    """To yield it sets a deadline for whoever yields it, who goes on at once."""

    __slots__ = ("_deadline", "_keeper", "_pseudothread", "error", "seconds")

    def __init__(self, seconds):
        self.seconds = seconds_of("timeout()", seconds)
        self.error = None  # what unwinds the coroutine, when its time is up
        self._deadline = self._pseudothread = None

    def suspend(self, pseudothread):
        """Set the deadline, and resume `pseudothread`."""
        self._pseudothread = pseudothread
        if not self.seconds:
            self._ready()
        elif self.seconds != inf:
            keeper = self._keeper = pseudothread.trampoline._keeper
            self._deadline = keeper.at(keeper.clock() + self.seconds, self._ready)
            pseudothread.trampoline._limits += 1
        resumed(pseudothread, self)

    def _ready(self):
        if self._pseudothread is not None and self.error is None:
            self.error = Expired()
            self._pseudothread.trampoline._interrupt(self._pseudothread, self.error, unless=self)

    def lift(self, raised=None):
        """Let go of all. Return whether the time was up and the coroutine was told so: by what was `raised` by it, if anything was."""
        pseudothread, error, deadline = self._pseudothread, self.error, self._deadline
        trampoline = None if pseudothread is None else pseudothread.trampoline  # asked first: behind a call Ctrl-C could strike
        self._pseudothread = self.error = self._deadline = None
        if deadline is not None and trampoline is not None:
            trampoline._limits -= 1
            self._keeper.cancel(deadline)
        told = error is not None and trampoline is not None and not trampoline._spare(pseudothread, error)
        return told and (raised is None or raised is error)

    def __repr__(self):
        return f"timeout({self.seconds!r}, ...)"

    def __str__(self):  # it is what a TimeoutError is made of: most are caught, and nobody reads them
        return f"the {self.seconds!r} seconds of timeout() were up"

    def __reduce__(self):
        return str, (str(self),)
