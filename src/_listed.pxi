"""The list of all trampolines. Part of `_ctrampoline.pyx`."""


def _live():
    """Return all trampolines that there are, the newest first."""
    cdef PyObject* t = newest
    found = []
    if CT_FREE_THREADED:
        return [found for found in [known() for known in reversed(list(all_weakly))] if found is not None]
    while t != NULL:
        if Py_REFCNT(t) > 0:  # else it is just going
            found.append(<object>t)
        t = (<BaseTrampoline>t).after
    return found


cdef list all_weakly = []  # in free-threaded CPython, where one that another thread is just letting go could not be told from others
cdef object all_lock = allocate_lock()
cdef Py_ssize_t most = 64


cdef enlist_weakly(BaseTrampoline t):
    global most
    held, last = [], None  # go behind the lock
    with all_lock:
        while all_weakly:
            last = all_weakly[len(all_weakly) - 1]()
            if last is not None:
                break
            all_weakly.pop()
        if len(all_weakly) > most:
            held = [(known, known()) for known in all_weakly]
            all_weakly[:] = [known for known, found in held if found is not None]
            most = 2 * len(all_weakly) + 64
        all_weakly.append(ref(t))


cdef enlist(BaseTrampoline t):
    global newest
    if CT_FREE_THREADED:
        enlist_weakly(t)
        return
    t.after = newest
    if newest != NULL:
        (<BaseTrampoline>newest).before = <PyObject*>t
    newest = <PyObject*>t


cdef void strike_off(BaseTrampoline t) noexcept:
    global newest
    if CT_FREE_THREADED:
        return
    if t.before != NULL:
        (<BaseTrampoline>t.before).after = t.after
    else:
        newest = t.after
    if t.after != NULL:
        (<BaseTrampoline>t.after).before = t.before
