"""The core in Python: the reference for what a turn does, and the fallback where the extension cannot be built.

The explanations are here; `_ctrampoline.pyx` says the same in the same order. A pseudothread is a stack of coroutines: `_top`, and
its callers in `_stack` as PEP 342 nests them, `(caller, (its caller, ...))`. A call pushes one pair, a result pops one, whatever the depth.
The trampoline has a queue of entries. `run()` takes the first, makes one turn of it (one `send` or one `throw`) and queues the
pseudothread again behind all others; `_advance` does that for as many turns as it can without going back to the loop. While no other entry
is queued that would only put the pseudothread in and take it out, so it goes on with the same: the same order, no traffic.

Two things cost care. A coroutine that gave its result by a yield, the value that it was sent and the error that it was thrown are let go
when the next entry has been taken from the queue and not yet called (the recipe's closure held them so long): `_held` keeps them. And
errors show the user's frames alone: where one of ours enters a traceback, it is cut off again before the error goes on.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from contextvars import Context
from itertools import repeat
from time import monotonic
from types import CoroutineType, GeneratorType

from trampoline._base import (
    CALL,
    ERROR,
    TAIL,
    VALUE,
    WAIT,
    TailCall,
    call,
    describe,
    exception_of,
    is_coroutine,
    kinds,
    meaning_of,
    no_copy,
    no_coroutine,
    note_on,
)
from trampoline._pypseudothread import (
    ENDED,
    IN_CONTEXT,
    INTERRUPTED,
    MISSING,
    OWN_CODES,
    PARKED,
    QUEUED,
    RUNNING,
    TAKEN,
    THROWING,
    Pseudothread,
    Queue,
    behind,
    resume_specially,
)

__all__ = ["BaseTrampoline", "Pseudothread", "Queue", "call", "is_coroutine"]

_TURNS = 1000  # at most so many turns before the run loop looks at anything else
_FEW = 32  # the same while something is parked: then it looks at the clock
_INTERVAL = 0.001  # seconds between two looks at what waits, while the queue is not empty
_ON_CPYTHON = sys.implementation.name == "cpython"  # elsewhere asking for a frame makes the compiler give up on the function


class BaseTrampoline:
    """The queue and its run loop: what `Trampoline` is built on."""

    __slots__ = (  # so that the instance's attributes are the user's own
        "_alone", "_current", "_entered", "_handing", "_held", "_leaving", "_limits", "_look_at", "_overridden", "_parked", "_queue",
        "_runner", "_running", "_waker_", "__weakref__",
    )  # fmt: skip

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self._running = False
        self._runner = {}  # who is inside run(): "by": a tuple with the thread's identity
        self._queue = Queue()
        self._parked = {}  # pseudothread: the suspension for which it is parked, in the order of parking
        self._alone = False  # running, on our own queue, `schedule` not overridden: `_advance` may go on by itself
        self._current = None  # the entry whose turn it is
        self._held = None  # what the last turn let go: the last of it goes first
        self._handing = []  # the pseudothreads whose continuation an overridden `schedule` is just being shown
        self._entered = None  # the context of the pseudothread whose turn it is
        self._waker_ = None
        self._leaving = []  # the pseudothreads that are being resumed: parked no more, and not queued yet
        self._limits = 0  # deadlines of those that need not be parked: then too it looks at what waits
        self._look_at = 0.0  # when to look next at what waits
        self._check_overridden()
        return self

    @property
    def queue(self):
        """The entries that wait for their turn. May be replaced by an object with the methods of a deque."""
        return self._queue

    @queue.setter
    def queue(self, queue):
        for method in ("append", "popleft", "__len__"):
            if not hasattr(queue, method):
                raise TypeError(f"a queue has append(), popleft() and len(), but {describe(queue)} has no {method}")
        if type(self._queue) is Queue and queue is not self._queue:
            for entry in self._queue:  # whoever moves them into the new queue takes them
                if type(entry) is Pseudothread and entry._state == QUEUED:
                    entry._state = TAKEN
        waker, self._waker = self._waker_, None
        self._queue = queue
        self._alone = False
        self._waker = waker
        if waker is not None:
            waker()

    @queue.deleter
    def queue(self):
        raise AttributeError("a trampoline has a queue always: replace it, or clear() it")

    def __reduce__(self):
        raise no_copy(self)

    def add(self, coroutine, *, name=None, context=None):
        """Queue `coroutine` as the root of a new pseudothread, which is returned. From any thread.

        `name` is for reports. With a `context` (a contextvars.Context) every turn runs in it. TypeError if it is no coroutine.
        """
        if not is_coroutine(coroutine):
            raise no_coroutine("add()", coroutine)
        if context is not None and type(context) is not Context:
            raise TypeError(f"add() takes a contextvars.Context as its context, not {describe(context)}")
        p = self._make(coroutine, ())
        if context is not None:
            p._special = IN_CONTEXT
        p._name, p._context = name, context
        if _ON_CPYTHON:
            frame = sys._getframe(1)
            p._code, p._instruction = frame.f_code, frame.f_lasti
        if not self._overridden and "schedule" not in getattr(self, "__dict__", ()):
            self._append(p)
            return p
        self._handing.append(p)
        try:
            returned = self.schedule(coroutine)
        finally:
            self._unhand(p)
        return returned if isinstance(returned, Pseudothread) else p

    def schedule(self, coroutine, stack=(), val=None, *exc):
        """Queue a turn that sends `val` to `coroutine`, and return its pseudothread. From any thread.

        `stack` has the callers in nested pairs, `(caller, (its caller, ()))`. With `exc` the turn throws instead: `val, *exc` is then an
        error as `type, value, traceback` or `instance, None, None`. TypeError if any of it is of another form; nothing is queued then. A
        subclass that overrides `schedule` sees every continuation. Source: PEP 342, example 3.
        """
        if len(exc) > 2:
            raise TypeError(f"schedule() takes an error as type, value, traceback, not as {len(exc) + 1} values")
        if exc:
            val = exception_of("schedule()", val, *exc)
        p = handed = self._handed(coroutine, stack)
        if p is None:
            p = self._make(*_check_stack(coroutine, stack))
        p._payload = val
        if exc:
            p._special |= THROWING
        self._append(p)
        if handed is not None:
            self._unhand(p)
        return p

    def run(self):
        """Make turns until the queue is empty or `stop()` was called. Return what the last entry returned.

        For a pseudothread's last turn that is its result. An error that leaves a root leaves `run()`; all else stays queued and `run()` may
        be called again. RuntimeError inside `run()` of the same trampoline and from a second thread.
        """
        error = context = following = None
        mine = (get_ident(),)
        try:
            self._begin(mine)
            result, failed = self._loop()
            if failed is None:
                return result
            error = note_on(failed._payload, failed._name, failed.added)
            context, failed = error.__context__, None
            self._finish(mine)  # before it is raised: what is let go would get it as a context
            raise error
        except BaseException as raised:
            if raised is not error and self._runner.get("by") is mine:
                self._recover(self._current, raised)
            following = raised.__traceback__.tb_next
            if following is not None and following.tb_frame.f_code in OWN_CODES:
                raised.__traceback__.tb_next = behind(raised.__traceback__)
            raise
        finally:
            try:
                self._finish(mine)
            finally:
                self._finish(mine)  # again, if Ctrl-C struck in the first
            if error is not None:
                error.__context__ = context  # raised in an `except` block of the user's it would have got one
            result = error = context = following = None  # the frames of a traceback hold those that called them

    def stop(self):
        """End `run()` after the current turn. What is queued stays queued. From any thread."""
        self._running = self._alone = False
        waker = self._waker_
        if waker is not None:
            waker()

    def _take_one(self):
        """Take a pseudothread that is left, for it to be closed. Return None if there is none. Other entries are dropped."""
        while self._queue:
            entry = self._queue.popleft()
            if type(entry) is Pseudothread:
                return entry
        return next(iter(self._parked), None)

    def _all_parked(self):
        """Return the pseudothreads that are parked, the longest first."""
        return list(self._parked)

    def _loop(self):
        """Make turns. Return what the last entry returned and None, or None and the pseudothread whose root failed.

        It is a function of its own for Ctrl-C: from CPython 3.14 on that can strike between a loop's turns outside of a `try` around it.
        """
        entry = result = queue = take = None
        try:
            while self._running:
                if queue is not self._queue:
                    queue = self._queue
                    entries = queue._entries if type(queue) is Queue else queue
                    self._alone = entries is not queue and not self._overridden
                    take = iter(entries.popleft, MISSING)
                if not entries:
                    if not self._parked and not self._leaving and not entries or not self._wait():
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
                if type(entry) is not Pseudothread:
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

    def _wait(self):
        """Wait until something is queued. Return whether there is anything to run again."""
        return False

    def _look(self):
        """Look, while the queue is not empty, whether more can be queued: what waits must not starve."""

    def _interruption(self, pseudothread):
        """Return the error that `pseudothread`, which was interrupted, gets in place of being parked, or None."""

    @property
    def _waker(self):
        """None, or a function that ends `_wait()`, which another thread or a signal handler calls when it has queued something."""
        return self._waker_

    @_waker.setter
    def _waker(self, waker):
        self._waker_ = waker
        if type(self._queue) is Queue:
            self._queue._waker = waker

    @property
    def _thread(self):
        runner = self._runner.get("by")
        return runner and runner[0]

    def _begin(self, mine):
        runner = self._runner.setdefault("by", mine)  # one step, even for two threads
        if runner is not mine:
            where = "inside itself" if runner == mine else "by a second thread"
            raise RuntimeError(f"run() of {self!r} was called {where}: it is running already, add() what else it shall do")
        self._running = True
        self._check_overridden()

    def _finish(self, mine):
        if self._runner.get("by") is mine:
            self._running = self._alone = False
            self._current = None
            del self._runner["by"]
            self._held = None

    def _check_overridden(self):
        self._overridden = type(self).schedule is not BaseTrampoline.schedule or "schedule" in getattr(self, "__dict__", ())

    def _make(self, coroutine, stack):
        p = object.__new__(Pseudothread)
        p._trampoline, p._top, p._stack, p._state = self, coroutine, stack, TAKEN
        p._payload = p._name = p._context = p._code = p._instruction = None
        p._special = 0
        return p

    def _append(self, p):
        queue = self._queue
        if type(queue) is Queue:
            p._state = QUEUED
            queue._entries.append(p)
        else:
            p._state = TAKEN
            queue.append(p)
        if self._waker_ is not None:
            self._waker_()

    def _remove(self, p):
        if p in self._queue:  # else it stands in another's, where it will be passed over
            self._queue._entries.remove(p)

    def _handed(self, coroutine, stack):
        """Return the pseudothread of which this is the continuation, if `schedule` is just being shown it."""
        for p in self._handing:
            if p._top is coroutine and (p._stack is stack or not p._stack and not stack):
                return p
        return None

    def _unhand(self, p):
        """Return whether it was still there."""
        if p not in self._handing:
            return False
        self._handing.remove(p)
        return True

    def _advance(self, p, entries):
        """Make turns of `p`, and of what else stands in `entries` while that is pseudothreads of ours; one turn, if `entries` is None.

        Return the pseudothread that ended by the last turn, if one did.
        """
        if p._state > TAKEN:
            self._current = None  # nothing is to be recovered: it was not its turn
            raise p._misuse("call")
        let_go = got = None
        attributes = getattr(self, "__dict__", ())  # where an instance may be given a `schedule` of its own, at any time
        take = iter(entries.popleft, MISSING) if entries is not None else None
        top, stack, value = p._top, p._stack, p._payload
        p._payload = None
        p._state, self._current = RUNNING, p
        try:
            for _ in repeat(None, _FEW if self._parked or self._limits else _TURNS):
                sent = let_go = None  # an entry has been taken: now goes what the last turn let go
                try:
                    got = resume_specially(p, top, value) if p._special else top.send(value)
                    kind = type(got)
                    outcome = CALL if kind is GeneratorType or kind is CoroutineType else kinds.get(kind)
                    if outcome is None:
                        outcome = meaning_of(got)
                except StopIteration as stop:
                    outcome, got = (VALUE, stop.value) if type(stop) is StopIteration else _returned(stop)
                except BaseException as raised:
                    outcome, got = _caught(raised) if got is None else _looked_up(got, raised)
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
                elif outcome == WAIT or not stack:
                    if outcome == WAIT:
                        self._held = (sent,)
                        top = stack = sent = None  # suspend() may make turns of `p`, and end it
                        self._park(p, got)
                        return None
                    self._held = (top, sent)
                    return p._end(got, outcome)
                else:
                    let_go, value = top, got
                    top, stack = stack
                    p._top, p._stack = top, stack
                    p._special |= THROWING
                got = None
                if not self._alone or entries is None or "schedule" in attributes:
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
            self._continue(p)  # an overridden `schedule` may end it: that was another turn
            return None
        finally:  # the frames of a traceback hold those that called them, and so would hold the error that it belongs to
            p = top = stack = value = sent = let_go = got = following = None

    def _continue(self, p):
        """Queue `p` for its next turn, by way of `schedule` where that is overridden."""
        if not self._overridden and "schedule" not in getattr(self, "__dict__", ()):
            return self._append(p)
        held = self._held if p._state == RUNNING else None  # else no turn was made: somebody resumed it
        value, throwing = p._payload, p._special & THROWING
        p._payload, p._special, p._state = None, p._special & ~THROWING, TAKEN
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

    def _park(self, p, suspension):
        p._state, p._payload = PARKED, suspension
        self._parked[p] = suspension
        try:
            error = None
            if p._special & INTERRUPTED:
                p._special &= ~INTERRUPTED
                error = self._interruption(p)
            if error is None:
                suspension.suspend(p)
                return
        except BaseException as raised:
            raised.__traceback__ = behind(raised.__traceback__)
            error = raised
        try:
            if p._state == ENDED:
                raise error
            parked = self._parked.pop(p, None) is not None
            p._payload = error  # in place of what it was resumed with, if that was done already
            p._special |= THROWING
            if parked:
                self._continue(p)
        finally:
            p = suspension = error = None  # the frames of a traceback hold those that called them

    def _recover(self, entry, error):
        # Ctrl-C can strike between two lines of this core (the C core has none): what was queued stays queued.
        if type(entry) is Pseudothread and entry._trampoline is self:
            if entry._state == QUEUED and entry not in self._queue:
                self._queue._entries.appendleft(entry)
            elif entry._state == RUNNING or entry._state == TAKEN and type(self._queue) is Queue:
                entry._end(error, ERROR)


def _caught(error):
    """Cut our own frames off the traceback. Return what the error means, and the error or the coroutine of a TailCall."""
    error.__traceback__ = behind(error.__traceback__)
    if not isinstance(error, TailCall):
        return ERROR, error
    try:
        callee = error.call
        return (TAIL, callee) if is_coroutine(callee) else (ERROR, no_coroutine("TailCall()", callee))
    except BaseException as raised:
        return ERROR, _without(raised, error)


def _returned(stop):
    """Return the same for a StopIteration of the user's class, whose value may be anything."""
    try:
        return VALUE, stop.value
    except BaseException as raised:
        return ERROR, _without(raised, stop)


def _looked_up(got, error):
    """Return the same when `got` was yielded and its class looked up, which raised `error`: or a signal did."""
    try:
        kinds.get(type(got))
        return _caught(error)
    except Exception:
        pass
    try:
        return meaning_of(got), got
    except BaseException as raised:
        return ERROR, _without(raised, error)


def _without(raised, error):
    """Return what was raised while `error` was handled, by us and not by the user, without that."""
    raised.__traceback__ = behind(raised.__traceback__)
    if raised.__context__ is error:
        raised.__context__ = None
    return raised


def _check_stack(coroutine, stack):
    """Return both, or raise the TypeError that names what is wrong."""
    if not is_coroutine(coroutine):
        raise no_coroutine("schedule()", coroutine)
    rest = stack
    while rest:
        if not issubclass(type(rest), tuple) or len(rest) != 2:
            raise TypeError(f"schedule() takes its stack in nested pairs, (caller, (its caller, ())), not {describe(rest)}")
        if not is_coroutine(rest[0]):
            raise no_coroutine("the stack of schedule()", rest[0])
        rest = rest[1]
    return coroutine, stack or ()


OWN_CODES.update(
    function.__code__
    for function in (BaseTrampoline._loop, BaseTrampoline._advance, BaseTrampoline._park, BaseTrampoline._continue, BaseTrampoline._append)
)
