"""The core in Python: the reference for what a turn does, and the fallback where the extension cannot be built.

The explanations are here; `_ctrampoline.pyx` says the same in the same order. A pseudothread is a stack of coroutines. The innermost one is
in `_top`, its callers in `_stack` as PEP 342 nests them, `(caller, (its caller, ...))`: a call pushes one pair, a result pops one, whatever
the depth. The trampoline has a queue of entries. `run()` takes the first, makes one turn of it (one `send` or one `throw`) and queues the
pseudothread again behind all others. While no other entry is queued that would only put it in and take it out, so `_advance` goes on with
the same pseudothread: the same order, no traffic.

Two things cost care. A coroutine that gave its result by a yield, the value that it was sent and the error that it was thrown are let go
when the next entry has been taken from the queue and not yet called (the recipe's closure held them so long): `_held` keeps them. And
errors show the user's frames alone: where one of ours enters a traceback, it is cut off again before the error goes on.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from collections import deque
from contextvars import Context
from itertools import repeat
from types import CoroutineType, GeneratorType, GenericAlias

from trampoline._base import (
    CALL,
    ERROR,
    TAIL,
    VALUE,
    WAIT,
    TailCall,
    describe,
    end_of_call,
    exception_of,
    ignored_exit,
    is_coroutine,
    kinds,
    line_of,
    meaning_of,
    misuse,
    name_of,
    no_coroutine,
    note_on,
    place_of,
)

__all__ = ["BaseTrampoline", "Pseudothread", "Queue", "is_coroutine"]

_QUEUED, _TAKEN, _RUNNING, _PARKED, _ENDED = range(5)
_STATES = ("queued", "queued", "running", "parked", "ended")
_THROWING, _IN_CONTEXT = 1, 2  # what can be special about a pseudothread's next turn
_TURNS = 1000  # at most so many turns of one pseudothread before the run loop looks at anything else
_MISSING = object()
_ON_CPYTHON = sys.implementation.name == "cpython"  # elsewhere asking for a frame makes the compiler give up on the function


class Pseudothread:
    """A stack of coroutines, the root at the bottom, that calls and results push and pop. `Trampoline.add()` makes it.

    It is what stands in the trampoline's queue: calling it makes one turn.
    """

    __slots__ = (
        "_trampoline", "_top", "_stack", "_value", "_special", "_state", "_name", "_context", "_code", "_instruction", "__weakref__",
    )  # fmt: skip

    __class_getitem__ = classmethod(GenericAlias)

    def __init_subclass__(cls, **kwargs):
        raise TypeError(f"type {__name__ + '.Pseudothread'!r} is not an acceptable base type")

    def __new__(cls, *args, **kwargs):
        p = object.__new__(cls)
        p._state, p._special, p._value = _ENDED, 0, _MISSING
        p._trampoline = p._top = p._stack = p._name = p._context = p._code = p._instruction = None
        return p

    def __init__(self, *args, **kwargs):
        raise TypeError("a Pseudothread is made by Trampoline.add() or Trampoline.schedule()")

    def __call__(self):
        """Make one turn. Return the result if it was the last turn, else None; raise the error that leaves the root.

        RuntimeError if the pseudothread is in the queue (take it out first), running, parked or ended.
        """
        if self._state != _TAKEN:
            raise self._misuse("call", "is in the queue: take it out with popleft() and call what that returns")
        trampoline = self._trampoline
        held, current = trampoline._held, trampoline._current
        try:
            trampoline._advance(self, None)
        finally:
            trampoline._held, trampoline._current = held, current
        if self._state != _ENDED or self._value is _MISSING:
            return None
        if self._special:
            context = self._value.__context__
            try:
                raise self._value
            finally:
                self._value.__context__ = context  # raised in an `except` block it would have got one
        return self._value

    def resume(self, value=None):
        """Queue a parked pseudothread: its innermost coroutine will be sent `value`. From any thread.

        RuntimeError if it is queued, running or ended.
        """
        self._unpark("resume")
        self._value = value
        self._trampoline._continue(self)

    def throw(self, error):
        """Queue a parked pseudothread: `error`, an exception (or a class of them), will be raised at its yield. From any thread.

        RuntimeError if it is queued, running or ended; TypeError if `error` is no exception.
        """
        error = exception_of("throw()", error)
        self._unpark("throw into")
        self._value = error
        self._special |= _THROWING
        self._trampoline._continue(self)

    def close(self):
        """Throw GeneratorExit into the innermost coroutine, then into its caller, up to the root: `finally` blocks run, at once.

        As with a generator's own `close()`, a coroutine must not yield then (RuntimeError); another error that it raises goes into its
        caller, and out of `close()` where none of them catches it. Nothing happens if it has ended. RuntimeError if it is running.
        """
        if self._state == _ENDED:
            return
        if self._state == _RUNNING:
            raise self._misuse("close")
        if self._state == _PARKED:
            self._unpark("close")
        elif self._state == _QUEUED:
            self._trampoline._remove(self)
        self._state = _RUNNING
        self._value = failure = None
        while True:
            failure = _close(self, failure)
            if not self._stack:
                break
            self._top, self._stack = self._stack
        self._end(_MISSING, VALUE)
        if failure is not None:
            context = failure.__context__
            try:
                raise failure
            finally:
                failure.__context__ = context  # an error raised in an `except` block gets one
                failure = None

    @property
    def done(self):
        """Whether it has ended: by a result, by an error or by `close()`."""
        return self._state == _ENDED

    def result(self):
        """Return the root's result, or raise the error that left the root. RuntimeError if it has not ended or was closed."""
        if self._state != _ENDED:
            raise RuntimeError(f"{self!r} has no result yet")
        if self._special:
            context = self._value.__context__
            try:
                raise self._value.with_traceback(self._stack)
            finally:
                self._value.__context__ = context
        if self._value is _MISSING:
            raise RuntimeError(f"{self!r} was closed before it had a result")
        return self._value

    @property
    def stack(self):
        """The coroutines from the root to the innermost, as a tuple; empty after the end."""
        if self._state == _ENDED:
            return ()
        found, stack = [self._top], self._stack
        while stack:
            coroutine, stack = stack
            found.append(coroutine)
        return tuple(reversed(found))

    @property
    def state(self):
        """'queued', 'running', 'parked' or 'ended'."""
        return _STATES[self._state]

    @property
    def name(self):
        """The name that `add()` was given, or that of the root's function."""
        return name_of(self.stack[0]) if self._name is None and self._top is not None else self._name

    @property
    def waits_for(self):
        """The suspension for which it is parked, or None."""
        return self._value if self._state == _PARKED else None

    @property
    def added(self):
        """Where it was added: (file name, line number), or None where that is unknown."""
        return None if self._code is None else line_of(self._code, self._instruction)

    def __repr__(self):
        if self._state == _ENDED:
            return f"<Pseudothread {self._name!r} ended>"
        waits = f" for {self._value!r}" if self._state == _PARKED else ""
        return f"<Pseudothread {self.name!r} {self.state}{waits} at {place_of(self._top)}>"

    def _misuse(self, verb, queued="is queued: it will take its turn by itself"):
        why = (queued, queued, "is running", "is parked: only resume(), throw() and close() go on from there", "has ended")[self._state]
        return misuse(verb, self, why)

    def _unpark(self, verb):
        # pop() is one step, so of two threads that resume at once one gets the RuntimeError.
        if self._trampoline._parked.pop(self, None) is None:
            raise self._misuse(verb)
        self._value = None

    def _end(self, value, outcome):
        self._name = self.name
        self._state = _ENDED
        self._top = self._stack = self._context = None
        self._value, self._special = value, 0
        if outcome == ERROR:
            self._special = _THROWING
            self._stack = value.__traceback__  # for result(), which must not make it longer each time
        return self


class Queue:
    """The entries that wait for their turn: callables without arguments, pseudothreads mostly. A deque to its user."""

    __slots__ = ("_entries", "__weakref__")

    def __init__(self):
        self._entries = deque()

    def __init_subclass__(cls, **kwargs):
        raise TypeError(f"type {__name__ + '.Queue'!r} is not an acceptable base type")

    def append(self, entry):
        """Queue `entry` behind all others. TypeError if it is not callable, RuntimeError for a pseudothread that cannot be queued."""
        _enter(entry)
        self._entries.append(entry)

    def appendleft(self, entry):
        """Queue `entry` before all others. TypeError if it is not callable, RuntimeError for a pseudothread that cannot be queued."""
        _enter(entry)
        self._entries.appendleft(entry)

    def popleft(self):
        """Remove and return the first entry. IndexError if there is none."""
        if not self._entries:
            raise IndexError("popleft() from an empty queue")
        entry = self._entries.popleft()
        if type(entry) is Pseudothread and entry._state == _QUEUED:
            entry._state = _TAKEN
        return entry

    def clear(self):
        """Remove all entries."""
        while self._entries:
            self.popleft()

    def __len__(self):
        return len(self._entries)

    def __bool__(self):
        return bool(self._entries)

    def __iter__(self):
        return iter(list(self._entries))

    def __repr__(self):
        return f"Queue({list(self._entries)!r})"


class BaseTrampoline:
    """The queue and its run loop: what `Trampoline` is built on."""

    _running = False
    _runner = None  # who is inside run(): a tuple with the thread's identity

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self._queue = Queue()
        self._parked = {}  # pseudothread: the suspension for which it is parked, in the order of parking
        self._alone = False  # running, on our own queue, `schedule` not overridden: `_advance` may go on by itself
        self._current = None  # the entry whose turn it is
        self._held = None  # what the last turn let go
        self._handing = []  # the pseudothreads whose continuation an overridden `schedule` is just being shown
        self._entered = None  # the context of the pseudothread whose turn it is
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
                if type(entry) is Pseudothread and entry._state == _QUEUED:
                    entry._state = _TAKEN
        self._queue = queue
        self._alone = False

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
            p._special = _IN_CONTEXT
        p._name, p._context = name, context
        if _ON_CPYTHON:
            frame = sys._getframe(1)
            p._code, p._instruction = frame.f_code, frame.f_lasti
        if not self._overridden and "schedule" not in self.__dict__:
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
        p._value = val
        if exc:
            p._special |= _THROWING
        self._append(p)
        if handed is not None:
            self._unhand(p)
        return p

    def run(self):
        """Make turns until the queue is empty or `stop()` was called. Return what the last entry returned.

        For a pseudothread's last turn that is its result. An error that leaves a root leaves `run()`; all else stays queued and `run()` may
        be called again. RuntimeError inside `run()` of the same trampoline and from a second thread.
        """
        entry = result = queue = take = error = None
        mine = (get_ident(),)
        try:
            self._begin(mine)
            while self._running:
                if queue is not self._queue:
                    queue = self._queue
                    entries = queue._entries if type(queue) is Queue else queue
                    self._alone = entries is not queue and not self._overridden
                    take = iter(entries.popleft, _MISSING)
                if not entries:
                    if not self._parked or not self._wait():
                        break
                    continue
                for self._current in take:  # in one step, which Ctrl-C cannot tear: the entry is always in the one place or in the other
                    break
                entry = self._current
                self._held = None
                if type(entry) is not Pseudothread:
                    result = entry()
                    continue
                result = None
                if entry._state == _ENDED and entry._value is _MISSING:
                    continue  # closed while it stood in a queue that is not ours
                if entry._trampoline is not self:
                    entry._state = _TAKEN if entry._state == _QUEUED else entry._state
                    result = entry()
                    continue
                entry = self._advance(entry, entries)
                if entry._state == _ENDED:
                    if entry._special:
                        error = note_on(entry._value, entry._name, entry.added)
                        context = error.__context__
                        raise error
                    result = entry._value if entry._value is not _MISSING else None
            return result
        except BaseException as raised:
            if self._runner is mine and raised is not error:
                self._recover(self._current, raised)
            _cut(raised.__traceback__)
            raise
        finally:
            if self._runner is mine:
                self._running = self._alone = False
                self._current = None
                del self._runner
                entry = self._held = None
            if error is not None:
                error.__context__ = context  # raised in an `except` block of the user's it would have got one
                error = None

    def stop(self):
        """End `run()` after the current turn. What is queued stays queued. From any thread."""
        self._running = self._alone = False

    def _take_one(self):
        """Take a pseudothread that is left, for it to be closed. Return None if there is none. Other entries are dropped."""
        while self._queue:
            entry = self._queue.popleft()
            if type(entry) is Pseudothread:
                return entry
        return next(iter(self._parked), None)

    def _wait(self):
        """Wait until something is queued. Return whether there is anything to run again."""
        return False

    @property
    def _thread(self):
        return self._runner and self._runner[0]

    def _begin(self, mine):
        runner = self.__dict__.setdefault("_runner", mine)  # one step, even for two threads
        if runner is not mine:
            where = "inside itself" if runner == mine else "by a second thread"
            raise RuntimeError(f"run() of {self!r} was called {where}: it is running already, add() what else it shall do")
        self._running = True
        self._check_overridden()

    def _check_overridden(self):
        self._overridden = type(self).schedule is not BaseTrampoline.schedule or "schedule" in self.__dict__

    def _make(self, coroutine, stack):
        p = object.__new__(Pseudothread)
        p._trampoline, p._top, p._stack, p._state = self, coroutine, stack, _TAKEN
        p._value = p._name = p._context = p._code = p._instruction = None
        p._special = 0
        return p

    def _append(self, p):
        queue = self._queue
        if type(queue) is Queue:
            p._state = _QUEUED
            queue._entries.append(p)
        else:
            p._state = _TAKEN
            queue.append(p)

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

        Return the pseudothread that had the last turn. Its state says how that ended.
        """
        if p._state > _TAKEN:
            raise p._misuse("call")
        let_go = None
        take = iter(entries.popleft, _MISSING) if entries is not None else None
        top, stack, value = p._top, p._stack, p._value
        p._value = None
        p._state, self._current = _RUNNING, p
        for _ in repeat(None, _TURNS):
            sent = let_go = None  # an entry has been taken: now goes what the last turn let go
            try:
                got = _resume(p, top, value) if p._special else top.send(value)
                kind = type(got)
                outcome = CALL if kind is GeneratorType or kind is CoroutineType else kinds.get(kind)
                if outcome is None:
                    outcome = meaning_of(got)
            except StopIteration as stop:
                outcome, got = VALUE, stop.value
            except BaseException as raised:
                outcome, got = _caught(raised)
            sent, value = value, None
            if outcome == CALL:
                stack = p._stack = (top, stack)
                top = p._top = got
            elif outcome == TAIL:
                let_go, top = top, got
                p._top = top
            elif outcome == WAIT or not stack:
                self._held = (sent, top)
                return self._park(p, got) if outcome == WAIT else p._end(got, outcome)
            else:
                let_go, value = top, got
                top, stack = stack
                p._top, p._stack = top, stack
                if outcome == ERROR:
                    p._special |= _THROWING
            got = None
            if not self._alone or entries is None:
                break
            if entries:
                p._value, p._state = value, _QUEUED
                entries.append(p)
                for self._current in take:
                    break
                following = self._current
                if type(following) is not Pseudothread or following._trampoline is not self or following._state != _QUEUED:
                    entries.appendleft(following)
                    self._held = (sent, let_go)
                    return p
                p = following
                top, stack, value = p._top, p._stack, p._value
                p._value, p._state = None, _RUNNING
        p._value = value
        self._held = (sent, let_go)
        self._continue(p)
        return p

    def _continue(self, p):
        """Queue `p` for its next turn, by way of `schedule` where that is overridden."""
        if not self._overridden:
            return self._append(p)
        value, throwing = p._value, p._special & _THROWING
        p._value, p._special, p._state = None, p._special & ~_THROWING, _TAKEN
        coroutine, stack = p._top, p._stack
        self._handing.append(p)
        try:
            if throwing:
                self.schedule(coroutine, stack, type(value), value, value.__traceback__)
            else:
                self.schedule(coroutine, stack, value)
        finally:
            if self._unhand(p) and p._state == _TAKEN:  # what came back, if anything, was another coroutine or stack
                p._end(_MISSING, VALUE)

    def _park(self, p, suspension):
        p._state, p._value = _PARKED, suspension
        self._parked[p] = suspension
        try:
            suspension.suspend(p)
            return p
        except BaseException as raised:
            raised.__traceback__ = _cut(raised.__traceback__)
            error = raised
        if p._state == _ENDED:
            raise error
        parked = self._parked.pop(p, None) is not None
        p._value = error  # in place of what it was resumed with, if that was done already
        p._special |= _THROWING
        if parked:
            self._continue(p)
        return p

    def _recover(self, entry, error):
        # Ctrl-C can strike between two lines of this core (the C core has none): what was queued stays queued.
        if type(entry) is Pseudothread and entry._trampoline is self:
            if entry._state == _QUEUED and entry not in self._queue:
                self._queue._entries.appendleft(entry)
            elif entry._state == _RUNNING or entry._state == _TAKEN and type(self._queue) is Queue:
                entry._end(error, ERROR)


def _resume(p, top, value):
    """Make a turn that is not a plain `send`: throw, or do it in the context of `p`."""
    throwing, p._special = p._special & _THROWING, p._special & ~_THROWING
    if throwing:
        end_of_call(top)
    resume = top.throw if throwing else top.send
    trampoline, context = p._trampoline, p._context
    outer = trampoline._entered
    if context is None or context is outer:
        return resume(value)
    trampoline._entered = context
    try:
        return context.run(resume, value)
    finally:
        trampoline._entered = outer


def _cut(traceback):
    """Cut our own frames off behind the first entry of `traceback`. Return what is left behind it."""
    following = traceback.tb_next
    while following is not None and following.tb_frame.f_code in _OWN_CODES:
        following = following.tb_next
    traceback.tb_next = following
    return following


def _caught(error):
    """Cut our own frames off the traceback. Return what the error means, and the error or the coroutine of a TailCall."""
    error.__traceback__ = _cut(error.__traceback__)
    if not isinstance(error, TailCall):
        return ERROR, error
    if is_coroutine(error.call):
        return TAIL, error.call
    return ERROR, no_coroutine("TailCall()", error.call)


def _close(p, failure):
    """Throw GeneratorExit, or the callee's `failure`, into the innermost coroutine of `p`. Return the error that it leaves, or None."""
    p._special |= _THROWING
    try:
        got = _resume(p, p._top, GeneratorExit() if failure is None else failure)
    except (StopIteration, GeneratorExit):
        return None
    except BaseException as raised:
        raised.__traceback__ = _cut(raised.__traceback__)
        return raised
    return ignored_exit(p._top, got)


def _enter(entry):
    """Make `entry` one that stands in a Queue, or say why it cannot."""
    if type(entry) is Pseudothread:
        if entry._state != _TAKEN:
            raise entry._misuse("queue", "is queued already")
        entry._state = _QUEUED
    elif not callable(entry):
        raise TypeError(f"an entry of the queue is called without arguments, but {describe(entry)} is not callable: add() takes coroutines")


def _check_stack(coroutine, stack):
    """Return both, or raise the TypeError that names what is wrong."""
    if not is_coroutine(coroutine):
        raise no_coroutine("schedule()", coroutine)
    rest = stack
    while rest:
        if not isinstance(rest, tuple) or len(rest) != 2:
            raise TypeError(f"schedule() takes its stack in nested pairs, (caller, (its caller, ())), not {describe(rest)}")
        if not is_coroutine(rest[0]):
            raise no_coroutine("the stack of schedule()", rest[0])
        rest = rest[1]
    return coroutine, stack or ()


_OWN_CODES = {
    function.__code__
    for function in (BaseTrampoline._advance, BaseTrampoline._park, BaseTrampoline._continue, BaseTrampoline._append, _resume)
}
