"""The list of all trampolines. Part of `_ctrampoline.pyx`."""


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
