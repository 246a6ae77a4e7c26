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
        self.callers, self.capacity = self.near, 2

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, *args, **kwargs):
        raise TypeError("a Pseudothread is made by Trampoline.add() or Trampoline.schedule()")

    def __reduce__(self):
        raise no_copy(self)

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
        cdef PyObject* held_coroutine = t.held_coroutine
        cdef PyObject* held_sent = t.held_sent
        cdef PyObject* result = NULL
        t.held_coroutine = t.held_sent = NULL
        cdef PyObject* current = <PyObject*>self
        cdef PyObject** turn = t.turn
        cdef bint by_hand = collectors_used and turns_begin(t)
        Py_INCREF(self)  # as the run loop has a reference of its own: end() counts on it
        t.turn = &current
        cdef PyObject* failure = advance(t, &current, None, NULL, &result)
        t.turn = turn
        release(t)
        if by_hand:
            turns_end(t)
        Py_DECREF(self)
        t.held_coroutine, t.held_sent = held_coroutine, held_sent
        leave(failure)
        return give(result)

    def resume(self, value=None):
        """Queue a parked pseudothread: its innermost coroutine will be sent `value`. From any thread.

        RuntimeError if it is queued, running or ended.
        """
        if self.state == PARKED and self.special & PROMPTLY:
            value = (value, <object>self.value)
        cdef PyObject* suspension = unpark(self, "resume")
        if self.levels != NULL:
            woke(self)
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
        leave(throw_parked(self, exception_of("throw()", error)))

    def close(self):
        """Throw GeneratorExit into the innermost coroutine, then into its caller, up to the root: `finally` blocks run, at once.

        As with a generator's own `close()`, a coroutine must not yield then (RuntimeError); another error that it raises goes into its
        caller, and out of `close()` where none of them catches it. Nothing happens if it has ended. RuntimeError if it is running.
        """
        cdef PyObject* failure = NULL
        cdef PyObject* top
        cdef PyObject* held
        cdef bint parked = self.state == PARKED, given = (self.special & PROMPTLY) != 0
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
        self.special &= ~(THROWING | OWED | PROMPTLY)
        if parked:
            failure = withdraw(held, self)
        elif given:
            failure = dropped(PyObject_CallMethodObjArgs(
                PyTuple_GET_ITEM(held, 1), <PyObject*>word_take_back, <PyObject*>self, PyTuple_GET_ITEM(held, 0), NULL))
        Py_XDECREF(held)
        cdef bint by_hand = collectors_used and turns_begin(self.trampoline)
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
        cdef PyObject* name = detail(self, NAME)
        if name != NULL:
            return <object>name
        return name_of(root(self)) if self.top != NULL else None

    @property
    def waits_for(self):
        """The suspension, or the pseudothread, for which it is parked, or None."""
        return <object>self.value if self.state == PARKED else None

    @property
    def added(self):
        """Where it was added: (file name, line number), or None where that is unknown."""
        cdef PyObject* code = detail(self, CODE)
        return None if code == NULL else line_of(<object>code, <int>(self.place & 0xFFFFF) << 1)

    @property
    def age(self):
        """How long ago it was added, in seconds, to a sixteenth of one; None if it was made by `schedule()`."""
        if detail(self, CODE) == NULL:
            return None
        cdef unsigned int moment = (<unsigned int>self.moment << 12) | (self.place >> 20)
        return ((ct_sixteenths() - moment) & 0xFFFFFFF) / 16.0

    def __repr__(self):
        if self.top == NULL:
            return f"<Pseudothread {self.name!r} ended>"
        innermost, state, name = <object>self.top, (<object>self).state, self.name  # asked once: another thread may end it meanwhile
        value = self.waits_for
        waits = "" if value is None else f" for the end of {value.name!r}" if type(value) is Pseudothread else f" for {value!r}"
        return f"<Pseudothread {name!r} {state}{waits} at {place_of(innermost)}>"

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
        if self.state != ENDED:
            self.special |= INTERRUPTED

    def _overtake(self, error):
        """Have `error` raised at the next turn, in place of what would be sent, if queued. Return whether it is."""
        cdef PyObject* value = self.value
        if self.state != QUEUED or self.special & THROWING:
            return False
        Py_INCREF(error)
        self.value = <PyObject*>error
        self.special |= THROWING
        Py_XDECREF(value)
        return True

    @property
    def _context(self):
        """The context of its turns, or None."""
        cdef PyObject* context = detail(self, CONTEXT)
        return <object>context if context != NULL else None

    def _note(self):
        cdef PyObject* name = detail(self, NAME)
        note_on(<object>self.value, <object>name if name != NULL else None, (<object>self).added)

    def _misuse(self, verb, queued="is queued: it will take its turn by itself"):
        why = (queued, queued, "is running", "is parked: only resume(), throw() and close() go on from there", "has ended")[self.state]
        return misuse(verb, self, why)


cdef PyObject* throw_parked(Pseudothread p, error) noexcept:
    """Queue `p` for `error` to be thrown in. Return an error or NULL."""
    cdef PyObject* suspension = p.value
    cdef BaseTrampoline t = p.trampoline
    if p.state != PARKED:
        return refuse(p, "throw into")
    p.value, p.state = NULL, TAKEN
    no_more_parked(t, p, suspension)
    if p.levels != NULL:
        woke(p)
    Py_INCREF(error)
    t.leaving += 1
    cdef PyObject* failure = withdraw(suspension, p)
    p.value = <PyObject*>error
    p.special = p.special & ~PROMPTLY | THROWING
    cdef PyObject* other = go_on(t, p)
    t.leaving -= 1
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
