"""The list of all trampolines. Part of `_ctrampoline.pyx`."""


def _live():
    """Return all trampolines that there are, the newest first."""
    cdef PyObject* t = newest
    found = []
    if CT_FREE_THREADED:  # one that another thread is just letting go could not be told from the others here, but the collector can
        found = [each for each in get_objects() if isinstance(each, BaseTrampoline)]
        found.sort(key=number_of, reverse=True)
        return found
    while t != NULL:
        if Py_REFCNT(t) > 0:  # else it is just going
            found.append(<object>t)
        t = (<BaseTrampoline>t).after
    return found


def number_of(BaseTrampoline t not None):
    return <size_t>t.before


cdef void enlist(BaseTrampoline t) noexcept:
    global newest
    if CT_FREE_THREADED:
        t.before = <PyObject*>ct_next_number()  # in no list, but in the order of their making
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
