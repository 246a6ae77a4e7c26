# cython: language_level=3, binding=True, auto_pickle=False, embedsignature=False, freethreading_compatible=True
# cython: boundscheck=False, wraparound=False, initializedcheck=False, always_allow_keywords=True
"""The core at C speed. What it does and why is explained in `trampoline/_pytrampoline.py`, in the same order; here stands what differs.

The innermost coroutine, its callers and the entries of the queue are plain C pointers, so that a call, a result and a turn move a pointer
each and touch no reference count. The garbage collector is shown them by the `tp_traverse` functions at the end. A function that is
`noexcept` returns an error as an object: were it raised, Cython would add a frame of ours to its traceback.

The files that are included make one unit with this one, so that the compiler sees all that a turn does. In them no `return` stands inside
a `try`: Cython would then leave the error that our caller handles in the coroutine that is running.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.string cimport memcpy
from cpython.object cimport PyObject, PyTypeObject, inquiry, traverseproc, visitproc
from cpython.ref cimport Py_CLEAR, Py_DECREF, Py_INCREF, Py_XDECREF, Py_XINCREF

from _capi cimport *

from _thread import _local, allocate_lock, get_ident
from weakref import ref
from operator import index
from contextvars import Context
from functools import update_wrapper
from time import monotonic as _monotonic
from types import CodeType, GenericAlias

from trampoline._base import Suspension, TailCall, code_of, core_types, describe, end_of_call, has_begun
from trampoline._base import ignored_exit, is_coroutine, kinds as _kinds, line_of, meaning_of, misuse, name_of, no_copy
from trampoline._base import no_coroutine, no_entry, no_result, not_copied, own_name_of, place_of, yield_itself
from trampoline._errors import exception_of, without_frames
from trampoline._traces import MANY_LEVELS as many_levels, as_thrown, note_on, shorten
from trampoline._waited import cannot_join, closed_channel, counted, in_two_threads, runs_already, tell_channel, wrong_size
from trampoline._base import resumed, thrown
from trampoline._seconds import Expired, no_jump, no_moment, seconds_of, sleeps_already, wrong_start

__all__ = [
    "BaseTrampoline", "Channel", "Collector", "Deadline", "Group", "Limit", "Node", "Pseudothread", "Queue", "Timers", "VirtualClock",
    "call", "collect", "collect_threads", "is_coroutine", "sleep", "spawn",
]

cdef dict kinds = _kinds
cdef object monotonic = _monotonic
cdef double INTERVAL = 0.001
cdef unsigned int MANY_LEVELS = many_levels
cdef sendfunc generator_send = ct_send_of(&PyGen_Type)  # what PyIter_Send would look up on every turn
cdef object tail_call = TailCall
ct_know_all_ways()
cdef PyObject* newest = NULL  # of all trampolines, which are linked from here; not owned
cdef object base_schedule  # set at the end, when the class is there
cdef str word_send = "send", word_throw = "throw", word_suspend = "suspend", word_resume = "resume", word_schedule = "schedule"
cdef str word_note = "_note"
cdef str word_value = "value"
cdef str word_qualname = "__qualname__"
cdef str word_append = "append", word_popleft = "popleft", word_wait = "_wait"
cdef str word_at_once = "at_once", word_take_back = "take_back", word_adapt = "_adapt", word_root = "_root"
cdef str word_look = "_look", word_withdraw = "withdraw", word_interruption = "_interruption"
cdef str word_untaken = "_untaken", word_taken = "taken"
cdef str word_keeper = "_keeper", word_waits_for = "waits_for", word_jump = "jump", word_throws = "_throws_at_once"
cdef str word_reactor = "reactor", word_failed = "_failed", word_end = "_end", word_host = "_host"
cdef str word_posted = "_posted", word_poll_after_pause = "_poll_after_pause", word_dispatch = "_dispatch", word_note_vain = "_note"
cdef str word_sweep = "_sweep"
cdef tuple nothing = ()
cdef object sleep_elsewhere, withdraw_sleep, limit_elsewhere, interrupt_for  # set in `_sleep.pxi`


include "_moving.pxi"
include "_collector.pxi"
include "_pseudothread.pxi"
include "_asked.pxi"
include "_queue.pxi"
include "_channel.pxi"
include "_waiters.pxi"


cdef class BaseTrampoline:
    """The queue and its run loop: what `Trampoline` is built on."""

    def __cinit__(self, *args, **kwargs):
        self.handing = []
        self.outside = set()
        self.any_queue = self.own = Queue.__new__(Queue)
        enlist(self)
        check_overridden(self)

    def __dealloc__(self):
        strike_off(self)
        drop_parked(self)
        release(self)

    def __setattr__(self, name, value):
        PyObject_GenericSetAttr(self, name, value)
        if name == word_schedule:
            check_overridden(self)
            not_alone(self)

    @property
    def queue(self):
        """The entries that wait for their turn. May be replaced by an object with the methods of a deque."""
        return self.any_queue

    @queue.setter
    def queue(self, queue):
        for method in ("append", "popleft", "__len__"):
            if not hasattr(queue, method):
                raise TypeError(f"a queue has append(), popleft() and len(), but {describe(queue)} has no {method}")
        if self.own is not None and queue is not self.own:
            for entry in self.own:
                if type(entry) is Pseudothread:
                    taken_out(<Pseudothread>entry)
        waker, self._waker = self._waker, None
        _old, _old_own = self.any_queue, self.own  # let go when nobody waits for the lock
        ct_lock(<PyObject*>self)
        self.any_queue = queue
        self.own = queue if type(queue) is Queue else None
        self.alone = False
        ct_unlock(<PyObject*>self)
        self._waker = waker
        if waker is not None:
            waker()

    @queue.deleter
    def queue(self):
        raise AttributeError("a trampoline has a queue always: replace it, or clear() it")

    __reduce__ = not_copied

    def add(self, coroutine, *, name=None, context=None):
        """Queue `coroutine` as the root of a new pseudothread, which is returned. From any thread.

        `name` is for reports. With a `context` (a contextvars.Context) every turn runs in it. TypeError if it is no coroutine.
        """
        check_root("add()", coroutine, context)
        if self.asks and not PyGen_CheckExact(<PyObject*>coroutine):
            coroutine = self._root(coroutine)
        cdef Pseudothread p = make(self, coroutine)
        place(p)
        if name is not None or context is not None:
            describe_root(p, name, context)
        cdef PyObject* started = NULL
        leave(launch(self, p, &started))
        return give(started)

    def spawn(self, coroutine, *, name=None, context=None):
        """Queue `coroutine` as `add()` does, as a pseudothread that will be joined: an error of it is kept for who does. From any thread.

        One that nobody has taken when the pseudothread is let go is reported to `sys.unraisablehook`. KeyboardInterrupt and SystemExit
        leave `run()` unless somebody waits for it. In a coroutine `p = yield spawn(coroutine)` does the same. TypeError if it is no
        coroutine.
        """
        check_root("spawn()", coroutine, context)
        if self.asks and not PyGen_CheckExact(<PyObject*>coroutine):
            coroutine = self._root(coroutine)
        cdef Pseudothread p = make(self, coroutine)
        p.special |= SPAWNED
        place(p)
        if name is not None or context is not None:
            describe_root(p, name, context)
        cdef PyObject* started = NULL
        leave(launch(self, p, &started))
        return give(started)

    def schedule(self, coroutine, stack=(), val=None, *exc):
        """Queue a turn that sends `val` to `coroutine`, and return its pseudothread. From any thread.

        `stack` has the callers in nested pairs, `(caller, (its caller, ()))`. With `exc` the turn throws instead: `val, *exc` is then an
        error as `type, value, traceback` or `instance, None, None`. TypeError if any of it is of another form; nothing is queued then. A
        subclass that overrides `schedule` sees every continuation, and so does what is assigned to it: `t.schedule = f`, not by way of
        `vars(t)`. Source: PEP 342, example 3.
        """
        if len(exc) > 2:
            raise TypeError(f"schedule() takes an error as type, value, traceback, not as {len(exc) + 1} values")
        if exc:
            val = exception_of("schedule()", val, *exc)
        cdef tuple shown = handed(self, coroutine, stack)
        cdef Pseudothread p = None if shown is None else <Pseudothread>PyTuple_GET_ITEM(<PyObject*>shown, 0)
        if p is not None and takes_back(self, p):
            unhand(self, shown)
        else:
            shown = None
            check_stack(coroutine, stack)
            p = make(self, coroutine, stack if stack else None)
            note_name(p, root(p) if stack else coroutine)
        give_next(self, p, val, len(exc) > 0)
        append(self, p, shown)
        return p

    def run(self):
        """Make turns until the queue is empty or `stop()` was called. Return what the last entry returned.

        For a pseudothread's last turn that is its result. An error that leaves a root leaves `run()`; all else stays queued and `run()` may
        be called again. RuntimeError inside `run()` of the same trampoline and from a second thread.
        """
        cdef PyObject* result = NULL
        Py_EnterRecursiveCall(" while a trampoline runs")
        cdef PyObject* failure = begin(self)
        cdef bint begun = failure == NULL
        if begun:
            failure = loop(self, &result)
            turns_end(self)
        Py_LeaveRecursiveCall()
        if begun:
            no_more_running(self)
            release(self)
        if failure != NULL:
            set_result(&result, NULL)
        leave(failure)
        return give(result)

    @property
    def _collector(self):
        """The collector that counts what this trampoline does, or None: then it is the thread's, as `collect()` set it."""
        return self.own_collector

    @_collector.setter
    def _collector(self, collector):
        set_own(self, collector)

    def stop(self):
        """End `run()` after the current turn. What is queued stays queued. From any thread."""
        ct_lock(<PyObject*>self)
        ct_set_flag(&self.running, False)
        self.alone = False
        ct_unlock(<PyObject*>self)
        leave(wake_up(self))

    @property
    def _running(self):
        return ct_flag(&self.running)

    @_running.setter
    def _running(self, value):
        ct_set_flag(&self.running, value)

    @property
    def _thread(self):
        return thread_of(self)

    @property
    def _turn(self):
        """The pseudothread whose turn it is, or None."""
        return give(whose_turn(self))

    @property
    def _leaving(self):
        return leaving_in(self)

    @property
    def _elsewhere(self):
        return elsewhere_in(self)

    @property
    def _limits(self):
        return self.limits

    @_limits.setter
    def _limits(self, value):
        self.limits = value

    def _take_one(self):
        """Take a pseudothread that is left, for it to be closed. Return None if there is none. Other entries are dropped."""
        while self.any_queue:
            entry = self.any_queue.popleft()
            if type(entry) is Pseudothread:
                return entry
        return give(ct_ref(<PyObject*>self, &self.first_parked))

    def _all_parked(self):
        """Return the pseudothreads that are parked, the longest first."""
        return all_parked(self)

    @property
    def _any_parked(self):
        return ct_pointer(&self.first_parked) != NULL

    @property
    def _timers(self):
        return self.any_timers

    @_timers.setter
    def _timers(self, timers):
        self.any_timers = timers
        self.timers = timers if type(timers) is Timers else None
        self.virtual = timers is not None and timers.virtual

    @property
    def _outside(self):
        return self.outside

    def _begin_time(self, clock):
        """Make the timers of that clock, and return them."""
        self._timers = Timers(clock)
        return self.any_timers

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
    def _asks(self):
        """Whether `_adapt()` is asked what stands for a coroutine that is no generator, too, and `_root()` for a root."""
        return self.asks

    @_asks.setter
    def _asks(self, value):
        self.asks = value

    @property
    def _waker(self):
        """None, or a function that ends `_wait()`, which another thread or a signal handler calls when it has queued something."""
        return give(waker_of(self))

    @_waker.setter
    def _waker(self, waker):
        old = self.waker  # let go behind the lock
        ct_lock(<PyObject*>self)
        self.waker = waker
        ct_unlock(<PyObject*>self)
        cdef Queue queue = own_queue(self)
        if queue is not None:
            old = queue.waker
            ct_lock(<PyObject*>queue)
            queue.waker = waker
            ct_unlock(<PyObject*>queue)


call = ct_make_call(is_coroutine, no_coroutine, exception_of, "trampoline")


include "_listed.pxi"


include "_running.pxi"


cdef check_overridden(BaseTrampoline t):
    ct_set_flag(&t.overridden, type(t).schedule is not base_schedule or "schedule" in getattr(t, "__dict__", ()))


include "_making.pxi"
include "_spawning.pxi"
include "_together.pxi"
include "_levels.pxi"
include "_collecting.pxi"
include "_turns.pxi"
include "_resume.pxi"
include "_parking.pxi"
include "_virtual.pxi"
include "_timers.pxi"
include "_sleep.pxi"
include "_waiting.pxi"
include "_polling.pxi"


# Objects and errors without Cython's help, which would leave a frame of ours in the traceback.

cdef object give(PyObject* result):
    if result == NULL:
        return None
    returned = <object>result
    Py_DECREF(returned)
    return returned


cdef int leave(PyObject* failure) except -1:
    if failure == NULL:
        return 0
    ct_restore(failure)
    return -1


include "_collected.pxi"

base_schedule = BaseTrampoline.schedule
