"""Who waits for the end of a pseudothread, and what each is given then. Part of `_ctrampoline.pyx`.

They stand among the details of the pseudothread that they join: one by itself, several in a dict.
"""


cdef PyObject* join(Pseudothread p, Pseudothread target) noexcept:
    """Have `p`, which is parked for `target`, resumed with the outcome of that. Return an error or NULL."""
    cdef PyObject* failure
    if target is p or target.trampoline is not p.trampoline:
        failure = PyObject_CallFunctionObjArgs(<PyObject*>cannot_join, <PyObject*>p, <PyObject*>target, NULL)
        return failure if failure != NULL else ct_fetch()
    cdef bint ended
    ct_lock(<PyObject*>target.trampoline)
    ended, failure = target.state == ENDED, NULL
    if not ended and p.state == PARKED and p.value == <PyObject*>target:  # else another thread was quicker
        failure = add_joiner(target, <PyObject*>p)
    ct_unlock(<PyObject*>target.trampoline)
    if not ended:
        return failure
    failure = error_taken(target)
    return failure if failure != NULL else give_outcome(p, target)


cdef PyObject* hand_out(Pseudothread p, bint* good) noexcept:
    """Give the outcome of `p`, which has ended, to all that wait for that. Say whether its error, if it is one, is in `good` hands."""
    cdef PyObject* joiners = p.nearby[0]
    cdef PyObject* failure = NULL
    p.nearby[0] = NULL
    good[0] = False
    if joiners != NULL:
        if Py_TYPE(joiners) == <PyTypeObject*>dict:
            for joiner in <dict>joiners:  # which nobody else holds any more
                failure = first_failure(failure, tell(<PyObject*>joiner, p, good))
        else:
            failure = tell(joiners, p, good)
        Py_DECREF(<object>joiners)
    if p.special & SPAWNED and not good[0] and p.special & THROWING and not leaves(p.value):
        failure = first_failure(failure, keep_reporter(p, good))
    return failure


cdef PyObject* tell(PyObject* joiner, Pseudothread ended, bint* good) noexcept:
    if Py_TYPE(joiner) == <PyTypeObject*>Group:
        return count_end(<Group>joiner, ended, good)
    good[0] = True
    return give_outcome(<Pseudothread>joiner, ended)


cdef inline bint leaves(PyObject* error) noexcept:
    return PyErr_GivenExceptionMatches(error, PyExc_KeyboardInterrupt) or PyErr_GivenExceptionMatches(error, PyExc_SystemExit)


cdef inline PyObject* first_failure(PyObject* failure, PyObject* other) noexcept:
    if failure == NULL:
        return other
    Py_XDECREF(other)
    return failure


cdef PyObject* keep_reporter(Pseudothread p, bint* good) noexcept:
    cdef PyObject* reporter = PyObject_CallMethodOneArg(<PyObject*>p.trampoline, <PyObject*>word_untaken, <PyObject*>p)
    if reporter == NULL:
        return ct_fetch()
    ct_lock(<PyObject*>p.trampoline)
    cdef bint kept = set_detail(p, JOINERS, reporter)
    ct_unlock(<PyObject*>p.trampoline)
    Py_DECREF(<object>reporter)
    if not kept:
        return ct_fetch()
    good[0] = True
    return NULL


cdef PyObject* give_outcome(Pseudothread joiner, Pseudothread ended) noexcept:
    """Queue `joiner`, which is parked for `ended`, with the outcome of that. Return an error or NULL."""
    cdef BaseTrampoline t = joiner.trampoline
    cdef PyObject* given = ended.value
    cdef char special = 0
    if ended.special & THROWING:
        given = <PyObject*>ended
        special = THROWING | OWED
        Py_INCREF(ended)
    elif given == NULL:
        given = PyObject_CallFunctionObjArgs(<PyObject*>no_result, <PyObject*>ended, NULL)
        if given == NULL:
            given = ct_fetch()
        special = THROWING
    else:
        Py_INCREF(<object>given)
    if not claim(t, joiner, <PyObject*>ended, given, True):
        Py_DECREF(<object>given)
        return NULL
    joiner.special |= special
    Py_DECREF(joiner)  # it stands among the joiners
    if joiner.levels != NULL:
        woke(joiner)
    cdef PyObject* failure = go_on(t, joiner)
    left(t)
    Py_DECREF(ended)
    return failure


cdef PyObject* error_taken(Pseudothread p) noexcept:
    """Tell what reports the error of `p`, which has ended, that somebody took it. Return an error or NULL."""
    cdef PyObject* reporter = take_joiners(p)
    if reporter == NULL:
        return NULL
    cdef PyObject* failure = dropped(PyObject_CallMethodNoArgs(reporter, <PyObject*>word_taken))
    Py_DECREF(<object>reporter)
    return failure


# The error of one that has ended. Whoever is given it adds to its traceback and its context.

cdef void remember(Pseudothread p, PyObject* error) noexcept:
    """Note what the error of `p` has of both as it leaves the root. Nobody looks at its callers any more."""
    cdef PyObject* traceback = PyException_GetTraceback(error)
    cdef PyObject* context = PyException_GetContext(error)
    cdef PyObject* both = PyTuple_Pack(2, traceback if traceback != NULL else Py_None, context if context != NULL else Py_None)
    Py_XDECREF(traceback)
    Py_XDECREF(context)
    if both == NULL:
        PyErr_Clear()
        return
    ct_lock(<PyObject*>p.trampoline)
    p.linked = <object>both
    ct_unlock(<PyObject*>p.trampoline)
    Py_DECREF(<object>both)


cdef void as_it_was(Pseudothread p) noexcept:
    """Give the error of `p` back what it had when it left the root."""
    cdef PyObject* context
    if p.linked is None:
        return
    PyException_SetTraceback(p.value, <PyObject*>(<tuple>p.linked)[0])
    context = <PyObject*>(<tuple>p.linked)[1]
    if context == Py_None:
        context = NULL
    Py_XINCREF(context)
    PyException_SetContext(p.value, context)


cdef PyObject* owed(PyObject* ended) noexcept:
    """Return the error of `ended`, whose reference is taken over."""
    as_it_was(<Pseudothread>ended)
    cdef PyObject* error = (<Pseudothread>ended).value
    Py_INCREF(<object>error)
    Py_DECREF(<object>ended)
    return error


# The joiners, among the details.

cdef PyObject* take_joiners(Pseudothread p) noexcept:
    """Return them, whose reference the caller takes over, or NULL if there are none."""
    ct_lock(<PyObject*>p.trampoline)
    cdef PyObject* joiners = joiners_off(p)
    ct_unlock(<PyObject*>p.trampoline)
    return joiners


cdef inline PyObject* joiners_off(Pseudothread p) noexcept:
    cdef PyObject* joiners = detail(p, JOINERS)
    if joiners != NULL:
        Py_INCREF(<object>joiners)
        set_detail(p, JOINERS, Py_None)
    return joiners


cdef PyObject* add_joiner(Pseudothread p, PyObject* joiner) noexcept:
    """Return an error or NULL."""
    cdef PyObject* failure = NULL
    if detail(p, JOINERS) == NULL:
        return NULL if set_detail(p, JOINERS, joiner) else ct_fetch()
    try:
        add_another(p, <object>joiner)
    except BaseException as error:
        Py_INCREF(error)
        failure = <PyObject*>error
    return failure


cdef add_another(Pseudothread p, joiner):
    others = <object>detail(p, JOINERS)
    if type(others) is dict:
        others[joiner] = None
    else:
        both = {others: None, joiner: None}
        if not set_detail(p, JOINERS, <PyObject*>both):
            leave(ct_fetch())


cdef int leave_joiners(Pseudothread p, Pseudothread joiner) except -1:
    ct_lock(<PyObject*>p.trampoline)
    cdef PyObject* others = detail(p, JOINERS)
    if others == <PyObject*>joiner:
        set_detail(p, JOINERS, Py_None)
    elif others != NULL and Py_TYPE(others) == <PyTypeObject*>dict:
        (<dict>others).pop(joiner, None)
    ct_unlock(<PyObject*>p.trampoline)
    return 0


# Several at once.

@cython.final
cdef class Group:
    """What waits for several pseudothreads at once: until all have ended, or one failed; if `any`, until one has ended.

    `waiter` is parked for `suspension`, and is resumed with None then, ahead of all others if some are left. `decided` is the pseudothread
    that ended it, `children` has all of them. Until `leave()` their errors are the waiter's to take.
    """

    def __init__(self, Pseudothread waiter not None, suspension, any):
        self.waiter, self.suspension, self.any = waiter, suspension, any
        self.running, self.open = 0, True
        self.children, self.decided = [], None

    def start(self, coroutines, code, int instruction):
        """Start a pseudothread for each, in a copy of the waiter's context if it has one, as added at `instruction` of `code`."""
        cdef BaseTrampoline t = None if self.waiter is None else self.waiter.trampoline
        cdef PyObject* started
        cdef Pseudothread p
        if t is None or type(code) is not CodeType:
            raise TypeError(f"a group starts what a pseudothread of a trampoline waits for, not for {self.waiter!r} at {code!r}")
        for coroutine in coroutines:
            if t.asks and not PyGen_CheckExact(<PyObject*>coroutine):
                coroutine = t._root(coroutine)
            p = make(t, coroutine)
            p.about = code
            mark(p, instruction)
            if self.waiter.special & IN_CONTEXT:
                describe_root(p, None, copied_context(self.waiter))
            if not set_detail(p, JOINERS, <PyObject*>self):
                leave(ct_fetch())
            ct_lock(<PyObject*>self)
            self.running += 1
            ct_unlock(<PyObject*>self)
            self.children.append(p)
            started = NULL
            leave(launch(t, p, &started))
            Py_XDECREF(started)

    def leave(self):
        """Wait no longer: an error of those that are left goes its own way."""
        self.open = False

    @property
    def left(self):
        """How many have not ended."""
        return self.running


cdef PyObject* count_end(Group group, Pseudothread child, bint* good) noexcept:
    """Take the end of one of them. Say whether the waiter will take its error. Return an error or NULL."""
    cdef bint failed = child.special & THROWING or child.value == NULL
    ct_lock(<PyObject*>group)
    group.running -= 1
    cdef Py_ssize_t running = group.running
    cdef bint decides = group.open and group.decided is None and (failed or group.any or not running)
    if group.open:
        good[0] = True
    if decides:
        group.decided = child
    ct_unlock(<PyObject*>group)
    return wake_waiter(group.waiter, <PyObject*>group.suspension, running > 0) if decides else NULL


cdef PyObject* wake_waiter(Pseudothread waiter, PyObject* suspension, bint first) noexcept:
    """Queue `waiter`, `first` if that can be, if it is still parked for that. Return an error or NULL."""
    cdef BaseTrampoline t = waiter.trampoline
    cdef PyObject* failure
    if not claim(t, waiter, suspension, NULL, True):
        return NULL
    Py_DECREF(waiter)
    if waiter.levels != NULL:
        woke(waiter)
    failure = go_on_first(t, waiter, first)
    left(t)
    Py_DECREF(<object>suspension)
    return failure
