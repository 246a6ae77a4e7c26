"""Pseudothreads, for the core in Python: what each can be asked and told. The run loop is in `_pyturns.py`."""

from __future__ import annotations

from _thread import get_ident
from time import monotonic
from types import GeneratorType, GenericAlias

from trampoline._base import (
    ERROR,
    VALUE,
    Suspension,
    core_types,
    ignored_exit,
    line_of,
    misuse,
    name_of,
    no_result,
    not_copied,
    place_of,
    promptly,
    yield_itself,
)
from trampoline._errors import exception_of, get_context, get_traceback, set_context, without_frames
from trampoline._pycollecting import Everywhere, begins_here, turns_begin, turns_end
from trampoline._pyresume import (
    ENDED,
    LEAVING,
    MISSING,
    OWED,
    PARKED,
    PROMPTLY,
    QUEUED,
    RUNNING,
    TAKEN,
    THROWING,
    error_of,
    resume_specially,
    without_ours,
)
from trampoline._pytogether import hand_out, taken

_STATES = ("queued", "queued", "running", "parked", "ended", "queued")


class Pseudothread:
    """A stack of coroutines, the root at the bottom, that calls and results push and pop. `Trampoline.add()` makes it.

    It is what stands in the trampoline's queue: calling it makes one turn.
    """

    # What is dropped is let go in alphabetical order: the value, the stack, the innermost coroutine, as with the recipe's closure.
    __slots__ = (
        "_trampoline", "_payload", "_stack", "_top", "_special", "_state", "_name", "_context", "_code", "_instruction", "_levels",
        "_moment", "_interrupted", "_spawned", "_joiners", "__weakref__",
    )  # fmt: skip

    __class_getitem__ = classmethod(GenericAlias)

    def __init_subclass__(cls, **kwargs):
        raise TypeError("type 'trampoline._pytrampoline.Pseudothread' is not an acceptable base type")

    def __new__(cls, *args, **kwargs):
        p = object.__new__(cls)
        p._state, p._special, p._payload = ENDED, 0, MISSING
        p._trampoline = p._top = p._stack = p._name = p._context = p._code = p._instruction = p._levels = p._joiners = None
        p._interrupted = p._spawned = False
        return p

    def __init__(self, *args, **kwargs):
        raise TypeError("a Pseudothread is made by Trampoline.add() or Trampoline.schedule()")

    __reduce__ = not_copied

    def __call__(self):
        """Make one turn. Return the result if it was the last turn, else None; raise the error that leaves the root.

        RuntimeError if the pseudothread is in the queue (take it out first), running, parked or ended.
        """
        if self._state != TAKEN:
            raise self._misuse("call", "is in the queue: take it out with popleft() and call what that returns")
        trampoline, here, turn, error = self._trampoline, get_ident(), object(), None
        held, current = trampoline._held, trampoline._current
        mine, by_hand = trampoline._thread in (None, here), False
        try:
            trampoline._beside[turn] = here
            by_hand = Everywhere.used and begins_here(trampoline)
            if by_hand:
                turns_begin(trampoline)
            if mine:  # else whose turn it is there is not this one
                trampoline._current = self
            if trampoline._advance(self, None, None, None) is None:
                return None
            if not self._special:
                return self._payload
            error = self._payload
            context = get_context(error)
            raise error
        except BaseException as raised:
            if raised is not error and self._state in (RUNNING, PARKED):  # as where Ctrl-C strikes in run()
                trampoline._astray = self, raised
                trampoline._recover()
            raise
        finally:
            if mine:
                trampoline._held, trampoline._current = held, current
            if turn in trampoline._beside:
                del trampoline._beside[turn]  # no call, behind which Ctrl-C could strike
            trampoline._came_back()
            if by_hand:
                turns_end(trampoline)
            if error is not None:
                set_context(error, context)  # raised in an `except` block it would have got one
            self = error = context = held = current = None  # the frames of a traceback hold those that called them

    def resume(self, value=None):
        """Queue a parked pseudothread: its innermost coroutine will be sent `value`. From any thread.

        RuntimeError if it is queued, running or ended.
        """
        if self._trampoline is None or self._trampoline._wake(self, value) is None:
            raise self._misuse("resume")

    def throw(self, error):
        """Queue a parked pseudothread: `error`, an exception (or a class of them), will be raised at its yield. From any thread.

        RuntimeError if it is queued, running or ended; TypeError if `error` is no exception.
        """
        error = exception_of("throw()", error)
        if self._trampoline is None or self._trampoline._wake(self, error, THROWING) is None:
            raise self._misuse("throw into")

    def close(self):
        """Throw GeneratorExit into the innermost coroutine, then into its caller, up to the root: `finally` blocks run, at once.

        As with a generator's own `close()`, a coroutine must not yield then (RuntimeError); another error that it raises goes into its
        caller, and out of `close()` where none of them catches it. Nothing happens if it has ended. RuntimeError if it is running.
        """
        if self._state == ENDED:
            return
        if self._state == RUNNING:
            raise self._misuse("close")
        closing, mine, failure = self._trampoline._closing, _Closing(), None
        try:
            if closing.setdefault(self, mine) is not mine:  # one step, even for two threads
                raise self._misuse("close")
            self._trampoline._beside[mine] = get_ident()
            try:
                if self._claim(mine):
                    mine.unwind(self)
            except BaseException as raised:
                if not mine.begun:
                    raise
                failure = without_frames(raised)
            if failure is not None:
                mine.unwind(self)  # Ctrl-C struck between two coroutines: the rest of them is closed, too
            if mine.failure is not None and (failure is None or isinstance(failure, Exception)):
                failure = mine.failure
            if failure is not None:
                context = get_context(failure)
                try:
                    raise failure
                finally:
                    set_context(failure, context)  # raised in an `except` block it would have got one
                    failure = context = None
        finally:
            parked = self._trampoline._parked
            if mine.begun and self._state == RUNNING:  # near the recursion limit: the rest is closed when close() is called once more
                self._payload = parked[self] = Suspension()
                self._state = PARKED
            elif mine.taking and not mine.begun and self._state == PARKED and self not in parked:
                parked[self] = self._payload  # Ctrl-C struck when it was taken out
            try:  # no call, behind which Ctrl-C could strike
                if closing[self] is mine:
                    del closing[self]
            except KeyError:  # it is another thread's, which was refused or has ended it meanwhile
                pass
            if mine in self._trampoline._beside:
                del self._trampoline._beside[mine]
                self._trampoline._came_back()
            self = mine = failure = None  # the traceback holds this frame

    @property
    def done(self):
        """Whether it has ended: by a result, by an error or by `close()`."""
        return self._state == ENDED

    def result(self):
        """Return the root's result, or raise the error that left the root. RuntimeError if it has not ended or was closed."""
        if self._state != ENDED:
            raise RuntimeError(f"{self!r} has no result yet")
        if self._special:
            taken(self)
            error = error_of(self)
            context = get_context(error)
            try:
                raise error
            finally:
                set_context(error, context)
                self = error = context = None
        if self._payload is MISSING:
            raise no_result(self)
        return self._payload

    @property
    def stack(self):
        """The coroutines from the root to the innermost, as a tuple; empty after the end."""
        innermost, stack = self._top, self._stack
        if innermost is None:
            return ()
        found = [innermost]
        while stack:
            coroutine, stack = stack
            found.append(coroutine)
        return tuple(reversed(found))

    @property
    def state(self):
        """'queued', 'running', 'parked' or 'ended'."""
        return _STATES[self._state]

    @property
    def trampoline(self):
        """The trampoline whose turn it takes."""
        return self._trampoline

    @property
    def name(self):
        """The name that `add()` was given, or that of the root's function."""
        coroutines = self.stack  # asked once: another thread may end it between two questions
        return name_of(coroutines[0]) if self._name is None and coroutines else self._name

    @property
    def waits_for(self):
        """The suspension, or the pseudothread, for which it is parked, or None."""
        return self._payload if self._state == PARKED else None

    @property
    def added(self):
        """Where it was added: (file name, line number), or None where that is unknown."""
        return None if self._code is None else line_of(self._code, self._instruction)

    @property
    def age(self):
        """How long ago it was added, in seconds, to a sixteenth of one; None if it was made by `schedule()`."""
        return None if self._code is None else int((monotonic() - self._moment) * 16) / 16

    def __repr__(self):
        innermost, state, name, value = self._top, self._state, self.name, self._payload
        if innermost is None or state == ENDED:
            return f"<Pseudothread {name!r} ended>"
        waits = "" if state != PARKED else f" for the end of {value.name!r}" if type(value) is Pseudothread else f" for {value!r}"
        return f"<Pseudothread {name!r} {_STATES[state]}{waits} at {place_of(innermost, self._trampoline)}>"

    def __iter__(self):
        return yield_itself(self)

    def __await__(self):
        return yield_itself(self)

    @property
    def _error(self):
        """The error that left the root, which whoever asks for it takes, or None."""
        if self._state != ENDED or not self._special:
            return None
        taken(self)
        return error_of(self)

    def _interrupt(self):
        """Have `_interruption()` of its trampoline asked for an error when it parks next."""
        self._interrupted = True

    def _overtake(self, error):
        """Have `error` raised at the next turn, in place of what would be sent, if queued. Return whether it is."""
        if self._state != QUEUED or self._special & THROWING:
            return False
        self._payload = error
        self._special |= THROWING
        return True

    def _misuse(self, verb, queued="is queued: it will take its turn by itself"):
        parked = "is parked: only resume(), throw() and close() go on from there"
        if verb not in ("call", "queue"):  # another thread, which has just done one of these, has not yet noted that
            parked = queued
        why = (queued, queued, "is running", parked, "has ended", queued)[self._state]
        return misuse(verb, self, why)

    def _claim(self, closing):
        """Take it from where it stands, for `close()`: one thread can. It runs then. Return False if it has ended meanwhile."""
        state, trampoline = self._state, self._trampoline  # asked once: the run loop may be in another thread
        if state == ENDED:
            return False
        if state == PARKED:
            closing.taking = True  # where Ctrl-C strikes now, it is put back
            held = trampoline._parked.pop(self, None)
            if held is None:
                closing.taking = False  # another thread was quicker
                raise self._misuse("close")
        else:
            try:
                alone = state != QUEUED or trampoline._remove(self)
            except BaseException:  # Ctrl-C
                if self._state == QUEUED:
                    trampoline._put_back(self, True)
                raise
            if state in (LEAVING, RUNNING) or not alone or self._state != state:
                raise self._misuse("close")
            held = self._payload
        given, thrown = self._special & PROMPTLY, self._special & (THROWING | OWED) == THROWING
        self._payload, self._special, self._state, closing.begun = None, self._special & ~(PROMPTLY | OWED), RUNNING, True
        try:
            if state == PARKED:
                trampoline._outside.discard(self)
                if type(held) is not Pseudothread:
                    held.withdraw(self)
                elif type(joiners := held._joiners) is dict:  # asked once: another thread may end that
                    joiners.pop(self, None)
            elif given:
                held[1].take_back(self, held[0])
            elif thrown and isinstance(held, (KeyboardInterrupt, SystemExit)):  # they are not swallowed
                closing.failure = held
        except BaseException as raised:
            without_ours(raised)
            closing.failure = raised
        return True

    def _end(self, value, outcome):
        if self._name is None:
            root, stack = self._top, self._stack
            while stack:
                root, stack = stack
            self._name = type(root) is GeneratorType and root.__qualname__ or name_of(root)
        stack = None
        if outcome == ERROR:
            stack = get_traceback(value), get_context(value)  # for whoever is given it later
        levels, self._levels = self._levels, None
        self._payload, self._special, self._state = value, THROWING if outcome == ERROR else 0, ENDED
        self._top = self._context = None
        self._stack = stack
        if levels is not None:
            levels.ended(self, outcome, by_turn=outcome == ERROR or value is not MISSING)
        return self


core_types.add(Pseudothread)


class _Closing:
    """One `close()`. What it has done is remembered, so that it can go on where Ctrl-C struck."""

    __slots__ = ("begun", "by_hand", "failure", "taking")

    def __init__(self):
        self.begun = self.taking = False
        self.by_hand = self.failure = None  # the failure is that of the last that was closed

    def unwind(self, p):
        """Close what is left of its coroutines, and tell those that wait for its end."""
        try:
            if self.by_hand is None:
                self.by_hand = Everywhere.used and begins_here(p._trampoline)
                if self.by_hand:
                    turns_begin(p._trampoline)
            while p._state == RUNNING:
                if p._levels is not None:
                    p._levels._closing = True
                self.failure = _close(p, self.failure)
                if p._levels is not None:
                    p._levels.closed()
                if p._stack:
                    p._top, p._stack = p._stack
                else:
                    p._end(MISSING, VALUE)
            if self.by_hand:
                turns_end(p._trampoline)
                self.by_hand = False
            if type(p._joiners) is dict:
                hand_out(p)
        finally:
            self = p = None  # the frames of a traceback hold those that called them


def _close(p, failure):
    """Throw GeneratorExit, or the callee's `failure`, into the innermost coroutine of `p`. Return the error that it leaves, or None."""
    p._special |= THROWING
    top, outer = p._top, promptly[0]
    promptly[0] = 0  # whatever waits is refused
    try:
        got = resume_specially(p, top, GeneratorExit() if failure is None else failure)
    except (StopIteration, GeneratorExit):
        return None
    except BaseException as raised:
        if p._special & THROWING:  # Ctrl-C struck before anything was thrown
            raise
        without_ours(raised)
        return raised
    finally:
        promptly[0] = outer
        p = failure = None  # the frames of a traceback hold those that called them
    return ignored_exit(top, got)
