"""What a turn meant and what follows it, for the core in Python: the queue, an overridden `schedule`, or a suspension."""

from __future__ import annotations

import sys
from _thread import get_ident

from trampoline._base import ADAPT, ERROR, GIVE, VALUE, WAIT, kinds, meaning_of
from trampoline._errors import get_traceback
from trampoline._pypseudothread import Pseudothread
from trampoline._pyqueue import Queue
from trampoline._pyresume import (
    ENDED,
    LEAVING,
    MISSING,
    OWED,
    OWN_CODES,
    PARKED,
    PROMPTLY,
    QUEUED,
    RUNNING,
    TAKEN,
    THROWING,
    caught,
    error_of,
    first_of,
    returned,
)
from trampoline._pytogether import Spawning, hand_out, join
from trampoline._steps import BY_THE_LINE, take_out
from trampoline._traces import as_thrown

_ON_PYPY = sys.implementation.name == "pypy"


class Following:
    """What follows a turn, for `BaseTrampoline`."""

    __slots__ = ()

    @property
    def _elsewhere(self):
        """Whether a turn by hand or a close() is going on in another thread, and none in this."""
        beside = self._beside.copy()
        return bool(beside) and get_ident() not in beside.values()

    @property
    def _leaving(self):
        """Whether another thread is just resuming one: parked no more, and not queued yet.

        This one may be, too: in a `withdraw()` that runs the trampoline, and on PyPy where Ctrl-C struck at the last step of `_wake()`.
        """
        leavers = self._leavers
        return bool(leavers) and any(thread != get_ident() for thread, _ in leavers.copy())

    def _came_back(self):
        """One of these is over: whoever waits looks again at what he waits for."""
        waker = self._waker_
        if waker is not None:
            waker()

    def _recover(self):
        # Ctrl-C can strike between two lines of this core (the C core has none), and so can the recursion limit: what was queued stays
        # queued. Where there is no room even for this, that is done when there is.
        (entry, error), state = self._astray, None
        if type(entry) is Pseudothread and entry._trampoline is self:
            own, state = type(self._queue) is Queue, entry._state
            if state == QUEUED or state == TAKEN and not own or state == LEAVING and not self._is_leaving(entry):
                self._put_back(entry, own)
            elif entry not in self._closing and (state in (RUNNING, TAKEN) or self._stands_nowhere(entry)):
                entry._end(error, ERROR)
                state = ENDED
            if state == ENDED and type(entry._joiners) is dict:
                hand_out(entry)
        self._astray = None

    def _stands_nowhere(self, p):
        """Return whether Ctrl-C struck when it was parked. Asked for its state last: another thread may resume or close it meanwhile."""
        return p not in self._parked and not self._is_leaving(p) and p not in self._closing and p._state == PARKED

    def _is_leaving(self, p):
        return p in self._leavers.copy().values()  # of a copy: other threads change it

    def _put_back(self, entry, own):
        """Put what was taken back to the front of the queue, if that can be looked through and it does not stand there."""
        queue = self._queue._entries if own else self._queue
        try:
            taken = True
            for other in queue:
                taken = taken and other is not entry
        except Exception:
            return
        if taken:
            entry._state = QUEUED if own else TAKEN
            try:
                getattr(queue, "appendleft", queue.append)(entry)
            except Exception:
                self._refused(entry, True)

    def _take_one(self):
        """Take a pseudothread that is left, for it to be closed. Return None if there is none. Other entries are dropped."""
        # It stays in the queue, for its close() to take it out, and is taken out here when that has not: so Ctrl-C in between loses nobody.
        before, self._left = self._left, None
        if self._astray is not None:
            self._recover()
        while queue := self._queue:
            try:
                if type(queue) is Queue or self._peeks:
                    entry = (queue._entries if type(queue) is Queue else queue)[0]
                    if type(entry) is Pseudothread and entry is not before:
                        self._left = entry
                        return entry
                entry = queue.popleft()
            except IndexError:
                if type(queue) is not Queue:
                    raise
                break  # another thread has closed the last that stood in it
            if type(entry) is Pseudothread:
                return entry
        return first_of(self._parked)

    def _remove(self, p):
        """Take `p` out of the queue. Return False if the run loop, in another thread, was quicker."""
        alone = self._thread in (None, get_ident())  # asked before, too: run() may end meanwhile
        if type(self._queue) is Queue:
            try:
                self._queue._entries.remove(p)
            except ValueError:  # else it stands in another's, where it will be passed over
                elsewhere = not self._is_leaving(p) and not any(other is p for other in self._queue)  # nor is resumed just now
                return alone and elsewhere and self._thread in (None, get_ident())
        return True

    def _meant(self, p, outcome, got):
        """Return what it means that `p` yielded `got`, whose class alone does not say it, and what stands for that."""
        try:
            if outcome is None:
                outcome = meaning_of(got)
            return self._adapted(p, got) if outcome == ADAPT or not outcome and self._asks else (outcome, got)  # CALL
        except StopIteration as stop:
            return returned(stop)
        except BaseException as raised:
            return caught(raised)
        finally:
            p = got = None  # the frames of a traceback hold those that called them

    def _wake(self, p, value, special=0, wanted=None, first=False):
        """Queue `p`, if it is parked, and for what is `wanted` if that is given. Return what it was parked for, else None.

        Its next turn sends `value` or, if THROWING is `special`, throws it. Where Ctrl-C strikes, or a RecursionError, it is parked still
        or is queued when that goes on.
        """
        if wanted is not None and (p._payload is not wanted or p._state != PARKED):
            return None
        parked, leaving, suspension = self._parked, self._leavers, None
        mine = get_ident(), object()  # at the recursion limit this fails, before what follows would
        try:
            leaving[mine] = p
            suspension = parked.pop(p, None)  # one step, so of two threads that resume at once one does
            if suspension is None:
                return None
            prompt = p._special & PROMPTLY
            if special:
                p._payload, p._special = value, p._special & ~PROMPTLY | special
            elif not p._special & THROWING:  # else its suspend() has failed, in another thread, since it was taken out: it gets that error
                p._payload = (value, suspension) if prompt else value
            p._state = LEAVING
            if self._outside:
                self._outside.discard(p)
            if p._levels is not None:
                p._levels.woken()
            if wanted is None:
                if type(suspension) is Pseudothread:
                    if type(joiners := suspension._joiners) is dict:  # asked once: another thread may end that
                        joiners.pop(p, None)
                elif special:
                    suspension.withdraw(p)
            if self._overridden or type(self._queue) is not Queue or "schedule" in getattr(self, "__dict__", ()):
                self._continue(p, suspension if wanted is None else None, prompt)
            else:
                entries = self._queue._entries
                if first:
                    p._state = QUEUED  # with no jump between these two: CPython 3.10 looks for signals there
                    entries.appendleft(p)
                else:
                    p._state = QUEUED
                    entries.append(p)
                waker = self._waker_  # asked once: another thread may take it away
                if waker is not None:
                    waker()
            return suspension
        except BaseException:
            if p._state == LEAVING:
                if type(self._queue) is Queue and not self._overridden:
                    p._state, waker = QUEUED, self._waker_
                    self._queue._entries.append(p)
                    if waker is not None:
                        waker()
                else:
                    self._continue(p, suspension if wanted is None else None, prompt)
            elif p._state == PARKED and p not in parked and list(leaving.copy().values()).count(p) == 1:
                p._payload = parked[p] = p._payload if suspension is None else suspension
            raise
        finally:
            if mine in leaving:  # as it is but where Ctrl-C struck before, as it can in PyPy
                del leaving[mine]  # no call, behind which it could

    def _continue(self, p, parked_for=None, promptly=0):
        """Queue `p` for its next turn, by way of `schedule` where that is overridden.

        Where it cannot be queued it is parked again for what it was `parked_for`, if that is given (and PROMPTLY if so told), else ended.
        """
        if self._overridden or "schedule" in getattr(self, "__dict__", ()):
            self._hand_over(p)
            return
        turned = parked_for is None and p._state == RUNNING  # else somebody resumed it
        try:
            self._append(p)
        except BaseException:
            self._refused(p, turned, parked_for, promptly)
            raise

    def _refused(self, p, turned, parked_for=None, promptly=0):
        """Park or end `p`, which the queue failed to take: that error goes on, whatever else fails."""
        try:
            if self._stands_in_queue(p) or p._state != TAKEN:
                return
            p._state = RUNNING  # as in `_not_taken()`
            if parked_for is not None:
                self._park_again(p, parked_for, promptly)
            else:
                self._end_unqueued(p, p._top, p._stack, turned)
        except Exception:
            pass

    def _stands_in_queue(self, p):
        """Return whether a queue that failed when `p` was put in has it all the same, as far as that can be seen."""
        if p._state != TAKEN:  # it was taken from there since; or Ctrl-C struck before it was put in, and `_recover()` does that
            return True
        try:
            return any(entry is p for entry in self._queue)
        except Exception:
            return False

    def _park_again(self, p, suspension, promptly):
        """Have `p`, which could not be queued, be parked for `suspension` as before."""
        p._payload, p._state = suspension, PARKED
        p._special = p._special & ~THROWING | promptly
        self._parked[p] = suspension
        if p._levels is not None:
            p._levels.sleeps_on()
        if type(suspension) is Pseudothread:
            join(p, suspension)
        else:
            self._note_outside(p, suspension)

    def _hand_over(self, p):
        """Show the continuation of `p` to the overridden `schedule`."""
        value, throwing, turned = p._payload, p._special & THROWING, p._state == RUNNING  # else somebody resumed it
        if p._special & PROMPTLY:  # it cannot be taken back from whoever is shown it
            value = value[0]
        if p._special & OWED:
            value = error_of(value)
        coroutine, stack = p._top, p._stack
        p._payload, p._special, p._state = None, p._special & ~(THROWING | OWED | PROMPTLY), TAKEN
        handing, shown, failed = self._handing, [p], True
        try:
            handing.append(shown)
            if throwing:
                self.schedule(coroutine, stack, type(value), value, get_traceback(value))
            else:
                self.schedule(coroutine, stack, value)
            failed = False
        finally:
            if handing:
                self._not_taken(p, shown, coroutine, stack, failed, turned)
            p = value = coroutine = stack = None  # the frames of a traceback hold those that called them

    def _not_taken(self, p, shown, coroutine, stack, failed, turned=True):
        """End `p` if an overridden `schedule` did not pass on its continuation, but another coroutine or stack, if anything."""
        if self._unhand(shown) and p._state == TAKEN:
            p._state = RUNNING  # with no jump between these two: close() in another thread is refused, or was quicker
            try:
                self._end_unqueued(p, coroutine, stack, turned)
            except Exception:
                if not failed:
                    raise  # else it is the error of `schedule` that goes on

    def _end_unqueued(self, p, coroutine, stack, turned):
        """End `p`, whose continuation nobody has taken."""
        held = self._held
        if turned and held is not None:  # the recipe's closure held the callers, too
            self._held = (stack if held[0] is None else (held[0], (coroutine, stack)), held[1])
        p._end(MISSING, VALUE)
        hand_out(p)

    def _handed(self, coroutine, stack):
        """Return as what `schedule` is just being shown this continuation: the pseudothread, or that in a list of its own; or None."""
        for shown in (self._showing, *self._handing):  # of a copy: other threads show some, too
            p = shown[0] if type(shown) is list else shown
            if p is not None and p._top is coroutine and (p._stack is stack or not p._stack and not stack):
                return shown
        return None

    def _unhand(self, shown):
        """Return whether it is shown still. That is not the next turn of the same, which another thread may be showing by now."""
        if shown is self._showing:
            self._showing = None
            return True
        handing = self._handing
        if not BY_THE_LINE:
            return take_out(handing, shown)
        for index, other in enumerate(handing):
            if other is shown:
                del handing[index]  # no call, behind which Ctrl-C could strike, or another thread have a turn
                return True
        return False

    def _park(self, p, suspension):
        interrupted = p._interrupted
        if interrupted:
            p._interrupted = False
        try:  # from here on, as in PyPy Ctrl-C can strike between any two lines
            p._payload, p._state = suspension, PARKED
            self._parked[p] = suspension
            if p._levels is not None:
                p._levels.parked(p)
            error = None
            if interrupted:
                error = self._interruption(p)
            if error is None:
                if type(suspension) is Pseudothread:
                    join(p, suspension)
                else:
                    if self._timers is not None:
                        self._note_outside(p, suspension)
                    suspension.suspend(p)
                return
        except BaseException as raised:
            error = as_thrown(raised)
        try:
            if p._state == ENDED:
                raise error
            parked = self._parked.pop(p, None) is not None
            if not parked and p in self._closing and not self._is_leaving(p):  # another thread has taken it out, to close it
                raise error
            parked = parked or self._stands_nowhere(p) or _ON_PYPY and p._state == RUNNING
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

    def _note_outside(self, p, suspension):
        """Note, if the clock is virtual, whether something outside will resume `p`."""
        if self._timers is not None and self._timers.virtual and suspension.external:
            self._outside.add(p)

    def _prompted(self, p, suspension):
        """Return what `p` is sent without waiting, or thrown, or NotImplemented if it must wait."""
        try:
            return suspension.at_once(p)
        except BaseException as raised:
            p._special |= THROWING
            return as_thrown(raised)
        finally:
            p = suspension = None  # the frames of a traceback hold those that called them

    def _adapted(self, p, got):
        """Return what it means that `p` yielded `got`, which can be awaited or is a future, and what stands for that."""
        if type(got) is Pseudothread:
            return WAIT, got
        if type(got) is Spawning:
            return GIVE, self._spawned(p, got)
        got = self._adapt(got)
        outcome = kinds.get(type(got))
        if outcome is None:
            outcome = meaning_of(got)
        return VALUE if outcome == ADAPT else outcome, got

    def _spawned(self, p, spawning):
        """Return the pseudothread that `p` starts, or the error that is to be thrown at its yield."""
        try:
            return spawning.start(self, p)
        except BaseException as raised:
            p._special |= THROWING
            return as_thrown(raised)


OWN_CODES.update(
    function.__code__
    for function in (
        *(Following._meant, Following._wake, Following._continue, Following._hand_over, Following._not_taken, Following._end_unqueued),
        *(Following._park, Following._park_again, Following._note_outside, Following._prompted, Following._adapted, Following._spawned),
    )
)
