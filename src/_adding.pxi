"""The list of all trampolines, and how pseudothreads are made, checked and queued. Part of `_ctrampoline.pyx`."""


def _live():
    """Return all trampolines that there are, the newest first."""
    cdef PyObject* t = newest
    found = []
    while t != NULL:
        if Py_REFCNT(t) > 0:  # else it is just going
            found.append(<object>t)
        t = (<BaseTrampoline>t).after
    return found


cdef void enlist(BaseTrampoline t) noexcept:
    global newest
    t.after = newest
    if newest != NULL:
        (<BaseTrampoline>newest).before = <PyObject*>t
    newest = <PyObject*>t


cdef void strike_off(BaseTrampoline t) noexcept:
    global newest
    if t.before != NULL:
        (<BaseTrampoline>t.before).after = t.after
    else:
        newest = t.after
    if t.after != NULL:
        (<BaseTrampoline>t.after).before = t.before


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
