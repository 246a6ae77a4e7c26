"""The run loop of the core in Python, its turns and what follows one: the queue, an overridden `schedule`, or a suspension."""

from __future__ import annotations

import sys
from collections import deque
from functools import partial
from time import monotonic
from types import CoroutineType, GeneratorType

from trampoline._base import ADAPT, CALL, ERROR, FREE_THREADED, GIVE, MOST_PROMPT, PROMPT, TAIL, VALUE, WAIT, kinds, meaning_of, promptly
from trampoline._pycollecting import between_turns
from trampoline._pypseudothread import Pseudothread
from trampoline._pyqueue import Queue
from trampoline._pyresume import (
    ENDED,
    INTERRUPTED,
    MISSING,
    OWED,
    OWN_CODES,
    PARKED,
    PROMPTLY,
    QUEUED,
    RUNNING,
    TAKEN,
    THROWING,
    behind,
    caught,
    error_of,
    looked_up,
    resume_specially,
    returned,
)
from trampoline._pytogether import Spawning, hand_out, join

_ON_CPYTHON = sys.implementation.name == "cpython"
_DOWN_FROM_TURNS = range(999, -1, -1)  # at most so many turns before the run loop looks at anything else
_DOWN_FROM_FEW = range(31, -1, -1)  # the same while something is parked: then it looks at the clock
_INTERVAL = 0.001  # seconds between two looks at what waits, while the queue is not empty


class Turns:
    """What `run()` does, for `BaseTrampoline`."""

    __slots__ = ()

    def _loop(self):
        """Make turns. Return what the last entry returned and None, or None and the pseudothread whose root failed.

        It is a function of its own for Ctrl-C: from CPython 3.14 on that can strike between a loop's turns outside of a `try` around it.
        """
        entry = result = queue = take = None
        try:
            while self._running:
                if self._era is not None:
                    between_turns(self)
                if queue is not self._queue:
                    queue = self._queue
                    entries = queue._entries if type(queue) is Queue else queue
                    self._alone = entries is not queue and not self._overridden
                    take = self._taken_from(entries)
                if not entries:
                    if not self._parked and not self._leaving and not entries:
                        break
                    entry = self._current = None
                    if self._held is not None:
                        self._held = None  # a run() that waits holds nothing of its last turn; what ends now may queue something
                    elif not self._wait():
                        break
                    continue
                if (self._parked or self._limits) and monotonic() >= self._look_at:
                    self._look_at = monotonic() + _INTERVAL
                    self._look()
                for self._current in take:  # in one step, which Ctrl-C cannot tear: the entry is always in the one place or in the other
                    break
                entry = self._current
                if type(entry) is Pseudothread and entry._state == QUEUED and entry._trampoline is self:
                    entry._state, self._held = RUNNING, None
                    entry._state = QUEUED
                else:
                    self._held = None
                if entry is _nothing:
                    continue
                if type(entry) is not Pseudothread:
                    if self._era is not None:
                        self._era.collector._turn += 1  # somebody runs while others are queued
                    result = entry()
                elif entry._state == ENDED and entry._payload is MISSING:
                    result = None  # closed while it stood in a queue that is not ours
                elif entry._trampoline is not self:
                    entry._state = TAKEN if entry._state == QUEUED else entry._state
                    result = entry()
                else:
                    # The last entry's result goes when one more turn was made, as the recipe's does.
                    entry = None  # others follow it there, and it may end meanwhile
                    entry = self._advance(self._current, entries if result is None else None)
                    result = None
                    if entry is not None:
                        if entry._special:
                            return None, entry
                        result = entry._payload
            return result, None
        finally:
            entry = result = None  # the frames of a traceback hold those that called them

    def _taken_from(self, entries):
        """Return what gives one entry after the other for `self._current`: Ctrl-C strikes when it is in the one place or in the other."""
        if FREE_THREADED:
            return iter(partial(_taken_or_nothing, entries), MISSING)
        return iter(entries.popleft, MISSING) if _ON_CPYTHON else self._looked_at_first(entries)

    def _looked_at_first(self, entries):
        """Elsewhere it can strike between any two steps: then the entry is in both places for a moment."""
        indexed = type(entries) is deque
        while entries:
            if indexed:
                self._current = entries[0]
            yield entries.popleft()

    def _advance(self, p, entries):
        """Make turns of `p`, and of what else stands in `entries` while that is pseudothreads of ours; one turn, if `entries` is None.

        Return the pseudothread that ended by the last turn, if one did.
        """
        if p._state > TAKEN:
            self._current = None  # nothing is to be recovered: it was not its turn
            raise p._misuse("call")
        let_go = got = instead = None
        outer = promptly[0]
        attributes = getattr(self, "__dict__", ())  # where an instance may be given a `schedule` of its own, at any time
        take = self._taken_from(entries) if entries is not None else None
        top, stack, value = p._top, p._stack, p._payload
        p._payload = None
        p._state, self._current = RUNNING, p
        try:
            for more in _DOWN_FROM_FEW if self._parked or self._limits else _DOWN_FROM_TURNS:
                sent = let_go = None  # an entry has been taken: now goes what the last turn let go
                promptly[0] = MOST_PROMPT
                while True:
                    try:
                        got = resume_specially(p, top, value) if p._special else top.send(value)
                        kind = type(got)
                        if kind is GeneratorType:
                            outcome = CALL
                        else:
                            outcome = CALL if kind is CoroutineType else kinds.get(kind)
                            if outcome is None:
                                outcome = meaning_of(got)
                            if outcome == ADAPT or not outcome and self._asks:  # CALL
                                got, outcome = self._adapted(p, got)
                    except StopIteration as stop:
                        outcome, got = (VALUE, stop.value) if type(stop) is StopIteration else returned(stop)
                    except BaseException as raised:
                        outcome, got = caught(raised) if got is None else looked_up(got, raised)
                        if outcome == TAIL and self._asks and type(got) is not GeneratorType:
                            got = self._root(got)
                    if outcome != PROMPT:
                        break
                    instead = self._prompted(p, got) if promptly[0] > 0 else NotImplemented
                    if instead is NotImplemented:
                        outcome, p._special = WAIT, p._special | PROMPTLY
                        break
                    value, got = instead, None
                    instead = None
                    promptly[0] -= 1
                    if p._levels is not None:
                        p._levels.same_turn()
                sent, value = value, None
                if not outcome:  # CALL
                    stack = p._stack = (top, stack)
                    top = p._top = got
                elif outcome == VALUE and stack:
                    let_go, value = top, got
                    top, stack = stack
                    p._top, p._stack = top, stack
                elif outcome == TAIL:
                    let_go, top = top, got
                    p._top = top
                    if p._levels is not None:
                        p._levels.replaced(p)
                elif outcome == GIVE:
                    value = got
                elif outcome == WAIT or not stack:
                    if outcome == WAIT:
                        self._held = (None, sent)
                        top = stack = sent = None  # suspend() may make turns of `p`, and end it
                        promptly[0] = outer
                        self._park(p, got)
                        return None
                    self._held = (top, sent)
                    p._end(got, outcome)
                    if (p._joiners is not None or p._spawned) and hand_out(p) and outcome == ERROR:
                        return None
                    return p
                else:
                    let_go, value = top, got
                    top, stack = stack
                    p._top, p._stack = top, stack
                    p._special |= THROWING
                    if p._levels is not None:
                        p._levels.failed(p)
                got = None
                if not more or not self._alone or entries is None or "schedule" in attributes:
                    break
                if entries:
                    p._payload, p._state = value, QUEUED
                    entries.append(p)
                    for self._current in take:
                        break
                    following = self._current
                    if type(following) is not Pseudothread or following._trampoline is not self or following._state != QUEUED:
                        entries.appendleft(following)
                        self._held = (let_go, sent)
                        return None
                    p = following
                    top, stack, value = p._top, p._stack, p._payload
                    p._payload, p._state = None, RUNNING
            p._payload = value
            self._held = (let_go, sent)
            promptly[0] = outer
            self._continue(p)  # an overridden `schedule` may end it: that was another turn
            return None
        finally:  # the frames of a traceback hold those that called them, and so would hold the error that it belongs to
            promptly[0] = outer
            p = top = stack = value = sent = let_go = got = instead = following = None

    def _continue(self, p, first=False):
        """Queue `p` for its next turn, `first` if the queue is ours, or by way of `schedule` where that is overridden."""
        if not self._overridden and "schedule" not in getattr(self, "__dict__", ()):
            return self._append(p, first)
        held = self._held if p._state == RUNNING else None  # else no turn was made: somebody resumed it
        if p._special & PROMPTLY:  # it cannot be taken back from whoever is shown it
            p._payload, p._special = p._payload[0], p._special & ~PROMPTLY
        value, throwing = error_of(p._payload) if p._special & OWED else p._payload, p._special & THROWING
        p._payload, p._special, p._state = None, p._special & ~(THROWING | OWED), TAKEN
        coroutine, stack = p._top, p._stack
        self._handing.append(p)
        try:
            if throwing:
                self.schedule(coroutine, stack, type(value), value, value.__traceback__)
            else:
                self.schedule(coroutine, stack, value)
        finally:
            if self._unhand(p) and p._state == TAKEN:  # what came back, if anything, was another coroutine or stack
                if held is not None:  # the recipe's closure held the callers, too
                    self._held = (stack if held[0] is None else (held[0], (coroutine, stack)), held[1])
                p._end(MISSING, VALUE)
                hand_out(p)

    def _park(self, p, suspension):
        p._state, p._payload = PARKED, suspension
        self._parked[p] = suspension
        if p._levels is not None:
            p._levels.parked(p)
        try:
            error = None
            if p._special & INTERRUPTED:
                p._special &= ~INTERRUPTED
                error = self._interruption(p)
            if error is None:
                if type(suspension) is Pseudothread:
                    join(p, suspension)
                else:
                    if self._timers is not None and self._timers.virtual and suspension.external:
                        self._outside.add(p)
                    suspension.suspend(p)
                return
        except BaseException as raised:
            raised.__traceback__ = behind(raised.__traceback__)
            error = raised
        try:
            if p._state == ENDED:
                raise error
            parked = self._parked.pop(p, None) is not None
            self._outside.discard(p)
            if parked and p._levels is not None:
                p._levels.woken()
            p._payload = error  # in place of what it was resumed with, if that was done already
            p._special = p._special & ~(PROMPTLY | OWED) | THROWING
            if parked:
                p._state = RUNNING  # its turn goes on
                self._continue(p)
        finally:
            p = suspension = error = None  # the frames of a traceback hold those that called them

    def _prompted(self, p, suspension):
        """Return what `p` is sent without waiting, or thrown, or NotImplemented if it must wait."""
        try:
            return suspension.at_once(p)
        except BaseException as raised:
            raised.__traceback__ = behind(raised.__traceback__)
            p._special |= THROWING
            return raised
        finally:
            p = suspension = None  # the frames of a traceback hold those that called them

    def _recover(self, entry, error):
        # Ctrl-C can strike between two lines of this core (the C core has none): what was queued stays queued.
        if type(entry) is Pseudothread and entry._trampoline is self:
            if entry._state == QUEUED and entry not in self._queue:
                self._queue._entries.appendleft(entry)
            elif entry._state == RUNNING or entry._state == TAKEN and type(self._queue) is Queue:
                entry._end(error, ERROR)
                hand_out(entry)
            elif entry._state == ENDED and type(entry._joiners) is dict:
                hand_out(entry)

    def _adapted(self, p, got):
        """Return what stands for `got`, which `p` yielded and which can be awaited or is a future, and what that means."""
        if type(got) is Pseudothread:
            return got, WAIT
        if type(got) is Spawning:
            return self._spawned(p, got), GIVE
        got = self._adapt(got)
        outcome = kinds.get(type(got))
        if outcome is None:
            outcome = meaning_of(got)
        return got, VALUE if outcome == ADAPT else outcome

    def _spawned(self, p, spawning):
        """Return the pseudothread that `p` starts, or the error that is to be thrown at its yield."""
        try:
            return spawning.start(self, p)
        except BaseException as raised:
            raised.__traceback__ = behind(raised.__traceback__)
            p._special |= THROWING
            return raised


def _nothing():
    """What is had from a queue that another thread has just emptied."""


def _taken_or_nothing(entries):
    try:
        return entries.popleft()
    except IndexError:
        if entries:  # a queue of the user's that fails otherwise
            raise
        return _nothing


_OWN = Turns._loop, Turns._advance, Turns._park, Turns._continue, Turns._prompted, Turns._adapted, Turns._spawned
OWN_CODES.update(function.__code__ for function in _OWN)
