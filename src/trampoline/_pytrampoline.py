"""The core in Python: the reference for what a turn does, and the fallback where the extension cannot be built.

The explanations are here; `_ctrampoline.pyx` says the same in the same order. A pseudothread is a stack of coroutines: `_top`, and
its callers in `_stack` as PEP 342 nests them, `(caller, (its caller, ...))`. A call pushes one pair, a result pops one, whatever the depth.
The trampoline has a queue of entries. `run()` takes the first, makes one turn of it (one `send` or one `throw`) and queues the
pseudothread again behind all others; `_advance` does that for as many turns as it can without going back to the loop. While no other entry
is queued that would only put the pseudothread in and take it out, so it goes on with the same: the same order, no traffic.

Two things cost care. A coroutine that gave its result by a yield, the value that it was sent and the error that it was thrown are let go
when the next entry has been taken from the queue and not yet called (the recipe's closure held them so long): `_held` keeps them. Before
`run()` waits, which the recipe never does, they go too: it may wait for hours. And errors show the user's frames alone: where one of ours
enters a traceback, it is cut off again before the error goes on.

Its parts: `_pypseudothread.py`, what a pseudothread can be told; `_pyqueue.py`, the queue; `_pyturns.py`, the run loop; `_pyresume.py`, one
resume; `_pyfollowing.py`, what follows a turn; `_pytogether.py`, who waits for the end of a pseudothread;
`_pytimers.py`, time. Where somebody wants to know where the time goes: `_pycollecting.py`, who counts it; `_pycollector.py`, in what;
`_pylevels.py`, how.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from _weakref import ref
from collections import deque
from types import GeneratorType

from trampoline._base import call, describe, is_coroutine, known_as, no_copy
from trampoline._errors import exception_of, get_context, get_traceback, set_context
from trampoline._pychannel import Channel
from trampoline._pycollecting import Everywhere, collect, collect_threads, made, set_own, turns_begin, turns_end
from trampoline._pycollector import Collector, Node
from trampoline._pypseudothread import Pseudothread
from trampoline._pyqueue import Queue
from trampoline._pyresume import LEAVING, OWN_CODES, QUEUED, RUNNING, TAKEN, THROWING, behind
from trampoline._pytimers import Deadline, Limit, Timers, VirtualClock, sleep
from trampoline._pytogether import Group, check_root, check_stack, describe_root, note_name, spawn
from trampoline._pyturns import Turns
from trampoline._steps import BY_THE_LINE
from trampoline._traces import note_on
from trampoline._waited import runs_already

__all__ = [
    "BaseTrampoline", "Channel", "Collector", "Deadline", "Group", "Limit", "Node", "Pseudothread", "Queue", "Timers", "VirtualClock",
    "call", "collect", "collect_threads", "is_coroutine", "sleep", "spawn",
]  # fmt: skip

_all = []  # weak references to all trampolines, the oldest first, and to some that are gone
_most = 64  # that may stand there before those are taken out


class BaseTrampoline(Turns):
    """The queue and its run loop: what `Trampoline` is built on."""

    __slots__ = (  # so that the instance's attributes are the user's own
        "_alone", "_asks", "_astray", "_beside", "_closing", "_current", "_entered", "_era", "_handing", "_held", "_leavers", "_left",
        "_limits", "_look_at", "_outside", "_overridden", "_own_collector", "_parked", "_passed", "_peeks", "_queue", "_runner",
        "_running", "_showing", "_straddling", "_timers", "_token", "_waker_", "__weakref__",
    )  # fmt: skip

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self._running = False
        self._runner = {}  # who is inside run(): "by": a tuple with the thread's identity
        self._queue = Queue()
        self._peeks = False  # whether the first entry of a queue that is not ours can be looked at before it is taken: it is a deque
        self._parked = {}  # pseudothread: the suspension for which it is parked, in the order of parking
        self._alone = False  # running, on our own queue, `schedule` not overridden: `_advance` may go on by itself
        self._asks = False  # whether _adapt() is asked for coroutines that are no generators, too, and _root() for a root
        self._current = None  # the entry whose turn it is
        self._astray = None  # the one in whose turn an error struck this core itself, and that: until it stands in its place again
        self._held = None  # what the last turn let go: the last of it goes first
        self._showing = None  # the pseudothread whose continuation an overridden `schedule` is just being shown, after a turn
        self._handing = []  # and those that it is shown else, each in a list of its own
        self._entered = None  # the context of the pseudothread whose turn it is
        self._waker_ = None
        self._closing = {}  # those that are being closed, each by whom
        self._beside = {}  # each turn by hand, and each close(), that is going on, and its thread
        self._leavers = {}  # the pseudothreads that are being resumed, each by whom: parked no more, and not queued yet
        self._left = None  # which of those that are left close() is just closing
        self._limits = 0  # deadlines of those that need not be parked: then too it looks at what waits
        self._look_at = 0.0  # when to look next at what waits
        self._passed = 0  # by errors: how many levels
        self._timers = None  # the deadlines, from the first on; None if the reactor has its own
        self._outside = set()  # under a virtual clock: the parked pseudothreads that something outside of the trampoline will resume
        self._own_collector = None
        self._era = None  # while it collects: with which collector, and that from when on
        self._token = None  # what that collector is to be told at the end of run()
        self._straddling = None  # the Levels of the pseudothread during whose turn it was begun to collect
        self._check_overridden()
        _enlist(self)
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
        self._peeks = isinstance(queue, deque) and type(queue).popleft is deque.popleft
        if type(queue) is Queue:
            queue._mixed = True  # it may be another trampoline's
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
        if type(coroutine) is not GeneratorType or context is not None:
            check_root("add()", coroutine, context)
        if self._asks and type(coroutine) is not GeneratorType:
            coroutine = self._root(coroutine)
        p = self._make(coroutine, ())
        describe_root(p, name, context, sys._getframe(1))
        return self._launch(p)

    def spawn(self, coroutine, *, name=None, context=None):
        """Queue `coroutine` as `add()` does, as a pseudothread that will be joined: an error of it is kept for who does. From any thread.

        One that nobody has taken when the pseudothread is let go is reported to `sys.unraisablehook`. KeyboardInterrupt and SystemExit
        leave `run()` unless somebody waits for it. In a coroutine `p = yield spawn(coroutine)` does the same. TypeError if it is no
        coroutine.
        """
        check_root("spawn()", coroutine, context)
        if self._asks and type(coroutine) is not GeneratorType:
            coroutine = self._root(coroutine)
        p = self._make(coroutine, ())
        p._spawned = True
        describe_root(p, name, context, sys._getframe(1))
        return self._launch(p)

    def _launch(self, p):
        coroutine = p._top
        if type(coroutine) is not GeneratorType:
            note_name(p, coroutine)
        if not self._overridden and "schedule" not in getattr(self, "__dict__", ()):
            self._append(p)
            return p
        shown = [p]
        try:
            self._handing.append(shown)
            returned = self.schedule(coroutine)
        finally:
            self._unhand(shown)
        return returned if isinstance(returned, Pseudothread) else p

    def schedule(self, coroutine, stack=(), val=None, *exc):
        """Queue a turn that sends `val` to `coroutine`, and return its pseudothread. From any thread.

        `stack` has the callers in nested pairs, `(caller, (its caller, ()))`. With `exc` the turn throws instead: `val, *exc` is then an
        error as `type, value, traceback` or `instance, None, None`. TypeError if any of it is of another form; nothing is queued then. A
        subclass that overrides `schedule` sees every continuation, and so does what is assigned to it: `t.schedule = f`, not by way of
        `vars(t)`. Source: PEP 342, example 3.
        """
        p = self._showing
        if exc:
            if len(exc) > 2:
                raise TypeError(f"schedule() takes an error as type, value, traceback, not as {len(exc) + 1} values")
            val = exception_of("schedule()", val, *exc)
        elif p is not None and BY_THE_LINE:
            own = p._top is coroutine and p._stack is stack and self._waker_ is None and type(self._queue) is Queue
            if own and p._state is TAKEN and not p._special:
                p._payload, p._state, self._showing = val, QUEUED, None
                self._queue._entries.append(p)
                return p
        shown = self._handed(coroutine, stack) if p is not None or self._handing else None
        p = shown[0] if type(shown) is list else shown
        handed = p is not None and p._state == TAKEN  # else another thread has just closed it
        if handed:
            p._state = LEAVING  # none can any more
        else:
            p = self._make(*check_stack(coroutine, stack))
            note_name(p, p.stack[0] if stack else coroutine)
        if exc or not p._special & THROWING:  # else its suspend() has failed meanwhile, in another thread: it gets that error
            p._payload = val
        if exc:
            p._special |= THROWING
        if not handed:
            self._append(p)
            return p
        try:
            self._unhand(shown)
            self._append(p)
        except BaseException:
            p._state = TAKEN if p._state == LEAVING else p._state
            if not self._stands_in_queue(p):  # whoever shows it to the overridden `schedule` sees that nobody has taken it
                p._payload, p._special = None, p._special & ~THROWING
                if type(shown) is not list:
                    self._showing = shown
                elif shown not in self._handing:
                    self._handing.append(shown)
            raise
        return p

    def run(self):
        """Make turns until the queue is empty or `stop()` was called. Return what the last entry returned.

        For a pseudothread's last turn that is its result. An error that leaves a root leaves `run()`; all else stays queued and `run()` may
        be called again. RuntimeError inside `run()` of the same trampoline and from a second thread.
        """
        error = context = first = following = None
        mine = (get_ident(),)
        try:
            try:
                self._begin(mine)
                result, failed = self._loop()
                if failed is None:
                    return result
                error = note_on(failed._payload, failed._name, failed.added)
                context, failed = get_context(error), None
                self._finish(mine)  # before it is raised: what is let go would get it as a context
                raise error
            except BaseException as raised:
                if raised is not error and self._runner.get("by") is mine:
                    self._astray = self._current, raised
                    self._recover()
                first = get_traceback(raised)
                following = first and first.tb_next
                if following is not None and following.tb_frame.f_code in OWN_CODES:
                    first.tb_next = behind(first)
                raise
            finally:
                self._finish(mine)
        finally:
            try:
                self._finish(mine)  # again, if Ctrl-C struck in the first, or just before it
            finally:
                if "by" in self._runner and self._runner["by"] is mine:  # at the recursion limit nothing can be called
                    self._running = self._alone = False
                    self._current = self._held = None
                    del self._runner["by"]
            if error is not None:
                set_context(error, context)  # raised in an `except` block of the user's it would have got one
            result = error = context = first = following = None  # the frames of a traceback hold those that called them

    @property
    def _collector(self):
        """The collector that counts what this trampoline does, or None: then it is the thread's, as `collect()` set it."""
        return self._own_collector

    @_collector.setter
    def _collector(self, collector):
        set_own(self, collector)

    def stop(self):
        """End `run()` after the current turn. What is queued stays queued. From any thread."""
        self._running = self._alone = False
        waker = self._waker_
        if waker is not None:
            waker()

    def _own_entries(self):
        """Return the pseudothreads of this trampoline that stand in its queue, if that is one of ours."""
        return [p for p in self._queue if type(p) is Pseudothread and p._trampoline is self] if type(self._queue) is Queue else []

    def _all_parked(self):
        """Return the pseudothreads that are parked, the longest first."""
        return list(self._parked)

    @property
    def _any_parked(self):
        return bool(self._parked)

    def _begin_time(self, clock):
        """Make the timers of that clock, and return them."""
        self._timers = Timers(clock)
        return self._timers

    def _wait(self):
        """Wait until something is queued. Return whether there is anything to run again."""
        return False

    def _look(self):
        """Look, while the queue is not empty, whether more can be queued: what waits must not starve."""

    def _interruption(self, pseudothread):
        """Return the error that `pseudothread`, which was interrupted, gets in place of being parked, or None."""

    def _untaken(self, pseudothread):
        """Return what to keep with `pseudothread`, whose error nobody has taken so far, and to tell by `taken()` when somebody does."""

    _group = Group  # for what is together

    def _adapt(self, got):
        """Return what stands for `got`, an awaitable or a future that was yielded: a suspension, a coroutine, or else it is a result."""
        return got

    def _root(self, coroutine):
        """Return what stands for `coroutine`, which is no generator, as a root or in a TailCall, where `_asks`."""
        return coroutine

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

    @property
    def _turn(self):
        """The pseudothread whose turn it is, or None."""
        current = self._current
        return current if type(current) is Pseudothread and current._state == RUNNING else None

    def _begin(self, mine):
        runner = self._runner.setdefault("by", mine)  # one step, even for two threads
        if runner is not mine:
            raise runs_already(self, runner == mine)
        self._running = True
        if self._astray is not None:
            self._recover()
        self._check_overridden()
        turns_begin(self)

    def _finish(self, mine):
        if self._runner.get("by") is mine:
            self._running = self._alone = False
            self._current = None
            turns_end(self)
            del self._runner["by"]
            self._held = None

    def _check_overridden(self):
        self._overridden = type(self).schedule is not BaseTrampoline.schedule or "schedule" in getattr(self, "__dict__", ())

    def _make(self, coroutine, stack):
        p = object.__new__(Pseudothread)
        p._trampoline, p._top, p._stack, p._state = self, coroutine, stack, TAKEN
        p._payload = p._name = p._context = p._code = p._instruction = p._joiners = p._levels = None
        p._special, p._interrupted, p._spawned = 0, False, False
        if Everywhere.used:
            made(self, p)
        return p

    def _append(self, p):
        queue = self._queue
        if type(queue) is Queue:
            entries = queue._entries
            p._state = QUEUED
            entries.append(p)
        else:
            p._state = TAKEN
            queue.append(p)
        waker = self._waker_  # asked once: another thread may take it away
        if waker is not None:
            waker()


def _live():
    """Return all trampolines that there are, the newest first."""
    return [trampoline for found in reversed(_all) if (trampoline := found()) is not None]


def _enlist(trampoline):
    global _most
    while _all and _all[-1]() is None:
        _all.pop()
    if len(_all) > _most:  # without a callback at the end of each, into which Ctrl-C could strike
        _all[:] = [found for found in _all if found() is not None]
        _most = 2 * len(_all) + 64
    _all.append(ref(trampoline))


OWN_CODES.update((BaseTrampoline._append.__code__, BaseTrampoline._begin.__code__))
known_as("Trampoline", BaseTrampoline)
