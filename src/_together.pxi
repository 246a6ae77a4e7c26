"""Who waits for the end of a pseudothread, and what each is given then. Part of `_ctrampoline.pyx`.

Where a pseudothread has neither name nor context its only joiner stands in `details` by itself: to join it takes no memory.
"""


cdef PyObject* join(Pseudothread p, Pseudothread target) noexcept:
    """Have `p`, which is parked for `target`, resumed with the outcome of that. Return an error or NULL."""
    cdef PyObject* failure
    if target is p or target.trampoline is not p.trampoline:
        failure = PyObject_CallFunctionObjArgs(<PyObject*>cannot_join, <PyObject*>p, <PyObject*>target, NULL)
        return failure if failure != NULL else ct_fetch()
    if target.state != ENDED:
        return add_joiner(target, <PyObject*>p)
    failure = error_taken(target)
    return failure if failure != NULL else give_outcome(p, target)


cdef PyObject* hand_out(Pseudothread p, bint* good) noexcept:
    """Give the outcome of `p`, which has ended, to all that wait for that. Say whether its error, if it is one, is in `good` hands."""
    cdef PyObject* joiners = p.near[0]
    cdef PyObject* failure = NULL
    p.near[0] = NULL
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
    cdef PyObject* name = <PyObject*>(<tuple>p.details)[0] if p.details is not None else Py_None
    cdef PyObject* details
    if reporter == NULL:
        return ct_fetch()
    details = PyTuple_Pack(3, name, Py_None, reporter)
    Py_DECREF(<object>reporter)
    if details == NULL:
        return ct_fetch()
    p.details = <object>details
    Py_DECREF(<object>details)
    good[0] = True
    return NULL


cdef PyObject* give_outcome(Pseudothread joiner, Pseudothread ended) noexcept:
    """Queue `joiner`, which is parked for `ended`, with the outcome of that. Return an error or NULL."""
    cdef BaseTrampoline t = joiner.trampoline
    cdef PyObject* suspension = joiner.value
    cdef PyObject* failure
    if joiner.state != PARKED or suspension != <PyObject*>ended:
        return NULL
    joiner.state = TAKEN
    if ended.special & THROWING:
        joiner.value = <PyObject*>ended
        joiner.special |= THROWING | OWED
        Py_INCREF(ended)
    elif ended.value == NULL:
        joiner.value = PyObject_CallFunctionObjArgs(<PyObject*>no_result, <PyObject*>ended, NULL)
        if joiner.value == NULL:
            joiner.value = ct_fetch()
        joiner.special |= THROWING
    else:
        joiner.value = ended.value
        Py_INCREF(<object>ended.value)
    unlink(t, joiner)
    t.leaving += 1
    failure = go_on(t, joiner)
    t.leaving -= 1
    Py_DECREF(<object>suspension)
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

cdef void remember(Pseudothread p) noexcept:
    """Note what the error of `p` has of both as it leaves the root."""
    cdef PyObject* traceback = PyException_GetTraceback(p.value)
    cdef PyObject* context = PyException_GetContext(p.value)
    cdef PyObject* both = PyTuple_Pack(2, traceback if traceback != NULL else Py_None, context if context != NULL else Py_None)
    Py_XDECREF(traceback)
    Py_XDECREF(context)
    if both == NULL:
        PyErr_Clear()
        return
    p.linked = <object>both
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


# The joiners, in `details`.

cdef PyObject* take_joiners(Pseudothread p) noexcept:
    """Return them, whose reference the caller takes over, or NULL if there are none."""
    cdef PyObject* details = <PyObject*>p.details
    cdef PyObject* joiners = details
    cdef PyObject* rest = Py_None
    if details == Py_None:
        return NULL
    if Py_TYPE(details) == <PyTypeObject*>tuple:
        joiners = <PyObject*>(<tuple>p.details)[2]
        if joiners == Py_None:
            return NULL
        rest = PyTuple_Pack(3, <PyObject*>(<tuple>p.details)[0], <PyObject*>(<tuple>p.details)[1], Py_None)
        if rest == NULL:
            PyErr_Clear()  # no memory for it: then it has no name
            rest = Py_None
    Py_INCREF(<object>joiners)
    p.details = <object>rest
    if rest != Py_None:
        Py_DECREF(<object>rest)
    return joiners


cdef PyObject* add_joiner(Pseudothread p, PyObject* joiner) noexcept:
    """Return an error or NULL."""
    if p.details is None:
        p.details = <object>joiner
        return NULL
    cdef PyObject* failure = NULL
    try:
        add_another(p, <object>joiner)
    except BaseException as error:
        Py_INCREF(error)
        failure = <PyObject*>error
    return failure


cdef add_another(Pseudothread p, joiner):
    name, context, others = p.details if type(p.details) is tuple else (None, None, p.details)
    if type(others) is dict:
        others[joiner] = None
    else:
        p.details = name, context, joiner if others is None else {others: None, joiner: None}


cdef int leave_joiners(Pseudothread p, Pseudothread joiner) except -1:
    if p.details is joiner:
        p.details = None
    elif type(p.details) is tuple:
        name, context, others = p.details
        if others is joiner:
            p.details = name, context, None
        elif type(others) is dict:
            (<dict>others).pop(joiner, None)
    return 0


# Several at once.

@cython.final
cdef class Group:
    """What waits for several pseudothreads at once: until all have ended, or one failed; if `any`, until one has ended.

    `waiter` is parked for `suspension`, and is resumed with None then, ahead of all others if some are left. `decided` is the pseudothread
    that ended it, `children` has all of them. Until `leave()` their errors are the waiter's to take.
    """

    def __init__(self, waiter, suspension, any):
        self.waiter, self.suspension, self.any = waiter, suspension, any
        self.running, self.open = 0, True
        self.children, self.decided = [], None

    def start(self, coroutines, code, instruction):
        """Start a pseudothread for each, in a copy of the waiter's context if it has one, as added at `instruction` of `code`."""
        cdef BaseTrampoline t = self.waiter.trampoline
        cdef PyObject* started
        cdef Pseudothread p
        for coroutine in coroutines:
            if t.asks and not PyGen_CheckExact(<PyObject*>coroutine):
                coroutine = t._root(coroutine)
            p = make(t, coroutine)
            if code is not None:
                p.code = code
                mark(p, instruction)
            if self.waiter.special & IN_CONTEXT:
                describe_root(p, None, copied_context(self.waiter))
                p.details = None, p.details[1], self
            else:
                p.details = self
            self.running += 1
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
    group.running -= 1
    if not group.open:
        return NULL
    good[0] = True
    if group.decided is None and (failed or group.any or not group.running):
        group.decided = child
        return wake(group.waiter, <PyObject*>group.suspension, group.running > 0)
    return NULL


cdef PyObject* wake(Pseudothread waiter, PyObject* suspension, bint first) noexcept:
    """Queue `waiter`, `first` if that can be, if it is still parked for that. Return an error or NULL."""
    cdef BaseTrampoline t = waiter.trampoline
    cdef PyObject* failure
    if waiter.state != PARKED or waiter.value != suspension:
        return NULL
    waiter.value, waiter.state = NULL, TAKEN
    unlink(t, waiter)
    t.leaving += 1
    failure = go_on_first(t, waiter, first)
    t.leaving -= 1
    Py_DECREF(<object>suspension)
    return failure
