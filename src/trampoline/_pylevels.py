"""How a pseudothread's turns are counted in the tree of a collector. For the core in Python.

While a trampoline collects, its pseudothreads have COLLECTED set: their turns then go by way of `resume_collected()`, which reads the
clock at each side. Where it does not, all this costs nothing: the run loop never asks. `Levels` mirrors the stack of one pseudothread.
It holds nodes alone, no coroutine, and is let go with the pseudothread.
"""

from __future__ import annotations

from types import CoroutineType, GeneratorType

from trampoline._base import CALL, ERROR, VALUE, WAIT, code_of, has_begun, kinds
from trampoline._pycollector import callee

COLLECTED = 16  # one of the things that can be special about a pseudothread's turns, see `_pyresume`
NOT, READY, PARKED = range(3)  # what a pseudothread waits for while its coroutine is not resumed


class Era:
    """The time in which one trampoline uses one collector. Levels of an earlier one have missed turns."""

    __slots__ = ("collector", "epoch", "over")

    def __init__(self, collector):
        self.collector, self.epoch, self.over = collector, collector._epoch, False

    def goes_on(self):
        """Return whether what it counts is still wanted."""
        return not self.over and self.epoch == self.collector._epoch


class Levels:
    """The nodes of the coroutines on one pseudothread's stack, the root's first, and what its waiting is counted from."""

    __slots__ = (
        "_era", "_nodes", "_pushed", "_since", "_since_run", "_waiting", "_woken", "_turn", "_number", "_closing", "_unsure", "__weakref__",
    )  # fmt: skip

    def __init__(self, era, now):
        self._era, self._nodes, self._pushed = era, [], []
        self._since, self._since_run = now, era.collector._elapsed(now)  # since when it waits; and what `run` was then
        self._waiting, self._woken, self._turn = READY, None, era.collector._last_turn()
        self._number, self._closing, self._unsure = 0, False, None

    def __del__(self):
        if self._era.goes_on():
            for node in self._nodes:
                node._closed += 1
            self.pop_all(self._era.collector._last)
        else:
            self.forget()

    def enlist(self):
        """Have the collector know it."""
        collector = self._era.collector
        collector._number += 1
        self._number = collector._number
        collector._live[self._number] = self

    def push(self, coroutine, now, partial=False):
        """A call: the node of `coroutine` is counted in."""
        node = callee(self._nodes[-1] if self._nodes else self._era.collector._root, code_of(coroutine))
        if partial:
            node._partial += 1
        else:
            node._calls += 1
        node._live += 1
        self._nodes += (node,)  # no call, behind which Ctrl-C could strike
        self._pushed += (now,)

    def pop(self, now):
        """A result, or an error: the innermost has ended."""
        node, pushed = self._nodes[-1], self._pushed[-1]
        del self._nodes[-1], self._pushed[-1]
        node._live -= 1
        node._span += max(0, now - pushed)

    def pop_all(self, now):
        """The pseudothread has ended."""
        while self._nodes:
            self.pop(now)
        self._era.collector._live.pop(self._number, None)

    def forget(self):
        """What was missed is not counted."""
        for node in self._nodes:
            node._live -= 1
        self._nodes.clear()
        self._era.collector._live.pop(self._number, None)

    def over(self, p):
        """The turn is over, if it was that during which it was begun to collect."""
        if p._trampoline._straddling is self:
            turned(p._trampoline)

    def failed(self, p):
        """An error has left the innermost, for its caller."""
        self.over(p)
        if self._era.goes_on():
            self._nodes[-1]._exceptions += 1
            self.pop(self._since)
            self._unsure = None

    def same_turn(self):
        """It is about to be resumed once more in the same turn, which is counted once."""
        if self._era.goes_on():
            self._nodes[-1]._resumes -= 1

    def closed(self):
        """The innermost was closed."""
        if self._nodes and self._era.goes_on():
            self._nodes[-1]._closed += 1
            self.pop(self._since)

    def replaced(self, p):
        """A TailCall has put another in the place of the innermost."""
        self.over(p)
        if self._era.goes_on():
            self.pop(self._since)
            self.push(p._top, self._since)
            self._unsure = None

    def ended(self, p, outcome, by_turn):
        """The pseudothread has ended, by a turn or because its stack was let go."""
        self.over(p)
        if self._era.goes_on():
            if outcome == ERROR and self._nodes:
                self._nodes[-1]._exceptions += 1
            for node in self._nodes[:-1] if by_turn else self._nodes:
                node._closed += 1
            self.pop_all(self._since)
        else:
            self.forget()

    def parked(self, p):
        """It is parked from the end of its last resume on."""
        self.over(p)
        self._waiting = PARKED

    def woken(self):
        """It is parked no more, but queued. From any thread: so it is counted when it is resumed."""
        if self._era.goes_on():
            collector = self._era.collector
            self._woken = now = collector._read()
            self._since_run, self._turn = collector._elapsed(now), collector._last_turn()

    def sleeps_on(self):
        """It could not be queued, and is parked as before."""
        self._woken = None

    def waited(self, now):
        """Count how it waited up to now."""
        collector, node, since = self._era.collector, self._nodes[-1], self._since
        if self._waiting == PARKED:
            until = now if self._woken is None else self._woken
            node._parked += max(0, until - since)
            if self._woken is not None:
                node._ready += max(0, collector._elapsed(now) - self._since_run)
        elif self._turn != collector._turn:  # else nobody ran meanwhile
            node._ready += max(0, collector._elapsed(now) - self._since_run)
        else:
            return
        if collector._room and now > since:
            collector._note("wait", self._number, node, since, now - since)

    def settle(self, now):
        """Bring the times up to now."""
        if not self._era.goes_on():
            return
        for level, node in enumerate(self._nodes):
            node._span += now - self._pushed[level]
            self._pushed[level] = now
        if self._waiting:
            self.waited(now)
            if self._woken is not None:
                self._waiting, self._woken = READY, None
            self._since, self._since_run = now, self._era.collector._elapsed(now)

    def turn_begins(self, p, now):
        """Charge what came before it, and return the account that the turn interrupts."""
        collector = self._era.collector
        collector._charge(now)
        if self._unsure is not None:
            self._find_out(p)
        node = self._nodes[-1]
        if self._waiting:
            self.waited(now)
        self._waiting, self._woken = NOT, None
        collector._turn += 1
        if not self._closing:
            node._resumes += 1
        outer, collector._account = collector._account, node
        return outer

    def turn_ends(self, p, began, outer, got, error):
        """Charge the turn to the coroutine, and count a call or a result where that is plain; else what it was is found out later."""
        collector = self._era.collector
        if p._trampoline._era is not self._era or not self._era.goes_on():
            return
        now = collector._read()
        collector._charge(now)
        node, collector._account = collector._account, outer
        self._since, self._since_run, self._waiting, self._turn = now, collector._elapsed(now), READY, collector._turn
        if collector._failure is not None:
            p._trampoline._alone = False  # for the run loop to see it
        if collector._room:
            collector._note("run", self._number, self._nodes[-1], began, now - began)
        if self._closing:
            if error is not None and not isinstance(error, (StopIteration, GeneratorExit)):
                node._exceptions += 1
        elif error is not None:
            if type(error) is StopIteration:
                if p._stack:
                    self.pop(now)
            elif isinstance(error, StopIteration):
                self.unsure(p)
        else:
            kind = type(got)
            if kind is GeneratorType or kind is CoroutineType and not p._trampoline._asks:
                outcome = CALL
            else:
                outcome = kinds.get(kind) if type(kind) is type else None
            if outcome == CALL and kind is not GeneratorType and p._trampoline._asks:
                outcome = None
            if outcome == CALL:
                self.push(got, now)
            elif outcome == VALUE:
                if p._stack:
                    self.pop(now)
            elif outcome != WAIT:
                self.unsure(p)

    def unsure(self, p):
        """Remember by what it will be seen how the turn ended."""
        stack = p._stack
        self._unsure = id(stack), id(stack[1]) if stack else 0

    def _find_out(self, p):
        (before, below), self._unsure = self._unsure, None
        stack = p._stack
        if id(stack) == before:
            return  # a TailCall is told by replaced()
        if below and id(stack) == below:
            self.pop(self._since)
        else:
            self.push(p._top, self._since)


def resume_collected(p, top, value, resume):
    """Have `resume(p, top, value)` make a turn, and read the clock at each side of it."""
    era = p._trampoline._era
    levels = outer = got = error = None
    if era is None or not era.goes_on():
        p._special &= ~COLLECTED
        return resume(p, top, value)
    now = era.collector._read()
    levels = p._levels
    if levels is None or levels._era is not era:
        levels = see(p, now)
    elif not levels._nodes:  # added by another thread
        _count_in(levels, p, levels._since, False)
    outer = levels.turn_begins(p, now)
    p._special &= ~COLLECTED
    try:
        got = resume(p, top, value)
        return got
    except BaseException as raised:
        error = raised
        raise
    finally:
        p._special |= COLLECTED
        try:
            levels.turn_ends(p, now, outer, got, error)
        except BaseException:  # Ctrl-C
            levels.forget()
            p._levels = None
            raise
        p = top = value = got = error = levels = None  # the frames of a traceback hold those that called them


def see(p, now, new=False):
    """Make the Levels of `p`, which is new or older than the collecting, and return them."""
    counted = p._levels is not None and len(p._levels._nodes) == len(p.stack)  # by another collector: a call is counted once
    levels = p._levels = Levels(p._trampoline._era, now)
    p._special |= COLLECTED
    _count_in(levels, p, now, not new, counted)
    return levels


def _count_in(levels, p, now, older, counted=False):
    levels.enlist()
    for coroutine in p.stack:
        levels.push(coroutine, now, partial=older and (counted or coroutine is not p._top or has_begun(coroutine)))


def turned(t):
    """The turn is over during which it was begun to collect."""
    levels, t._straddling = t._straddling, None
    if levels._era.goes_on():
        collector = levels._era.collector
        now = collector._read()
        collector._charge(now)
        collector._account = None
        levels._since, levels._since_run, levels._turn = now, collector._elapsed(now), -1
        levels._waiting = levels._waiting or READY
