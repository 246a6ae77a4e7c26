"""The run loop of the core in Python and its turns. What follows a turn is in `_pyfollowing.py`."""

from __future__ import annotations

import sys
from collections import deque
from itertools import repeat
from time import monotonic
from types import CoroutineType, GeneratorType

from trampoline._base import (
    ADAPT,
    CALL,
    ERROR,
    FREE_THREADED,
    GIVE,
    MOST_PROMPT,
    PROMPT,
    TAIL,
    VALUE,
    WAIT,
    TailCall,
    kinds,
    no_entry,
    promptly,
)
from trampoline._errors import set_traceback
from trampoline._pycollecting import between_turns
from trampoline._pyfollowing import Following
from trampoline._pypseudothread import Pseudothread
from trampoline._pyqueue import Queue
from trampoline._pyresume import (
    ENDED,
    MISSING,
    OWED,
    OWN_CODES,
    PROMPTLY,
    QUEUED,
    RUNNING,
    TAKEN,
    THROWING,
    caught,
    resume_specially,
    returned,
    without_ours,
)
from trampoline._pytogether import hand_out
from trampoline._traces import MANY_LEVELS, shorten

_ON_CPYTHON = sys.implementation.name == "cpython"
_TURNS = (True,) * 999 + (False,)  # whether there may be more turns before the run loop looks at anything else
_FEW = (True,) * 127 + (False,)  # the same while something is parked, or inside asyncio: then it looks at the clock
_ONE = (False,)  # the same for a turn by hand
_OVERRIDDEN = ("schedule",)  # in place of the attributes, where `schedule` is overridden
_TAKEN = object()  # says that `_current` was taken from the queue, and not begun with
_INTERVAL = 0.001  # seconds between two looks at what waits, while the queue is not empty


class _Attributes:
    """The attributes of a trampoline, to be asked for `schedule` where it is dear to look into an instance's dict: in PyPy."""

    __slots__ = ("_trampoline",)

    def __init__(self, trampoline):
        self._trampoline = trampoline

    def __contains__(self, name):
        return getattr(self._trampoline.schedule, "__func__", None) is not type(self._trampoline).schedule


class _LookedAtFirst:
    """Gives one entry after the other where Ctrl-C can strike between any two steps: then it is in both places for a moment."""

    __slots__ = ("_entries", "_trampoline")

    def __init__(self, trampoline, entries):
        self._trampoline, self._entries = trampoline, entries

    def __iter__(self):
        return self

    def __next__(self):
        try:
            self._trampoline._current = self._entries[0]
            return self._entries.popleft()
        except IndexError:  # another thread has just emptied it
            self._trampoline._current = None
            raise


class Turns(Following):
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
                    self._alone = entries is not queue
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
                try:
                    for self._current in take:  # in one step, which Ctrl-C cannot tear: it is in the one place or in the other
                        break
                except IndexError:
                    if type(entries) is not deque:  # a queue of the user's that fails
                        raise
                    continue  # another thread has closed the last that stood in it
                entry = _TAKEN
                while entry is _TAKEN:
                    entry = self._current
                    if type(entry) is not Pseudothread:
                        self._held = None
                        if self._era is not None:
                            self._era.collector._turn += 1  # somebody runs while others are queued
                        if not callable(entry):  # of a queue that is not ours it may be anything
                            raise no_entry(entry)
                        result = entry()
                        break
                    if entry._state == QUEUED and entry._trampoline is self:
                        entry._state, self._held = RUNNING, None
                        entry._state = QUEUED
                    else:
                        self._held = None
                    if entry._state == ENDED and entry._payload is MISSING:
                        result = None  # closed while it stood in a queue that is not ours
                    elif entry._trampoline is not self:
                        entry._state = TAKEN if entry._state == QUEUED else entry._state
                        result = entry()
                    else:
                        # The last entry's result goes when one more turn was made, as the recipe's does.
                        entry = None  # others follow it there, and it may end meanwhile
                        entry = self._advance(self._current, queue if result is None and not FREE_THREADED else None, entries, take)
                        result = None
                        if type(entry) is Pseudothread:
                            if entry._special:
                                return None, entry
                            result = entry._payload
            return result, None
        finally:
            entry = result = None  # the frames of a traceback hold those that called them

    def _taken_from(self, entries):
        """Return what gives one entry after the other for `self._current`: Ctrl-C strikes when it is in the one place or in the other."""
        if type(entries) is not deque:
            return iter(entries.popleft, MISSING)
        return map(deque.popleft, repeat(entries)) if _ON_CPYTHON and not FREE_THREADED else _LookedAtFirst(self, entries)

    def _advance(self, p, queue, entries, take):
        """Make turns of `p`, and of what else stands in `queue` while that is pseudothreads of ours; one turn, if `queue` is None.

        `take` gives one of `entries` after the other. Return who ended by the last turn, if any; _TAKEN if `_current` is something else.
        """
        let_go = got = instead = special = None
        prompt, outer, meanings = promptly, promptly[0], kinds
        attributes = _OVERRIDDEN if self._overridden else self._attributes()
        turns = _ONE if queue is None else _FEW if self._parked or self._limits else _TURNS
        if p._state > TAKEN:  # asked last: another thread may close it
            if take is not None:
                self._current = None  # nothing is to be recovered: it was not its turn
            raise p._misuse("call")
        top, stack, value = p._top, p._stack, p._payload
        p._payload, p._state = None, RUNNING
        try:
            for more in turns:
                let_go = None  # an entry has been taken: now goes what the last turn let go
                prompt[0] = MOST_PROMPT
                while True:
                    try:
                        special = p._special
                        if not special:
                            got = top.send(value)
                        elif special == THROWING and type(top) is GeneratorType and top.gi_yieldfrom is None:
                            special = p._special = 0
                            got = top.throw(value)
                        else:
                            got = resume_specially(p, top, value)
                    except StopIteration as stop:
                        if type(stop) is StopIteration:
                            outcome, got = VALUE, stop.value
                        else:
                            outcome, got = returned(stop)
                        break
                    except BaseException as raised:
                        if special or isinstance(raised, TailCall):
                            p._special &= ~(OWED | PROMPTLY | THROWING)  # Ctrl-C may have struck before it was resumed
                            outcome, got = caught(raised)
                        else:
                            outcome, got = ERROR, raised
                            try:
                                set_traceback(raised, raised.__traceback__.tb_next)  # without this frame
                            except Exception:  # there was no memory for one, or its class has an attribute of that name
                                without_ours(raised)
                        break
                    kind = type(got)
                    if kind is GeneratorType:
                        outcome = CALL
                        break
                    if kind is int:
                        outcome = VALUE
                        break
                    if got is None:  # out of an `async def` that is what asyncio's loop would be asked for a round by
                        outcome = VALUE if type(top) is not CoroutineType else ADAPT
                    else:
                        try:
                            outcome = meanings[kind]
                        except Exception:
                            outcome = None
                        except BaseException as raised:
                            outcome, got = caught(raised)
                    if outcome == VALUE:
                        break
                    if outcome is None or outcome == ADAPT or not outcome and self._asks:  # CALL
                        outcome, got = self._meant(p, outcome, got)
                    if outcome != PROMPT:
                        break
                    instead = self._prompted(p, got) if prompt[0] > 0 else NotImplemented
                    if instead is NotImplemented:
                        outcome, p._special = WAIT, p._special | PROMPTLY
                        break
                    value, got = instead, None
                    instead = None
                    prompt[0] -= 1
                    if p._levels is not None:
                        p._levels.same_turn()
                if not outcome:  # CALL
                    try:
                        stack = p._stack = (top, stack)
                    except MemoryError as raised:  # it goes to who wanted to make the call
                        let_go, got = got, set_traceback(raised, None)
                        p._special |= THROWING
                    else:
                        top = p._top = got
                        got = None
                elif outcome == VALUE and stack:
                    let_go = top
                    top, stack = stack
                    p._top, p._stack = top, stack
                elif outcome == TAIL:
                    if self._asks and type(got) is not GeneratorType:
                        got = self._root(got)
                    let_go = top
                    top = p._top = got
                    got = None
                    if p._levels is not None:
                        p._levels.replaced(p)
                elif outcome == WAIT:
                    self._held = (None, value)
                    top = stack = value = None  # suspend() may make turns of `p`, and end it
                    prompt[0] = outer
                    self._park(p, got)
                    return None
                elif outcome == GIVE:
                    pass
                elif stack:
                    let_go = top
                    top, stack = stack
                    p._top, p._stack = top, stack
                    p._special |= THROWING
                    if p._levels is not None:
                        p._levels.failed(p)
                    self._passed += 1
                    if not self._passed % MANY_LEVELS:
                        shorten(got)
                else:
                    self._held = (top, value)
                    p._end(got, outcome)
                    if (p._joiners is not None or p._spawned) and hand_out(p) and outcome == ERROR:
                        return None
                    return p
                if not more:
                    break
                if not self._alone or attributes and "schedule" in attributes:
                    if attributes is not _OVERRIDDEN or not self._alone or p._special:
                        self._held = (let_go, value)
                        p._payload = got
                        top = stack = value = let_go = got = None  # what is let go goes by the order in `_held`
                        instead = self._go_round(p, attributes, queue, take)
                        if type(instead) is not Pseudothread:
                            return instead
                        p = instead
                        p._state = RUNNING if type(self._queue) is Queue else TAKEN  # as which what is let go now sees it
                        self._held = instead = None
                        if p._state > RUNNING:
                            return _TAKEN
                        p._state = RUNNING
                        top, stack = p._top, p._stack
                        value, p._payload = p._payload, None
                        continue
                    p._state, failed = TAKEN, True
                    try:
                        self._showing = p
                        self.schedule(top, stack, got)
                        failed = False
                    finally:
                        if self._showing is not None:
                            self._held = (let_go, value)
                            self._not_taken(p, p, top, stack, failed)
                    if p._state or not self._alone or not entries or self._held is not None:
                        if self._held is None:
                            self._held = (let_go, value)
                        return None
                elif entries:
                    p._payload, p._state = got, QUEUED
                    entries.append(p)
                else:
                    value = got
                    continue
                try:
                    for self._current in take:  # in one step, as in _loop()
                        break
                except IndexError:  # another thread has closed `p` and all others
                    self._held = (let_go, value)
                    return None
                p, got = self._current, None
                if queue._mixed and not self._can_go_on(p):
                    self._held = (let_go, value)
                    return _TAKEN
                p._state = RUNNING
                top, stack = p._top, p._stack
                value, p._payload = p._payload, None
            p._payload, self._held = got, (let_go, value)
            prompt[0] = outer
            self._continue(p)  # an overridden `schedule` may end it: that was another turn
            return None
        finally:  # the frames of a traceback hold those that called them, and so would hold the error that it belongs to
            prompt[0] = outer
            p = top = stack = value = let_go = got = instead = None

    def _attributes(self):
        """Return where a `schedule` of the instance's own can be put at any time."""
        return getattr(self, "__dict__", ()) if _ON_CPYTHON else _Attributes(self)

    def _go_round(self, p, attributes, queue, take):
        """Queue `p` where others look on: by way of an overridden `schedule`, or in a queue that is not ours.

        Return the pseudothread that was taken then and is to go on with, or _TAKEN if what was taken is something else, or else None.
        """
        if self._peeks and not self._overridden and not (attributes and "schedule" in attributes):
            p._state = TAKEN
            try:
                self._queue.append(p)
            except BaseException:
                self._refused(p, True)
                raise
            if self._waker_ is not None:
                self._waker_()
        else:
            self._continue(p)  # an overridden `schedule` may end it: that was another turn
        if not self._running or self._era is not None or queue is not self._queue or not queue:
            return None
        try:
            for self._current in take:
                break
        except IndexError:
            if not self._peeks and type(queue) is not Queue:  # a queue of the user's that fails
                raise
            return None  # another thread has closed the last that stood in it
        return self._current if self._can_go_on(self._current, QUEUED if type(queue) is Queue else TAKEN) else _TAKEN

    def _can_go_on(self, entry, state=QUEUED):
        """Return whether `entry`, which was taken from the queue, is a pseudothread of ours that stood there in that state."""
        return type(entry) is Pseudothread and entry._state == state and entry._trampoline is self


OWN_CODES.update(function.__code__ for function in (Turns._loop, _LookedAtFirst.__next__, Turns._advance, Turns._go_round))
