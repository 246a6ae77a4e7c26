"""Who runs a trampoline, and what others ask of one that runs. Part of `_ctrampoline.pyx`."""


cdef PyObject* begin(BaseTrampoline t) noexcept:
    """Have this thread be the one that runs `t`. Return an error or NULL."""
    cdef PyObject* failure = NULL
    cdef bint begun = False
    try:
        mine = get_ident()
        begun = begins(t, mine)
        if begun:
            check_overridden(t)
            turns_begin(t)
        else:
            failure = raised_now(runs_already, t, thread_of(t) == mine)
    except BaseException as error:
        if begun:
            no_more_running(t)
        Py_INCREF(error)
        failure = <PyObject*>error
    return failure


cdef bint begins(BaseTrampoline t, mine) noexcept:
    """Have that thread be the one that runs `t`. Of several one succeeds."""
    ct_lock(<PyObject*>t)
    cdef bint good = t.thread is None
    if good:
        t.thread = mine
        ct_set_flag(&t.running, True)
    ct_unlock(<PyObject*>t)
    return good


cdef void no_more_running(BaseTrampoline t) noexcept:
    _thread = t.thread  # let go behind the lock
    ct_lock(<PyObject*>t)
    ct_set_flag(&t.running, False)
    t.alone = False
    t.thread = None
    ct_unlock(<PyObject*>t)


cdef void not_alone(BaseTrampoline t) noexcept:
    ct_lock(<PyObject*>t)
    t.alone = False
    ct_unlock(<PyObject*>t)


cdef object thread_of(BaseTrampoline t):
    """Return the identity of the thread that runs `t`, or None."""
    ct_lock(<PyObject*>t)
    cdef PyObject* thread = <PyObject*>t.thread
    Py_INCREF(<object>thread)
    ct_unlock(<PyObject*>t)
    return give(thread)


cdef list all_parked(BaseTrampoline t):
    cdef Py_ssize_t count = -1, many = 0
    cdef PyObject* p
    cdef PyObject* found = NULL
    ct_lock(<PyObject*>t)
    while count != many:  # as in entries_of()
        Py_XDECREF(found)
        count = parked_in(t)
        found = PyList_New(count)
        if found == NULL:
            ct_unlock(<PyObject*>t)
            raise MemoryError
        many = parked_in(t)
    p = t.first_parked
    for many in range(count):
        Py_INCREF(<object>p)
        PyList_SET_ITEM(found, many, p)
        p = (<Pseudothread>p).nearby[1]
    ct_unlock(<PyObject*>t)
    return owned_list(found)


cdef Py_ssize_t parked_in(BaseTrampoline t) noexcept:
    cdef PyObject* p = t.first_parked
    cdef Py_ssize_t count = 0
    while p != NULL:
        count += 1
        p = (<Pseudothread>p).nearby[1]
    return count
