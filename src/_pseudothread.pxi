"""Class Pseudothread, and how one is closed. Part of `_ctrampoline.pyx`."""


@cython.final
@cython.freelist(64)
@cython.trashcan(True)  # one may keep another as its result, and that the next
cdef class Pseudothread:
    """A stack of coroutines, the root at the bottom, that calls and results push and pop. `Trampoline.add()` makes it.

    It is what stands in the trampoline's queue: calling it makes one turn.
    """

    def __cinit__(self):
        self.state = ENDED
        self.callers, self.capacity = self.nearby, 2

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, *args, **kwargs):
        raise TypeError("a Pseudothread is made by Trampoline.add() or Trampoline.schedule()")

    __reduce__ = not_copied

    def __dealloc__(self):
        if self.levels != NULL:
            let_levels_go(self)
        drop_stack(self)

    def __call__(self):
        """Make one turn. Return the result if it was the last turn, else None; raise the error that leaves the root.

        RuntimeError if the pseudothread is in the queue (take it out first), running, parked or ended.
        """
        if self.state != TAKEN:
            raise self._misuse("call", "is in the queue: take it out with popleft() and call what that returns")
        cdef BaseTrampoline t = self.trampoline
        cdef PyObject* held_coroutine = ct_swap(&t.held_coroutine, NULL)
        cdef PyObject* held_sent = ct_swap(&t.held_sent, NULL)
        cdef PyObject* result = NULL
        cdef PyObject* current = <PyObject*>self
        cdef PyObject** turn = t.turn
        cdef bint by_hand = ct_flag(&collectors_used) and turns_begin(t)
        goes_beside(t)
        Py_INCREF(self)  # as the run loop has a reference of its own: end() counts on it
        cdef PyObject* by_hand_before = begins_by_hand(t, &current)
        cdef PyObject* failure = advance(t, &current, None, NULL, False, &result)
        ends_by_hand(t, turn, by_hand_before)
        release(t)
        if by_hand:
            turns_end(t)
        Py_DECREF(self)
        ct_put(&t.held_coroutine, held_coroutine)
        ct_put(&t.held_sent, held_sent)
        failure = came_back(t, failure)
        if failure != NULL:
            set_result(&result, NULL)
        leave(failure)
        return give(result)

    def resume(self, value=None):
        """Queue a parked pseudothread: its innermost coroutine will be sent `value`. From any thread.

        RuntimeError if it is queued, running or ended.
        """
        cdef BaseTrampoline t = self.trampoline
        cdef PyObject* suspension = NULL
        cdef bint parked = True
        while suspension == NULL:
            suspension = claim_to_send(t, self, value, &parked)
            if not parked:
                raise self._misuse("resume")
        Py_DECREF(self)
        forget(t, self, suspension)
        if self.levels != NULL:
            woke(self)
        cdef PyObject* failure = go_on_from(t, self, suspension, 0)
        left(t)
        Py_DECREF(<object>suspension)  # last: its end may look at us
        leave(failure)

    def throw(self, error):
        """Queue a parked pseudothread: `error`, an exception (or a class of them), will be raised at its yield. From any thread.

        RuntimeError if it is queued, running or ended; TypeError if `error` is no exception.
        """
        leave(throw_parked(self, exception_of("throw()", error)))

    def close(self):
        """Throw GeneratorExit into the innermost coroutine, then into its caller, up to the root: `finally` blocks run, at once.

        As with a generator's own `close()`, a coroutine must not yield then (RuntimeError); another error that it raises goes into its
        caller, and out of `close()` where none of them catches it. Nothing happens if it has ended. RuntimeError if it is running.
        """
        cdef PyObject* failure = NULL
        cdef PyObject* top
        cdef PyObject* held
        cdef BaseTrampoline t = self.trampoline
        if state_of(self) == ENDED:
            return
        goes_beside(t)
        ct_lock(<PyObject*>t)
        while self.state == CT_LEAVING:  # somebody is resuming it
            ct_unlock(<PyObject*>t)
            if not CT_FREE_THREADED or ct_throws:
                leave(came_back(t, refuse(self, "close")))
            ct_yield()
            ct_lock(<PyObject*>t)
        cdef char state = self.state
        if state == ENDED or state == RUNNING:
            ct_unlock(<PyObject*>t)
            leave(came_back(t, refuse(self, "close") if state == RUNNING else NULL))
            return
        cdef bint given = (self.special & PROMPTLY) != 0
        cdef bint thrown = (self.special & (THROWING | OWED)) == THROWING
        held, self.value = self.value, NULL
        if state == PARKED:
            unlink(t, self)
        elif state == QUEUED and t.own is not None:
            ct_lock(<PyObject*>t.own)
            remove(t.own, self)
            ct_unlock(<PyObject*>t.own)
        self.state = RUNNING
        self.special &= ~(THROWING | OWED | PROMPTLY)
        ct_unlock(<PyObject*>t)
        if state == PARKED:
            Py_DECREF(self)
            forget(t, self, held)
            failure = withdraw(held, self)
        elif given:
            failure = dropped(PyObject_CallMethodObjArgs(
                PyTuple_GET_ITEM(held, 1), <PyObject*>word_take_back, <PyObject*>self, PyTuple_GET_ITEM(held, 0), NULL))
        elif thrown and held != NULL and isinstance(<object>held, (KeyboardInterrupt, SystemExit)):
            failure, held = held, NULL
        Py_XDECREF(held)
        cdef bint by_hand = ct_flag(&collectors_used) and turns_begin(self.trampoline)
        if self.levels != NULL:
            self.levels.closing = True
        while True:
            top = self.top
            failure = close_one(self, top, failure)
            if self.levels != NULL:
                closes(self)
            if not pop(self):
                break
            Py_DECREF(<object>top)
        Py_INCREF(self)
        end(self, top, NULL, VALUE)
        if by_hand:
            turns_end(self.trampoline)
        Py_DECREF(self)
        Py_DECREF(<object>top)
        cdef bint good
        cdef PyObject* other = hand_out(self, &good)
        if failure == NULL:
            failure, other = other, NULL
        Py_XDECREF(other)
        leave(came_back(t, failure))

    @property
    def done(self):
        """Whether it has ended: by a result, by an error or by `close()`."""
        return state_of(self) == ENDED

    def result(self):
        """Return the root's result, or raise the error that left the root. RuntimeError if it has not ended or was closed."""
        if state_of(self) != ENDED:  # from then on the rest stays as it is
            raise RuntimeError(f"{self!r} has no result yet")
        if self.special & THROWING:
            leave(error_taken(self))
            as_it_was(self)
            Py_INCREF(<object>self.value)
            leave(self.value)
        if self.value == NULL:
            raise no_result(self)
        return <object>self.value

    @property
    def stack(self):
        """The coroutines from the root to the innermost, as a tuple; empty after the end."""
        cdef PyObject* linked = NULL
        found = coroutines_of(self, &linked)
        if linked == NULL:
            return tuple(found)
        below, rest = [], give(linked)
        while rest:
            coroutine, rest = rest
            below.append(coroutine)
        below.reverse()
        return (*below, *found)

    @property
    def state(self):
        """'queued', 'running', 'parked' or 'ended'."""
        return ("queued", "queued", "running", "parked", "ended", "queued")[state_of(self)]

    @property
    def trampoline(self):
        """The trampoline whose turn it takes."""
        return self.trampoline

    @property
    def name(self):
        """The name that `add()` was given, or that of the root's function."""
        cdef PyObject* name = detail_of(self, NAME)
        if name != NULL:
            return give(name)
        lowest = root(self)
        if lowest is not None:
            return name_of(lowest)
        for _ in range(1000 if CT_FREE_THREADED else 0):  # another thread is just ending it
            if state_of(self) == ENDED:
                break
            ct_yield()
        return give(detail_of(self, NAME))

    @property
    def waits_for(self):
        """The suspension, or the pseudothread, for which it is parked, or None."""
        ct_lock(<PyObject*>self.trampoline)
        cdef PyObject* suspension = self.value if self.state == PARKED else NULL
        Py_XINCREF(suspension)
        ct_unlock(<PyObject*>self.trampoline)
        return give(suspension)

    @property
    def added(self):
        """Where it was added: (file name, line number), or None where that is unknown."""
        code = give(detail_of(self, CODE))
        return None if code is None else line_of(code, <int>(self.place & 0xFFFFF) << 1)

    @property
    def age(self):
        """How long ago it was added, in seconds, to a sixteenth of one; None if it was made by `schedule()`."""
        if give(detail_of(self, CODE)) is None:
            return None
        cdef unsigned int moment = (<unsigned int>self.moment << 12) | (self.place >> 20)
        return ((ct_sixteenths() - moment) & 0xFFFFFFF) / 16.0

    def __repr__(self):
        innermost = give(ct_ref(<PyObject*>self.trampoline, &self.top))
        state, name, value = (<object>self).state, self.name, self.waits_for  # asked once: another thread may end it meanwhile
        if innermost is None:
            return f"<Pseudothread {name!r} ended>"
        waits = "" if value is None else f" for the end of {value.name!r}" if type(value) is Pseudothread else f" for {value!r}"
        return f"<Pseudothread {name!r} {state}{waits} at {place_of(innermost, self.trampoline)}>"

    def __iter__(self):
        return yield_itself(self)

    def __await__(self):
        return yield_itself(self)

    @property
    def _error(self):
        """The error that left the root, which whoever asks for it takes, or None."""
        if self.state != ENDED or not self.special & THROWING:
            return None
        leave(error_taken(self))
        as_it_was(self)
        return <object>self.value

    def _interrupt(self):
        """Have `_interruption()` of its trampoline asked for an error when it parks next."""
        ct_lock(<PyObject*>self.trampoline)
        if self.state != ENDED:
            self.special |= INTERRUPTED
        ct_unlock(<PyObject*>self.trampoline)

    def _overtake(self, error):
        """Have `error` raised at the next turn, in place of what would be sent, if queued. Return whether it is."""
        cdef PyObject* value = NULL
        ct_lock(<PyObject*>self.trampoline)
        cdef bint good = self.state == QUEUED and not self.special & THROWING
        if good:
            Py_INCREF(error)
            value, self.value = self.value, <PyObject*>error
            self.special |= THROWING
        ct_unlock(<PyObject*>self.trampoline)
        Py_XDECREF(value)
        return good

    @property
    def _context(self):
        """The context of its turns, or None."""
        return give(detail_of(self, CONTEXT))

    def _note(self):
        if self.state != ENDED or not self.special & THROWING:
            return
        cdef PyObject* name = detail(self, NAME)
        note_on(<object>self.value, <object>name if name != NULL else None, (<object>self).added)

    def _misuse(self, verb, queued="is queued: it will take its turn by itself"):
        why = (queued, queued, "is running", "is parked: only resume(), throw() and close() go on from there", "has ended",
               queued)[state_of(self)]
        return misuse(verb, self, why)


cdef inline int state_of(Pseudothread p) noexcept:
    ct_lock(<PyObject*>p.trampoline)
    cdef int state = p.state
    ct_unlock(<PyObject*>p.trampoline)
    return state


cdef PyObject* claim_to_send(BaseTrampoline t, Pseudothread p, value, bint* parked) except? NULL:
    """Take `p` out of what is parked, to be sent `value`. NULL if it is not parked, or not for the same as a moment ago."""
    cdef PyObject* suspension = NULL
    ct_lock(<PyObject*>t)
    parked[0] = p.state == PARKED
    cdef bint promptly = parked[0] and p.special & PROMPTLY
    if parked[0]:
        suspension = p.value
        Py_INCREF(<object>suspension)
    ct_unlock(<PyObject*>t)
    if suspension == NULL:
        return NULL
    waits_for = <object>suspension
    Py_DECREF(waits_for)
    sent = (value, waits_for) if promptly else value
    Py_INCREF(sent)
    if claim(t, p, suspension, <PyObject*>sent, True):
        return suspension
    Py_DECREF(sent)
    return NULL


cdef PyObject* throw_parked(Pseudothread p, error) noexcept:
    """Queue `p` for `error` to be thrown in. Return an error or NULL."""
    cdef BaseTrampoline t = p.trampoline
    cdef PyObject* suspension = claim_any(t, p, NULL)
    return throw_claimed(t, p, suspension, error) if suspension != NULL else refuse(p, "throw into")


cdef PyObject* throw_claimed(BaseTrampoline t, Pseudothread p, PyObject* suspension, error) noexcept:
    """Do it for one that claim_any() has taken out of what is parked."""
    Py_DECREF(p)  # whose method was called, or which the caller has
    forget(t, p, suspension)
    if p.levels != NULL:
        woke(p)
    Py_INCREF(error)
    cdef PyObject* failure = withdraw_to_throw(suspension, p)
    ct_lock(<PyObject*>t)
    cdef PyObject* old = p.value  # none, but where its suspend() is still at it, and has failed
    cdef char promptly = p.special & PROMPTLY
    p.value = <PyObject*>error
    p.special = p.special & ~PROMPTLY | THROWING
    ct_unlock(<PyObject*>t)
    Py_XDECREF(old)
    cdef PyObject* other = go_on_from(t, p, suspension, promptly)
    left(t)
    Py_DECREF(<object>suspension)
    if failure == NULL:
        failure, other = other, NULL
    Py_XDECREF(other)
    return failure


cdef PyObject* close_one(Pseudothread p, PyObject* coroutine, PyObject* failure) noexcept:
    """Throw GeneratorExit, or the callee's `failure`, into `coroutine`. Return the error that it leaves, or NULL."""
    cdef PyObject* error = failure if failure != NULL else PyObject_CallNoArgs(PyExc_GeneratorExit)
    cdef PyObject* got = NULL
    if error == NULL:
        return ct_fetch()
    p.special |= THROWING
    global ct_promptly
    cdef int promptly = ct_promptly
    ct_promptly = 0  # whatever waits is refused
    cdef int outcome = resume(p, coroutine, error, &got)
    ct_promptly = promptly
    Py_DECREF(<object>error)
    if outcome == ERROR and not PyErr_GivenExceptionMatches(got, PyExc_GeneratorExit):
        return got
    failure = ignored(coroutine, got) if outcome == NEXT else NULL
    Py_DECREF(<object>got)
    return failure


cdef PyObject* ignored(PyObject* coroutine, PyObject* got) noexcept:
    return made_now(ignored_exit, <object>coroutine, <object>got)


cdef PyObject* refuse(Pseudothread p, verb) noexcept:
    return raised_now(Pseudothread._misuse, p, verb)  # with the context that a `raise` would give it


cdef PyObject* noted(Pseudothread p, PyObject* failure) noexcept:
    """Note on the error that left the root of `p` whose it is. Return it, or what struck meanwhile (Ctrl-C, say)."""
    cdef PyObject* other = dropped(PyObject_CallMethodNoArgs(<PyObject*>p, <PyObject*>word_note))
    if other == NULL:
        return failure
    Py_DECREF(<object>failure)
    return other
