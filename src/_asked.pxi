"""What may be asked and told from any thread, and turns by hand. Part of `_ctrampoline.pyx`."""


cdef list coroutines_of(Pseudothread p, PyObject** linked):
    """Return the coroutines of `p`, and what nested pairs it has below them, with a reference, or NULL."""
    cdef unsigned int level
    cdef Py_ssize_t count = -1
    cdef PyObject* found = NULL
    ct_lock(<PyObject*>p.trampoline)
    while count != coroutines_in(p):  # as in entries_of()
        Py_XDECREF(found)
        count = coroutines_in(p)
        found = PyList_New(count)
        if found == NULL:
            ct_unlock(<PyObject*>p.trampoline)
            raise MemoryError
    for level in range(<unsigned int>max(0, count - 1)):
        Py_INCREF(<object>p.callers[level])
        PyList_SET_ITEM(found, level, p.callers[level])
    if count:
        Py_INCREF(<object>p.top)
        PyList_SET_ITEM(found, count - 1, p.top)
        if p.linked is not None:
            linked[0] = <PyObject*>p.linked
            Py_INCREF(p.linked)
    ct_unlock(<PyObject*>p.trampoline)
    return owned_list(found)


cdef inline Py_ssize_t coroutines_in(Pseudothread p) noexcept:
    """Return how many coroutines it has but for the nested pairs."""
    return 0 if p.top == NULL else <Py_ssize_t>p.depth + 1


cdef PyObject* whose_turn(BaseTrampoline t) noexcept:
    """Return the pseudothread whose turn it is, with a reference, or NULL: also when the turn is over, and what follows it is at it."""
    ct_lock(<PyObject*>t)
    cdef PyObject* found = t.by_hand if t.by_hand != NULL else t.turn[0] if t.turn != NULL else NULL
    if found != NULL and (<Pseudothread>found).state != RUNNING:
        found = NULL
    Py_XINCREF(found)
    ct_unlock(<PyObject*>t)
    return found


cdef inline bint leaving_in(BaseTrampoline t) noexcept:
    """Return whether another thread is just resuming one: parked no more, and not queued yet."""
    ct_lock(<PyObject*>t)
    cdef bint leaving = t.leaving and others_leave(t)
    ct_unlock(<PyObject*>t)
    return leaving


cdef inline bint others_leave(BaseTrampoline t) noexcept:
    """The same, for who has its lock."""
    return t.leaving > (t.leaver == PyThread_get_thread_ident())


cdef PyObject* withdraw_to_throw(PyObject* suspension, Pseudothread p) noexcept:
    """Call `withdraw()` for one that claim_any() has taken out: it may run the trampoline, which then does not wait for this thread."""
    cdef BaseTrampoline t = p.trampoline
    global ct_throws
    ct_throws += 1
    ct_lock(<PyObject*>t)
    t.leaver = PyThread_get_thread_ident()
    ct_unlock(<PyObject*>t)
    cdef PyObject* failure = withdraw(suspension, p)
    ct_lock(<PyObject*>t)
    if t.leaver == PyThread_get_thread_ident():
        t.leaver = 0
    ct_unlock(<PyObject*>t)
    ct_throws -= 1
    return failure


# What other threads may do beside run().

cdef int elsewhere_in(BaseTrampoline t) noexcept:
    """Return how many turns by hand and close() are going on in other threads; 0 if this thread is in the midst of any."""
    ct_lock(<PyObject*>t)
    cdef int beside = t.beside
    ct_unlock(<PyObject*>t)
    return beside if not ct_beside else 0


cdef void goes_beside(BaseTrampoline t) noexcept:
    """Note that a turn is made by hand, or one is closed."""
    global ct_beside
    ct_beside += 1
    ct_lock(<PyObject*>t)
    t.beside = t.beside + 1
    ct_unlock(<PyObject*>t)


cdef PyObject* came_back(BaseTrampoline t, PyObject* failure) noexcept:
    """That is over: whoever waits looks again at what he waits for. Return `failure`, else an error or NULL."""
    global ct_beside
    ct_beside -= 1
    ct_lock(<PyObject*>t)
    t.beside = t.beside - 1
    ct_unlock(<PyObject*>t)
    cdef PyObject* other = wake_up(t)
    if failure == NULL:
        return other
    Py_XDECREF(other)
    return failure


# Turns by hand.

cdef PyObject* begins_by_hand(BaseTrampoline t, PyObject** current) noexcept:
    """Note whose turn it is. Return what ends_by_hand() shall restore."""
    cdef PyObject* before = NULL
    if CT_FREE_THREADED:  # another thread may ask, or make turns as well: so it is not left to who else puts what back
        Py_INCREF(<object>current[0])
        ct_lock(<PyObject*>t)
        before, t.by_hand = t.by_hand, current[0]
        ct_unlock(<PyObject*>t)
    else:
        t.turn = current
    return before


cdef void ends_by_hand(BaseTrampoline t, PyObject** turn, PyObject* before) noexcept:
    cdef PyObject* mine
    if CT_FREE_THREADED:
        ct_lock(<PyObject*>t)
        mine, t.by_hand = t.by_hand, before
        ct_unlock(<PyObject*>t)
        Py_XDECREF(mine)
    else:
        t.turn = turn
