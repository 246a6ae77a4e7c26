# cython: language_level=3, binding=True, auto_pickle=False, embedsignature=False, freethreading_compatible=False
# cython: boundscheck=False, wraparound=False, initializedcheck=False, always_allow_keywords=True
"""The core at C speed. What it does and why is explained in `trampoline/_pytrampoline.py`, in the same order; here stands what differs.

The innermost coroutine, its callers and the entries of the queue are plain C pointers, so that a call, a result and a turn move a pointer
each and touch no reference count. The garbage collector is shown them by the `tp_traverse` functions at the end. A function that is
`noexcept` returns an error as an object: were it raised, Cython would add a frame of ours to its traceback.
"""

cimport cython
from cpython.mem cimport PyMem_Free
from cpython.object cimport PyObject, PyTypeObject, inquiry, traverseproc, visitproc
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF, Py_XINCREF

from _capi cimport *

from _thread import get_ident
from contextvars import Context
from time import monotonic as _monotonic
from types import CoroutineType, GeneratorType, GenericAlias

from trampoline._base import TailCall, describe, end_of_call, exception_of, ignored_exit, is_coroutine, kinds as _kinds, line_of
from trampoline._base import meaning_of, misuse, name_of, no_copy, no_coroutine, note_on, place_of

__all__ = ["BaseTrampoline", "Pseudothread", "Queue", "call", "is_coroutine"]

cdef dict kinds = _kinds
cdef object monotonic = _monotonic
cdef double INTERVAL = 0.001
cdef sendfunc generator_send = ct_send_of(&PyGen_Type)  # what PyIter_Send would look up on every turn
cdef object throw_of_generator = GeneratorType.throw, throw_of_coroutine = CoroutineType.throw
cdef object base_schedule  # set at the end, when the class is there
cdef str word_send = "send", word_throw = "throw", word_suspend = "suspend", word_schedule = "schedule"
cdef str word_note = "_note"
cdef str word_value = "value"
cdef str word_qualname = "__qualname__"
cdef str word_yieldfrom = "gi_yieldfrom", word_await = "cr_await"
cdef str word_append = "append", word_popleft = "popleft", word_wait = "_wait"
cdef str word_look = "_look", word_withdraw = "withdraw", word_interruption = "_interruption"


@cython.final
@cython.freelist(64)
@cython.trashcan(True)  # one may keep another as its result, and that the next
cdef class Pseudothread:
    """A stack of coroutines, the root at the bottom, that calls and results push and pop. `Trampoline.add()` makes it.

    It is what stands in the trampoline's queue: calling it makes one turn.
    """

    def __cinit__(self):
        self.state = ENDED
        self.callers, self.capacity = self.near, 2

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, *args, **kwargs):
        raise TypeError("a Pseudothread is made by Trampoline.add() or Trampoline.schedule()")

    def __reduce__(self):
        raise no_copy(self)

    def __dealloc__(self):
        drop_stack(self)

    def __call__(self):
        """Make one turn. Return the result if it was the last turn, else None; raise the error that leaves the root.

        RuntimeError if the pseudothread is in the queue (take it out first), running, parked or ended.
        """
        if self.state != TAKEN:
            raise self._misuse("call", "is in the queue: take it out with popleft() and call what that returns")
        cdef BaseTrampoline t = self.trampoline
        cdef PyObject* held_coroutine = t.held_coroutine
        cdef PyObject* held_sent = t.held_sent
        cdef PyObject* result = NULL
        t.held_coroutine = t.held_sent = NULL
        cdef PyObject* current = <PyObject*>self
        Py_INCREF(self)  # as the run loop has a reference of its own: end() counts on it
        cdef PyObject* failure = advance(t, &current, None, NULL, &result)
        release(t)
        Py_DECREF(self)
        t.held_coroutine, t.held_sent = held_coroutine, held_sent
        leave(failure)
        return give(result)

    def resume(self, value=None):
        """Queue a parked pseudothread: its innermost coroutine will be sent `value`. From any thread.

        RuntimeError if it is queued, running or ended.
        """
        cdef PyObject* suspension = unpark(self, "resume")
        Py_INCREF(value)
        self.value = <PyObject*>value
        cdef BaseTrampoline t = self.trampoline
        t.leaving += 1
        cdef PyObject* failure = go_on(t, self)
        t.leaving -= 1
        Py_DECREF(<object>suspension)  # last: its end may look at us
        leave(failure)

    def throw(self, error):
        """Queue a parked pseudothread: `error`, an exception (or a class of them), will be raised at its yield. From any thread.

        RuntimeError if it is queued, running or ended; TypeError if `error` is no exception.
        """
        error = exception_of("throw()", error)
        cdef PyObject* suspension = unpark(self, "throw into")
        Py_INCREF(error)
        cdef BaseTrampoline t = self.trampoline
        t.leaving += 1
        cdef PyObject* failure = withdraw(suspension, self)
        self.value = <PyObject*>error
        self.special |= THROWING
        cdef PyObject* other = go_on(t, self)
        t.leaving -= 1
        Py_DECREF(<object>suspension)
        if failure == NULL:
            failure, other = other, NULL
        Py_XDECREF(other)
        leave(failure)

    def close(self):
        """Throw GeneratorExit into the innermost coroutine, then into its caller, up to the root: `finally` blocks run, at once.

        As with a generator's own `close()`, a coroutine must not yield then (RuntimeError); another error that it raises goes into its
        caller, and out of `close()` where none of them catches it. Nothing happens if it has ended. RuntimeError if it is running.
        """
        cdef PyObject* failure = NULL
        cdef PyObject* top
        cdef PyObject* held
        cdef bint parked = self.state == PARKED
        if self.state == ENDED:
            return
        if self.state == RUNNING:
            raise self._misuse("close")
        if parked:
            held = unpark(self, "close")
        else:
            held, self.value = self.value, NULL
        if self.state == QUEUED and self.trampoline.own is not None:
            remove(self.trampoline.own, self)
        self.state = RUNNING
        self.special &= ~THROWING
        if parked:
            failure = withdraw(held, self)
        Py_XDECREF(held)
        while True:
            top = self.top
            failure = close_one(self, top, failure)
            if not pop(self):
                break
            Py_DECREF(<object>top)
        Py_INCREF(self)
        end(self, top, NULL, VALUE)
        Py_DECREF(self)
        Py_DECREF(<object>top)
        leave(failure)

    @property
    def done(self):
        """Whether it has ended: by a result, by an error or by `close()`."""
        return self.state == ENDED

    def result(self):
        """Return the root's result, or raise the error that left the root. RuntimeError if it has not ended or was closed."""
        if self.state != ENDED:
            raise RuntimeError(f"{self!r} has no result yet")
        if self.special & THROWING:
            (<object>self.value).__traceback__ = self.linked
            Py_INCREF(<object>self.value)
            leave(self.value)
        if self.value == NULL:
            raise RuntimeError(f"{self!r} was closed before it had a result")
        return <object>self.value

    @property
    def stack(self):
        """The coroutines from the root to the innermost, as a tuple; empty after the end."""
        cdef unsigned int level
        if self.top == NULL:
            return ()
        found, linked = [], self.linked
        while linked:
            coroutine, linked = linked
            found.append(coroutine)
        found.reverse()
        for level in range(self.depth):
            found.append(<object>self.callers[level])
        found.append(<object>self.top)
        return tuple(found)

    @property
    def state(self):
        """'queued', 'running', 'parked' or 'ended'."""
        return ("queued", "queued", "running", "parked", "ended")[self.state]

    @property
    def trampoline(self):
        """The trampoline whose turn it takes."""
        return self.trampoline

    @property
    def name(self):
        """The name that `add()` was given, or that of the root's function."""
        if self.details is not None and self.details[0] is not None:
            return self.details[0]
        return name_of(root(self)) if self.top != NULL else None

    @property
    def waits_for(self):
        """The suspension for which it is parked, or None."""
        return <object>self.value if self.state == PARKED else None

    @property
    def added(self):
        """Where it was added: (file name, line number), or None where that is unknown."""
        return None if self.code is None else line_of(self.code, self.instruction)

    def __repr__(self):
        if self.top == NULL:
            return f"<Pseudothread {self.name!r} ended>"
        innermost, state, name = <object>self.top, (<object>self).state, self.name  # asked once: another thread may end it meanwhile
        waits = f" for {self.waits_for!r}" if self.state == PARKED else ""
        return f"<Pseudothread {name!r} {state}{waits} at {place_of(innermost)}>"

    def _interrupt(self):
        """Have `_interruption()` of its trampoline asked for an error when it parks next."""
        if self.state != ENDED:
            self.special |= INTERRUPTED

    def _note(self):
        note_on(<object>self.value, None if self.details is None else self.details[0], (<object>self).added)

    def _misuse(self, verb, queued="is queued: it will take its turn by itself"):
        why = (queued, queued, "is running", "is parked: only resume(), throw() and close() go on from there", "has ended")[self.state]
        return misuse(verb, self, why)


@cython.final
@cython.trashcan(True)
cdef class Queue:
    """The entries that wait for their turn: callables without arguments, pseudothreads mostly. A deque to its user."""

    def __init__(self):  # without it any arguments would be taken
        pass

    def __dealloc__(self):
        drop_entries(self)
        PyMem_Free(self.ring)

    def append(self, entry):
        """Queue `entry` behind all others. TypeError if it is not callable, RuntimeError for a pseudothread that cannot be queued."""
        enter(self, entry)
        put(self, <PyObject*>entry)
        if self.waker is not None:
            self.waker()

    def appendleft(self, entry):
        """Queue `entry` before all others. TypeError if it is not callable, RuntimeError for a pseudothread that cannot be queued."""
        enter(self, entry)
        put_first(self, <PyObject*>entry)
        if self.waker is not None:
            self.waker()

    def popleft(self):
        """Remove and return the first entry. IndexError if there is none."""
        if not self.count:
            raise IndexError("popleft() from an empty queue")
        cdef PyObject* taken = take(self)
        entry = <object>taken
        Py_DECREF(entry)
        if type(entry) is Pseudothread and (<Pseudothread>entry).state == QUEUED:
            (<Pseudothread>entry).state = TAKEN
        return entry

    def clear(self):
        """Remove all entries."""
        drop_entries(self)

    def __len__(self):
        return self.count

    def __bool__(self):
        return self.count != 0

    def __iter__(self):
        return iter(entries_of(self))

    def __repr__(self):
        return f"Queue({entries_of(self)!r})"

    def __reduce__(self):
        raise no_copy(self)


cdef class BaseTrampoline:
    """The queue and its run loop: what `Trampoline` is built on."""

    def __cinit__(self, *args, **kwargs):
        self.handing = []
        self.any_queue = self.own = Queue.__new__(Queue)
        check_overridden(self)

    def __dealloc__(self):
        drop_parked(self)
        release(self)

    def __setattr__(self, name, value):
        PyObject_GenericSetAttr(self, name, value)
        if name == word_schedule:
            check_overridden(self)
            self.alone = False

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
                if type(entry) is Pseudothread and (<Pseudothread>entry).state == QUEUED:
                    (<Pseudothread>entry).state = TAKEN
        waker, self._waker = self.waker, None
        self.any_queue = queue
        self.own = queue if type(queue) is Queue else None
        self.alone = False
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
        if not resumes(coroutine):
            raise no_coroutine("add()", coroutine)
        if context is not None and type(context) is not Context:
            raise TypeError(f"add() takes a contextvars.Context as its context, not {describe(context)}")
        cdef Pseudothread p = make(self, coroutine)
        cdef PyFrameObject* frame = PyEval_GetFrame()
        if name is not None or context is not None:
            p.details = (name, context)
            p.special = IN_CONTEXT if context is not None else 0
        if frame != NULL:
            p.code = <object>ct_code(frame)
            Py_DECREF(p.code)
            p.instruction = ct_instruction(frame)
        if not self.overridden:
            append(self, p)
            return p
        self.handing.append(p)
        try:
            returned = self.schedule(coroutine)
        finally:
            unhand(self, p)
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
        cdef Pseudothread p = handed(self, coroutine, stack)
        if p is not None:
            unhand(self, p)
        else:
            check_stack(coroutine, stack)
            p = make(self, coroutine)
            p.linked = stack if stack else None
        if exc:
            p.special |= THROWING
        Py_INCREF(val)
        p.value = <PyObject*>val
        append(self, p)
        return p

    def run(self):
        """Make turns until the queue is empty or `stop()` was called. Return what the last entry returned.

        For a pseudothread's last turn that is its result. An error that leaves a root leaves `run()`; all else stays queued and `run()` may
        be called again. RuntimeError inside `run()` of the same trampoline and from a second thread.
        """
        cdef PyObject* result = NULL
        Py_EnterRecursiveCall(" while a trampoline runs")
        try:
            begin(self)
        except BaseException:
            Py_LeaveRecursiveCall()
            raise
        cdef PyObject* failure = loop(self, &result)
        Py_LeaveRecursiveCall()
        self.running = self.alone = False
        self.thread = None
        release(self)
        if failure != NULL:
            set_result(&result, NULL)
        leave(failure)
        return give(result)

    def stop(self):
        """End `run()` after the current turn. What is queued stays queued. From any thread."""
        self.running = self.alone = False
        waker = self.waker
        if waker is not None:
            waker()

    @property
    def _running(self):
        return self.running

    @_running.setter
    def _running(self, value):
        self.running = value

    @property
    def _thread(self):
        return self.thread

    @property
    def _leaving(self):
        return self.leaving

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
        return None if self.first_parked == NULL else <object>self.first_parked

    def _all_parked(self):
        """Return the pseudothreads that are parked, the longest first."""
        cdef PyObject* p = self.first_parked
        found = []
        while p != NULL:
            found.append(<object>p)
            p = (<Pseudothread>p).near[1]
        return found

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
        return self.waker

    @_waker.setter
    def _waker(self, waker):
        self.waker = waker
        if self.own is not None:
            self.own.waker = waker


call = ct_make_call(is_coroutine, no_coroutine, exception_of, __name__)


cdef begin(BaseTrampoline t):
    if t.thread is not None:
        where = "inside itself" if t.thread == get_ident() else "by a second thread"
        raise RuntimeError(f"run() of {t!r} was called {where}: it is running already, add() what else it shall do")
    t.thread = get_ident()
    t.running = True
    check_overridden(t)


cdef check_overridden(BaseTrampoline t):
    t.overridden = type(t).schedule is not base_schedule or "schedule" in getattr(t, "__dict__", ())


cdef Pseudothread handed(BaseTrampoline t, coroutine, stack):
    """Return the pseudothread of which this is the continuation, if `schedule` is just being shown it."""
    cdef Pseudothread p
    for p in t.handing:
        if p.top == <PyObject*>coroutine and (p.linked is stack or not p.linked and not stack):
            return p
    return None


cdef bint unhand(BaseTrampoline t, Pseudothread p) except -1:
    """Return whether it was still there."""
    for index in range(len(t.handing)):
        if t.handing[index] is p:
            del t.handing[index]
            return True
    return False


cdef Pseudothread make(BaseTrampoline t, coroutine):
    cdef Pseudothread p = Pseudothread.__new__(Pseudothread)
    p.trampoline = t
    Py_INCREF(coroutine)
    p.top = <PyObject*>coroutine
    p.state = TAKEN
    return p


cdef append(BaseTrampoline t, Pseudothread p):
    if t.own is not None:
        put(t.own, <PyObject*>p)
        p.state = QUEUED
    else:
        p.state = TAKEN
        t.any_queue.append(p)
    if t.waker is not None:
        t.waker()


cdef PyObject* loop(BaseTrampoline t, PyObject** result) noexcept:
    """Make turns. Return the error that leaves run(), or NULL."""
    cdef PyObject* entry
    cdef PyObject* failure
    cdef Queue queue
    cdef int look = TURNS
    cdef bint alive  # asked before the queue: another thread takes one out of what is parked, and then queues it
    while t.running:
        alive = t.first_parked != NULL or t.leaving != 0
        queue = t.own
        if queue is None:
            failure = take_foreign(t, &entry)
        elif queue.count:
            t.alone = not t.overridden
            entry, failure = take(queue), NULL
        else:
            entry = failure = NULL
        if entry == NULL:
            if failure != NULL or not alive or not waits(t, &failure):
                return failure
            continue
        let_go_before(t, entry)
        if Py_TYPE(entry) != <PyTypeObject*>Pseudothread:
            look -= 1
            failure = call_entry(t, entry, result)
        elif (<Pseudothread>entry).state == ENDED and (<Pseudothread>entry).value == NULL:
            Py_DECREF(<object>entry)  # closed while it stood in a queue that is not ours
            set_result(result, NULL)
        elif (<Pseudothread>entry).trampoline is not t:
            if (<Pseudothread>entry).state == QUEUED:
                (<Pseudothread>entry).state = TAKEN
            failure = call_entry(t, entry, result)
        else:
            # The last entry's result goes when one more turn was made, as the recipe's does.
            failure = advance(t, &entry, queue if result[0] == NULL or result[0] == Py_None else None, &look, result)
            look -= 1  # for a turn that ended in a wait
            Py_DECREF(<object>entry)
        if failure != NULL:
            return failure
        if look > FEW and (t.first_parked != NULL or t.limits):
            look = FEW
        if look <= 0:
            look = TURNS
            if PyErr_CheckSignals() < 0:  # between turns of Cython's generators nobody else asks
                return ct_fetch()
            failure = look_around(t) if t.first_parked != NULL or t.limits else NULL
            if failure != NULL:
                return failure
    return NULL


cdef PyObject* look_around(BaseTrampoline t) noexcept:
    """Look at what waits if it is time to. Return an error or NULL."""
    cdef PyObject* now = PyObject_CallNoArgs(<PyObject*>monotonic)
    if now == NULL:
        return ct_fetch()
    cdef double seconds = PyFloat_AsDouble(now)
    Py_DECREF(<object>now)
    if seconds < t.look_at:
        return NULL
    t.look_at = seconds + INTERVAL
    return dropped(PyObject_CallMethodNoArgs(<PyObject*>t, <PyObject*>word_look))


cdef inline void let_go_before(BaseTrampoline t, PyObject* entry) noexcept:
    """Let go what the last turn held. A pseudothread taken from our own queue is running already, as between two turns of advance()."""
    cdef bint ours = is_ours(t, entry)
    if ours:
        (<Pseudothread>entry).state = RUNNING
    release(t)
    if ours:
        (<Pseudothread>entry).state = QUEUED


cdef PyObject* advance(BaseTrampoline t, PyObject** current, Queue queue, int* look, PyObject** result) noexcept:
    """Make turns of `current`, and of what else stands in the `queue` while that is pseudothreads of `t`; one turn, if the queue is None.

    `current` is then the pseudothread that had the last turn; its state says how that ended. Return the error that leaves run(), or NULL.
    """
    cdef PyObject* p = current[0]
    cdef PyObject* top = (<Pseudothread>p).top
    cdef PyObject* sent
    cdef PyObject* next_sent = (<Pseudothread>p).value
    cdef PyObject* let_go
    cdef PyObject* got
    cdef PyObject* failure
    cdef int outcome
    if (<Pseudothread>p).state > TAKEN:
        return refuse(<Pseudothread>p, "call")
    (<Pseudothread>p).state = RUNNING
    (<Pseudothread>p).value = NULL
    while True:
        sent, next_sent, let_go = next_sent, NULL, NULL
        if (PyGen_CheckExact(top) or PyCoro_CheckExact(top)) and not (<Pseudothread>p).special:
            outcome = send_to_generator(top, sent, &got)
        else:
            outcome = resume(<Pseudothread>p, top, sent, &got)
        if outcome == NEXT:
            outcome = CALL if PyGen_CheckExact(got) else meaning(&got)
        if outcome == CALL and ((<Pseudothread>p).depth < (<Pseudothread>p).capacity or grow(<Pseudothread>p)):
            (<Pseudothread>p).callers[(<Pseudothread>p).depth] = top
            (<Pseudothread>p).depth = (<Pseudothread>p).depth + 1  # `+= 1` would take a reference of p's meanwhile
            (<Pseudothread>p).top = top = got
        elif outcome == VALUE and (<Pseudothread>p).depth:
            (<Pseudothread>p).depth = (<Pseudothread>p).depth - 1
            let_go, top = top, (<Pseudothread>p).callers[(<Pseudothread>p).depth]
            (<Pseudothread>p).top = top
            next_sent = got
        else:
            outcome = odd_turn(<Pseudothread>p, outcome, got, &next_sent, &let_go)
            if outcome != NEXT:
                break
            top = (<Pseudothread>p).top
        outcome = NEXT
        if queue is None or not t.alone:
            break
        look[0] -= 1
        if look[0] <= 0:
            break
        if queue.count:
            if not is_ours(t, queue.ring[queue.head]):
                break
            (<Pseudothread>p).value = next_sent
            (<Pseudothread>p).state = QUEUED
            current[0] = p = rotate(queue, p)
            top, next_sent = (<Pseudothread>p).top, (<Pseudothread>p).value
            (<Pseudothread>p).state = RUNNING
            (<Pseudothread>p).value = NULL
        Py_XDECREF(sent)
        Py_XDECREF(let_go)
    t.held_coroutine, t.held_sent = let_go, sent
    failure = NULL
    if outcome == NEXT:
        (<Pseudothread>p).value = next_sent
        failure = go_on(t, <Pseudothread>p)
    elif outcome == WAIT:
        failure = park(t, <Pseudothread>p)
    else:
        Py_XINCREF((<Pseudothread>p).value)
        if outcome == VALUE:
            set_result(result, (<Pseudothread>p).value)
            return NULL
        failure = (<Pseudothread>p).value
        if look != NULL:  # not called by hand
            failure = noted(<Pseudothread>p, failure)
    set_result(result, NULL)
    return failure


cdef int odd_turn(Pseudothread p, int outcome, PyObject* got, PyObject** next_sent, PyObject** let_go) noexcept:
    """What follows a turn that was no plain call or result. Return NEXT if another turn shall follow, else WAIT, VALUE or ERROR."""
    if outcome == WAIT:
        p.value = got
        return WAIT
    if outcome == CALL:  # no memory for it: the error goes to who wanted to make the call
        Py_DECREF(<object>got)
        next_sent[0] = ct_fetch()
        p.special |= THROWING
        return NEXT
    if outcome == ERROR:
        outcome = caught(&got)
    let_go[0] = p.top
    if outcome == TAIL:
        p.top = got
        return NEXT
    if not pop(p):
        end(p, let_go[0], got, outcome)
        return outcome
    next_sent[0] = got
    if outcome == ERROR:
        p.special |= THROWING
    return NEXT


cdef inline int send_to_generator(PyObject* coroutine, PyObject* sent, PyObject** got) noexcept:
    """Return NEXT with what was yielded, VALUE with what was returned, or ERROR with the error."""
    cdef PySendResult how = generator_send(coroutine, sent if sent != NULL else Py_None, got)
    if how == PYGEN_NEXT:
        return NEXT
    return VALUE if how == PYGEN_RETURN else raised(got)


cdef int resume(Pseudothread p, PyObject* coroutine, PyObject* sent, PyObject** got) noexcept:
    """The same for any coroutine, with what is special about this turn: an error to be thrown, a context."""
    cdef bint throwing = (p.special & THROWING) != 0
    cdef PyObject* context = NULL
    cdef int outcome
    cdef PyObject* outer = p.trampoline.entered
    p.special &= ~THROWING
    if p.special & IN_CONTEXT:
        context = <PyObject*>p.details[1]
    if context == NULL or context == outer:
        return throw_into(coroutine, sent, got) if throwing else send_to(coroutine, sent if sent != NULL else Py_None, got)
    if PyContext_Enter(context) < 0:
        got[0] = ct_fetch()
        return ERROR
    p.trampoline.entered = context
    outcome = throw_into(coroutine, sent, got) if throwing else send_to(coroutine, sent if sent != NULL else Py_None, got)
    p.trampoline.entered = outer
    if PyContext_Exit(context) < 0:
        Py_XDECREF(got[0])
        got[0] = ct_fetch()
        return ERROR
    return outcome


cdef int send_to(PyObject* coroutine, PyObject* value, PyObject** got) noexcept:
    cdef PySendResult how
    if ct_has_send(coroutine):
        how = PyIter_Send(coroutine, value, got)
        return NEXT if how == PYGEN_NEXT else VALUE if how == PYGEN_RETURN else raised(got)
    got[0] = PyObject_CallMethodOneArg(coroutine, <PyObject*>word_send, value)
    return NEXT if got[0] != NULL else raised(got)


cdef int throw_into(PyObject* coroutine, PyObject* error, PyObject** got) noexcept:
    if delegates(coroutine):
        got[0] = dropped(PyObject_CallFunctionObjArgs(<PyObject*>end_of_call, coroutine, NULL))
        if got[0] != NULL:
            return ERROR
    if PyGen_CheckExact(coroutine):
        got[0] = throw_with(<PyObject*>throw_of_generator, coroutine, error)
    elif PyCoro_CheckExact(coroutine):
        got[0] = throw_with(<PyObject*>throw_of_coroutine, coroutine, error)
    else:
        got[0] = PyObject_CallMethodOneArg(coroutine, <PyObject*>word_throw, error)
    return NEXT if got[0] != NULL else raised(got)


cdef bint delegates(PyObject* coroutine) noexcept:
    """Return whether `coroutine` stands at a `yield from` or `await`, but of a `call()`: that has no frame. One of the user's class may."""
    if not PyGen_CheckExact(coroutine) and not PyCoro_CheckExact(coroutine):
        return True
    cdef PyObject* inner = PyObject_GetAttr(coroutine, <PyObject*>(word_await if PyCoro_CheckExact(coroutine) else word_yieldfrom))
    if inner == NULL:
        PyErr_Clear()
        return False
    Py_DECREF(<object>inner)
    return inner != Py_None and Py_TYPE(inner) != &ct_call_type


cdef inline PyObject* throw_with(PyObject* method, PyObject* coroutine, PyObject* error) noexcept:
    cdef PyObject* arguments[2]
    arguments[0], arguments[1] = coroutine, error
    return PyObject_Vectorcall(method, arguments, 2, NULL)


cdef int raised(PyObject** got) noexcept:
    """Fetch the error. A StopIteration is a return."""
    cdef PyObject* error = ct_fetch()
    got[0] = error
    if not PyErr_GivenExceptionMatches(error, PyExc_StopIteration):
        return ERROR
    if Py_TYPE(error) == <PyTypeObject*>PyExc_StopIteration:
        got[0] = ct_stop_value(error)
    else:
        got[0] = PyObject_GetAttr(error, <PyObject*>word_value)
    Py_DECREF(<object>error)
    if got[0] != NULL:
        return VALUE
    got[0] = ct_fetch()
    return ERROR


cdef inline int meaning(PyObject** got) noexcept:
    """Say what it means to yield `got`: CALL, WAIT or VALUE."""
    cdef PyObject* known
    if got[0] == Py_None or PyLong_CheckExact(got[0]):
        return VALUE
    if PyCoro_CheckExact(got[0]):
        return CALL
    known = PyDict_GetItemWithError(<PyObject*>kinds, <PyObject*>Py_TYPE(got[0]))
    if known != NULL:
        return <int>PyLong_AsLong(known)
    if PyErr_Occurred() != NULL:
        if not PyErr_ExceptionMatches(PyExc_Exception):
            Py_DECREF(<object>got[0])
            return raised(got)
        PyErr_Clear()  # its metaclass refuses to hash it
    return meaning_slowly(got)


cdef int meaning_slowly(PyObject** got) noexcept:
    cdef PyObject* known = PyObject_CallFunctionObjArgs(<PyObject*>meaning_of, got[0], NULL)
    if known == NULL:  # a class of the user's that fails when it is asked what it is
        Py_DECREF(<object>got[0])
        return raised(got)
    cdef int outcome = <int>PyLong_AsLong(known)
    Py_DECREF(<object>known)
    return outcome


cdef int caught(PyObject** got) noexcept:
    """Say what an error means: ERROR, or TAIL, with the coroutine of a TailCall in its place."""
    if not PyErr_GivenExceptionMatches(got[0], <PyObject*>TailCall):
        return ERROR
    error = <object>got[0]
    try:
        coroutine = error.call
        outcome = TAIL
        if not resumes(coroutine):
            coroutine, outcome = no_coroutine("TailCall()", coroutine), ERROR
    except BaseException as failure:
        coroutine, outcome = failure, ERROR
        if failure.__traceback__ is not None:
            failure.__traceback__ = failure.__traceback__.tb_next  # without this function
    Py_INCREF(coroutine)
    Py_DECREF(error)
    got[0] = <PyObject*>coroutine
    return outcome


cdef void end(Pseudothread p, PyObject* root, PyObject* got, int outcome) noexcept:
    cdef PyObject* traceback
    p.state = ENDED
    free_callers(p)
    p.value = got
    p.special = THROWING if outcome == ERROR else 0
    if outcome == ERROR:
        traceback = PyException_GetTraceback(got)
        if traceback != NULL:
            p.linked = <object>traceback
            Py_DECREF(p.linked)
    if outcome == ERROR or p.details is not None or Py_REFCNT(<PyObject*>p) > 1:  # else nobody is left to ask for its name
        keep_name(p, root)


cdef void keep_name(Pseudothread p, PyObject* root) noexcept:
    """Nothing of the user's in Python runs here, so no Ctrl-C can strike: it would be lost."""
    cdef PyObject* name
    cdef PyObject* details
    if p.details is not None and <PyObject*>p.details[0] != Py_None:
        name = <PyObject*>p.details[0]
        Py_INCREF(<object>name)
    else:
        name = PyObject_GetAttr(root, <PyObject*>word_qualname)
        if name == NULL or PyObject_IsTrue(name) <= 0:
            PyErr_Clear()
            Py_XDECREF(name)
            name = PyObject_GetAttr(<PyObject*>Py_TYPE(root), <PyObject*>word_qualname)
    details = PyTuple_Pack(2, name, Py_None) if name != NULL else NULL
    Py_XDECREF(name)
    if details == NULL:
        PyErr_Clear()  # no memory for it: then it has no name
        return
    p.details = <tuple>details
    Py_DECREF(<object>details)


cdef PyObject* go_on(BaseTrampoline t, Pseudothread p) noexcept:
    """Queue `p` for its next turn, by way of `schedule` where that is overridden. Return an error or NULL."""
    cdef PyObject* returned
    if t.overridden:
        return hand_over(t, p)
    if t.own is not None:
        p.state = QUEUED
        if not push_last(t.own, <PyObject*>p):
            return ct_fetch()
    else:
        p.state = TAKEN
        returned = PyObject_CallMethodOneArg(<PyObject*>t.any_queue, <PyObject*>word_append, <PyObject*>p)
        if returned == NULL:
            return ct_fetch()
        Py_DECREF(<object>returned)
    return dropped(PyObject_CallNoArgs(<PyObject*>t.waker)) if t.waker is not None else NULL


cdef PyObject* hand_over(BaseTrampoline t, Pseudothread p) noexcept:
    """Show the continuation of `p` to the overridden `schedule`. Return an error or NULL."""
    cdef PyObject* top = p.top
    cdef PyObject* value = p.value
    cdef PyObject* traceback
    cdef PyObject* returned
    cdef bint throwing = (p.special & THROWING) != 0
    cdef bint turned = p.state == RUNNING  # else somebody resumed it
    try:
        stack = nest(p)
    except BaseException as error:
        Py_INCREF(error)
        return <PyObject*>error
    p.value, p.special, p.state = NULL, p.special & ~THROWING, TAKEN
    t.handing.append(p)
    Py_INCREF(<object>top)
    if not throwing:
        returned = PyObject_CallMethodObjArgs(
            <PyObject*>t, <PyObject*>word_schedule, top, <PyObject*>stack, value if value != NULL else Py_None, NULL)
    else:
        traceback = PyException_GetTraceback(value)
        returned = PyObject_CallMethodObjArgs(
            <PyObject*>t, <PyObject*>word_schedule, top, <PyObject*>stack, <PyObject*>Py_TYPE(value), value,
            traceback if traceback != NULL else Py_None, NULL)
        Py_XDECREF(traceback)
    cdef PyObject* failure = dropped(returned)
    Py_XDECREF(value)
    Py_DECREF(<object>top)
    if unhand(t, p) and p.state == TAKEN:  # what came back, if anything, was another coroutine or stack
        lowest = root(p)
        if turned:
            hold_callers(t, p)
        top, p.top = p.top, NULL
        p.linked = None
        end(p, <PyObject*>lowest, NULL, VALUE)
        Py_DECREF(<object>top)
    return failure


cdef void hold_callers(BaseTrampoline t, Pseudothread p) noexcept:
    """The recipe's closure held the callers, too."""
    cdef PyObject* held = t.held_coroutine
    if held == NULL:
        if p.linked is not None:
            Py_INCREF(p.linked)
            t.held_coroutine = <PyObject*>p.linked
        return
    below = (<object>p.top, p.linked)
    t.held_coroutine = PyTuple_Pack(2, held, <PyObject*>below)
    if t.held_coroutine == NULL:
        PyErr_Clear()
        t.held_coroutine = held
    else:
        Py_DECREF(<object>held)


cdef nest(Pseudothread p):
    """Move the callers into nested pairs and return those."""
    cdef unsigned int level
    for level in range(p.depth):
        caller = <object>p.callers[level]
        p.linked = (caller, p.linked if p.linked is not None else ())
        Py_DECREF(caller)
    p.depth = 0
    return p.linked if p.linked is not None else ()


cdef PyObject* park(BaseTrampoline t, Pseudothread p) noexcept:
    """Let the suspension arrange for `p` to be resumed. Return the error that leaves run(), or NULL."""
    cdef PyObject* suspension = p.value
    cdef PyObject* failure = NULL
    if link(t, p):
        p.state = PARKED
        Py_INCREF(<object>suspension)
        if p.special & INTERRUPTED:
            p.special &= ~INTERRUPTED
            failure = interruption(t, p)
        if failure == NULL:
            failure = dropped(PyObject_CallMethodOneArg(suspension, <PyObject*>word_suspend, <PyObject*>p))
        Py_DECREF(<object>suspension)
        if failure == NULL or p.state == ENDED:
            return failure
    else:
        failure = ct_fetch()
    suspension, p.value, p.special = p.value, failure, p.special | THROWING  # if it was resumed already, its turn has not come
    failure = NULL
    if p.state == PARKED:
        unlink(t, p)
        p.state = RUNNING
    if p.state == RUNNING:
        failure = go_on(t, p)
    Py_XDECREF(suspension)
    return failure


cdef PyObject* interruption(BaseTrampoline t, Pseudothread p) noexcept:
    """Return the error that `p` gets in place of being parked, or NULL."""
    cdef PyObject* error = PyObject_CallMethodOneArg(<PyObject*>t, <PyObject*>word_interruption, <PyObject*>p)
    if error == NULL:
        return ct_fetch()
    if error == Py_None:
        Py_DECREF(<object>error)
        return NULL
    return error


cdef PyObject* withdraw(PyObject* suspension, Pseudothread p) noexcept:
    return dropped(PyObject_CallMethodOneArg(suspension, <PyObject*>word_withdraw, <PyObject*>p))


cdef PyObject* unpark(Pseudothread p, verb) except NULL:
    """Take `p` out of what is parked. Return the suspension, whose reference the caller takes over and lets go when `p` is in order."""
    cdef PyObject* suspension
    if p.state != PARKED:
        raise p._misuse(verb)
    suspension, p.value, p.state = p.value, NULL, TAKEN
    unlink(p.trampoline, p)
    return suspension


cdef PyObject* take_foreign(BaseTrampoline t, PyObject** entry) noexcept:
    """Take the first entry of a queue that is not ours, NULL if it is empty. Return an error or NULL."""
    entry[0] = NULL
    cdef int some = PyObject_IsTrue(<PyObject*>t.any_queue)
    if some > 0:
        entry[0] = PyObject_CallMethodNoArgs(<PyObject*>t.any_queue, <PyObject*>word_popleft)
    return ct_fetch() if some < 0 or (some and entry[0] == NULL) else NULL


cdef PyObject* call_entry(BaseTrampoline t, PyObject* entry, PyObject** result) noexcept:
    """Call an entry that is not a pseudothread of `t`, whose reference is taken over. Return an error or NULL."""
    cdef PyObject* returned = PyObject_CallNoArgs(entry)
    t.held_coroutine = entry
    if returned == NULL:
        return ct_fetch()
    set_result(result, returned)
    return NULL


cdef bint waits(BaseTrampoline t, PyObject** failure) noexcept:
    """Wait until something is queued. Return whether there is anything to run again."""
    cdef PyObject* returned = PyObject_CallMethodNoArgs(<PyObject*>t, <PyObject*>word_wait)
    cdef int again = PyObject_IsTrue(returned) if returned != NULL else -1
    if again < 0:
        failure[0] = ct_fetch()
    Py_XDECREF(returned)
    return again > 0


cdef PyObject* close_one(Pseudothread p, PyObject* coroutine, PyObject* failure) noexcept:
    """Throw GeneratorExit, or the callee's `failure`, into `coroutine`. Return the error that it leaves, or NULL."""
    cdef PyObject* error = failure if failure != NULL else PyObject_CallNoArgs(PyExc_GeneratorExit)
    cdef PyObject* got = NULL
    if error == NULL:
        return ct_fetch()
    p.special |= THROWING
    cdef int outcome = resume(p, coroutine, error, &got)
    Py_DECREF(<object>error)
    if outcome == ERROR and not PyErr_GivenExceptionMatches(got, PyExc_GeneratorExit):
        return got
    failure = ignored(coroutine, got) if outcome == NEXT else NULL
    Py_DECREF(<object>got)
    return failure


cdef PyObject* ignored(PyObject* coroutine, PyObject* got) noexcept:
    what = ignored_exit(<object>coroutine, <object>got)
    Py_INCREF(what)
    return <PyObject*>what


cdef PyObject* refuse(Pseudothread p, verb) noexcept:
    what = p._misuse(verb)
    PyErr_SetObject(<PyObject*>Py_TYPE(<PyObject*>what), <PyObject*>what)  # gives it the context that a `raise` would
    return ct_fetch()


cdef PyObject* noted(Pseudothread p, PyObject* failure) noexcept:
    """Note on the error that left the root of `p` whose it is. Return it, or what struck meanwhile (Ctrl-C, say)."""
    cdef PyObject* other = dropped(PyObject_CallMethodNoArgs(<PyObject*>p, <PyObject*>word_note))
    if other == NULL:
        return failure
    Py_DECREF(<object>failure)
    return other


cdef enter(Queue queue, entry):
    """Make `entry` one that stands in a Queue, or say why it cannot."""
    if type(entry) is Pseudothread:
        if (<Pseudothread>entry).state != TAKEN:
            raise entry._misuse("queue", "is queued already")
        (<Pseudothread>entry).state = QUEUED
    elif not callable(entry):
        raise TypeError(f"an entry of the queue is called without arguments, but {describe(entry)} is not callable: add() takes coroutines")


cdef inline bint resumes(value) except -1:
    return PyGen_CheckExact(<PyObject*>value) or PyCoro_CheckExact(<PyObject*>value) or is_coroutine(value)


cdef check_stack(coroutine, stack):
    if not resumes(coroutine):
        raise no_coroutine("schedule()", coroutine)
    rest = stack
    while rest:
        if not isinstance(rest, tuple) or len(rest) != 2:
            raise TypeError(f"schedule() takes its stack in nested pairs, (caller, (its caller, ())), not {describe(rest)}")
        if not resumes(rest[0]):
            raise no_coroutine("the stack of schedule()", rest[0])
        rest = rest[1]


cdef root(Pseudothread p):
    if p.linked is None:
        return <object>(p.callers[0] if p.depth else p.top)
    coroutine, rest = p.linked
    while rest:
        coroutine, rest = rest
    return coroutine


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


cdef int put(Queue queue, PyObject* entry) except -1:
    return 0 if push_last(queue, entry) else -1


cdef int put_first(Queue queue, PyObject* entry) except -1:
    if queue.ring == NULL or queue.count > queue.mask:
        if not enlarge(queue):
            return -1
    Py_INCREF(<object>entry)
    queue.head = (queue.head - 1) & queue.mask
    queue.ring[queue.head] = entry
    queue.count += 1
    return 0


# The end of objects, and what the garbage collector is shown. Whatever is let go is first taken out: its `finally` may look at us.

cdef traverseproc traverse_rest_of_pseudothread = (<PyTypeObject*>Pseudothread).tp_traverse
cdef traverseproc traverse_rest_of_queue = (<PyTypeObject*>Queue).tp_traverse
cdef traverseproc traverse_rest_of_trampoline = (<PyTypeObject*>BaseTrampoline).tp_traverse
cdef clear_function clear_rest_of_pseudothread = <clear_function>(<PyTypeObject*>Pseudothread).tp_clear
cdef clear_function clear_rest_of_queue = <clear_function>(<PyTypeObject*>Queue).tp_clear
cdef clear_function clear_rest_of_trampoline = <clear_function>(<PyTypeObject*>BaseTrampoline).tp_clear


cdef int traverse_pseudothread(PyObject* self, visitproc visit, void* argument) noexcept:
    cdef unsigned int level
    cdef int stop = show((<Pseudothread>self).top, visit, argument) or show((<Pseudothread>self).value, visit, argument)
    for level in range((<Pseudothread>self).depth):
        if stop:
            return stop
        stop = show((<Pseudothread>self).callers[level], visit, argument)
    return stop or traverse_rest_of_pseudothread(self, visit, argument)


cdef int clear_pseudothread(PyObject* self) noexcept:
    drop_stack(<Pseudothread>self)
    return clear_rest_of_pseudothread(self)


cdef int traverse_queue(PyObject* self, visitproc visit, void* argument) noexcept:
    cdef size_t index
    cdef int stop = 0
    for index in range((<Queue>self).count):
        stop = show((<Queue>self).ring[((<Queue>self).head + index) & (<Queue>self).mask], visit, argument)
        if stop:
            return stop
    return traverse_rest_of_queue(self, visit, argument)


cdef int clear_queue(PyObject* self) noexcept:
    drop_entries(<Queue>self)
    return clear_rest_of_queue(self)


cdef int traverse_trampoline(PyObject* self, visitproc visit, void* argument) noexcept:
    cdef int stop = show((<BaseTrampoline>self).held_coroutine, visit, argument) or show((<BaseTrampoline>self).held_sent, visit, argument)
    cdef PyObject* p = (<BaseTrampoline>self).first_parked
    while p != NULL and not stop:
        stop = show(p, visit, argument)
        p = (<Pseudothread>p).near[1]
    return stop or traverse_rest_of_trampoline(self, visit, argument)


cdef int clear_trampoline(PyObject* self) noexcept:
    drop_parked(<BaseTrampoline>self)
    release(<BaseTrampoline>self)
    return clear_rest_of_trampoline(self)


(<PyTypeObject*>Pseudothread).tp_traverse = <traverseproc>traverse_pseudothread
(<PyTypeObject*>Pseudothread).tp_clear = <inquiry>clear_pseudothread
(<PyTypeObject*>Queue).tp_traverse = <traverseproc>traverse_queue
(<PyTypeObject*>Queue).tp_clear = <inquiry>clear_queue
(<PyTypeObject*>BaseTrampoline).tp_traverse = <traverseproc>traverse_trampoline
(<PyTypeObject*>BaseTrampoline).tp_clear = <inquiry>clear_trampoline
base_schedule = BaseTrampoline.schedule
