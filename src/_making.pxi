"""How a pseudothread is made, and what `add()` and `schedule()` are given for it. Part of `_ctrampoline.pyx`."""


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


cdef root(Pseudothread p):
    if p.linked is None:
        return <object>(p.callers[0] if p.depth else p.top)
    coroutine, rest = p.linked
    while rest:
        coroutine, rest = rest
    return coroutine
