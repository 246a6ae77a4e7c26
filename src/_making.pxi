"""How a pseudothread is made, and what `add()` and `schedule()` are given for it. Part of `_ctrampoline.pyx`."""


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


cdef Pseudothread make(BaseTrampoline t, coroutine, stack=None):
    cdef Pseudothread p = Pseudothread.__new__(Pseudothread)
    p.trampoline = t
    Py_INCREF(coroutine)
    p.top = <PyObject*>coroutine
    p.linked = stack
    p.state = TAKEN
    if collectors_used:
        made(t, p)
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
