"""How a pseudothread is made, and what `add()` and `schedule()` are given for it. Part of `_ctrampoline.pyx`."""


cdef Pseudothread make(BaseTrampoline t, coroutine, stack=None):
    cdef Pseudothread p = Pseudothread.__new__(Pseudothread)
    p.trampoline = t
    Py_INCREF(coroutine)
    p.top = <PyObject*>coroutine
    p.linked = stack
    p.state = TAKEN
    if ct_flag(&collectors_used):
        made(t, p)
    return p


cdef bint takes_back(BaseTrampoline t, Pseudothread p) noexcept:
    """Have nobody close it, which was shown to an overridden `schedule`, any more. Return False if another thread has just done so."""
    ct_lock(<PyObject*>t)
    cdef bint good = p.state == TAKEN
    if good:
        p.state = <char>CT_LEAVING
    ct_unlock(<PyObject*>t)
    return good


cdef void give_next(BaseTrampoline t, Pseudothread p, value, bint throwing) noexcept:
    """Have it be sent `value`, or thrown. One whose suspend() has failed meanwhile, in another thread, gets the error of that."""
    cdef PyObject* old = NULL
    ct_lock(<PyObject*>t)
    if throwing or not p.special & THROWING:
        Py_INCREF(value)
        old, p.value = p.value, <PyObject*>value
    if throwing:
        p.special |= THROWING
    ct_unlock(<PyObject*>t)
    Py_XDECREF(old)


cdef append(BaseTrampoline t, Pseudothread p, tuple shown):
    """Queue it. If that fails, whoever had `shown` it to an overridden `schedule`, if that is not None, sees that nobody has taken it."""
    cdef PyObject* failure = queue_up(t, p, False)
    cdef PyObject* value
    if failure != NULL and shown is not None and not stands_in_queue(t, p, &failure):
        value, p.value = p.value, NULL
        p.special &= ~THROWING
        Py_XDECREF(value)
        try:
            t.handing.append(shown)
        except MemoryError:
            pass
    leave(failure)
    leave(wake_up(t))


cdef inline bint resumes(value) except -1:
    return PyGen_CheckExact(<PyObject*>value) or PyCoro_CheckExact(<PyObject*>value) or is_coroutine(value)


cdef root(Pseudothread p):
    """Return the outermost coroutine, or None after the end."""
    cdef PyObject* lowest
    ct_lock(<PyObject*>p.trampoline)
    if p.top == NULL:
        lowest = NULL
    elif p.linked is None:
        lowest = p.callers[0] if p.depth else p.top
    else:
        lowest = <PyObject*>p.linked
    Py_XINCREF(lowest)
    cdef bint nested = lowest != NULL and p.linked is not None
    ct_unlock(<PyObject*>p.trampoline)
    found = give(lowest)
    if not nested:
        return found
    coroutine, rest = found
    while rest:
        coroutine, rest = rest
    return coroutine
