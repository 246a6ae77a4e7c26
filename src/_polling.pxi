"""To wait for files and deadlines in the common case: `_wait()` is that of `Trampoline`, and the reactor one of ours on epoll.

What `Trampoline._wait()`, `Reactor.poll()` and `Reactor.dispatch()` do is done here, and explained there. Part of `_ctrampoline.pyx`.
"""

cdef enum:
    POLLS = 16  # from one look at the time to the next, where each poll waits for 50 ms at most
    SWEEP = 500_000_000  # nanoseconds between two looks for closed files while there are events

cdef object wait_in_python
cdef double MOMENT


def _know_waiting(wait, moment):
    """Take notice of the method that waits where nobody has put another in its place, and of how long it does while somebody is leaving."""
    global wait_in_python, MOMENT
    wait_in_python, MOMENT = wait, moment


cdef PyObject* plain_reactor(BaseTrampoline t) noexcept:
    """Return the reactor of `t`, borrowed, if a file is waited for and all that waits is plain; else NULL."""
    cdef PyObject* own
    cdef PyObject* found
    cdef PyObject* reactor
    if ct_reactor_type == NULL or t.own is None or t.timers is None or t.virtual:
        return NULL
    own = ct_dict_of(<PyObject*>t)
    reactor = PyDict_GetItemWithError(own, <PyObject*>word_reactor) if own != NULL else NULL
    if reactor == NULL or Py_TYPE(reactor) != ct_reactor_type or ct_slot(reactor, ct_reactor_timers) != <PyObject*>t.timers:
        return NULL
    if ct_whole(ct_slot(reactor, ct_reactor_epoll)) < 0 or ct_whole(ct_slot(reactor, ct_reactor_waits)) <= 0:
        return NULL
    if ct_has_some(ct_slot(reactor, ct_reactor_due)) or PyDict_GetItemWithError(own, <PyObject*>word_wait) != NULL:
        return NULL
    found = PyDict_GetItemWithError(own, <PyObject*>word_host)
    if found != NULL and found != Py_None or ct_has_some(PyDict_GetItemWithError(own, <PyObject*>word_posted)):
        return NULL
    return reactor if _PyType_Lookup(Py_TYPE(<PyObject*>t), <PyObject*>word_wait) == <PyObject*>wait_in_python else NULL


cdef PyObject* wait_for_files(BaseTrampoline t, PyObject* reactor) noexcept:
    """Wait until something is ready, and tell who waits for it. Return an error or NULL."""
    cdef int ready[CT_MOST_READY]
    cdef unsigned int events[CT_MOST_READY]
    cdef double left = Py_HUGE_VAL
    cdef int count = 0
    cdef PyObject* failure
    cdef PyObject* later = NULL
    Py_INCREF(<object>reactor)
    failure = set_waker(t, PyMethod_New(ct_knock, reactor))
    if failure == NULL:
        failure = seconds_left(t.timers, &left)
    if t.own is None or ct_size(&t.own.count) or not ct_flag(&t.running):  # a clock of the user's may have put another queue in its place
        left = 0
    elif (leaving_in(t) or t.beside) and left > MOMENT:
        left = MOMENT
    if failure == NULL:
        count = ct_poll(<int>ct_whole(ct_slot(reactor, ct_reactor_epoll)), ct_milliseconds(left if left < PAUSE else PAUSE), ready, events)
        if count < 0:
            failure = ct_fetch()
        elif count == 0 and left > PAUSE:
            failure = poll_after_pause(reactor, left, &later)
    t.polls = t.polls + 1
    if t.polls >= POLLS and failure == NULL:
        failure = sweep_in_time(t, reactor)
    t.waker = None
    if t.own is not None:  # somebody may have put another queue in its place
        t.own.waker = None
    if failure == NULL:
        failure = dispatch_later(t, later) if later != NULL else dispatch_ready(t, reactor, count, ready, events)
    Py_XDECREF(later)
    Py_DECREF(<object>reactor)
    return failure


cdef PyObject* set_waker(BaseTrampoline t, PyObject* waker) noexcept:
    """Have who queues something from now on knock. The reference of `waker` is taken over. Return an error or NULL."""
    if waker == NULL:
        return ct_fetch()
    t.waker = t.own.waker = <object>waker
    Py_DECREF(<object>waker)
    return NULL


cdef PyObject* seconds_left(Timers timers, double* left) noexcept:
    """Ask how long it is until the next deadline, if there is one. Return an error or NULL."""
    cdef double now
    cdef PyObject* failure
    clean(timers)
    if not timers.count:
        return NULL
    failure = now_of(timers, &now)
    if failure == NULL and timers.count:
        left[0] = timers.heap[0].when - now
    return failure


cdef PyObject* poll_after_pause(PyObject* reactor, double left, PyObject** later) noexcept:
    cdef PyObject* seconds = PyFloat_FromDouble(left)
    if seconds == NULL:
        return ct_fetch()
    later[0] = PyObject_CallMethodOneArg(reactor, <PyObject*>word_poll_after_pause, Py_None if left == Py_HUGE_VAL else seconds)
    Py_DECREF(<object>seconds)
    return ct_fetch() if later[0] == NULL else NULL


cdef PyObject* sweep_in_time(BaseTrampoline t, PyObject* reactor) noexcept:
    """Have closed files looked for, if it is time to. Return an error or NULL."""
    cdef long long now = ct_now()
    t.polls = 0
    if now < t.sweep_at:
        return NULL
    t.sweep_at = now + SWEEP
    return dropped(PyObject_CallMethodNoArgs(reactor, <PyObject*>word_sweep))


cdef PyObject* dispatch_later(BaseTrampoline t, PyObject* events) noexcept:
    return dropped(PyObject_CallMethodOneArg(<PyObject*>t, <PyObject*>word_dispatch, events))


cdef PyObject* dispatch_ready(BaseTrampoline t, PyObject* reactor, int count, int* ready, unsigned int* events) noexcept:
    """Wake whose time has come, then tell who waits for those files. Return an error or NULL."""
    cdef bint vain = count > 0
    cdef int index
    cdef double now
    cdef PyObject* fd
    cdef PyObject* failure = NULL
    if t.timers.count:
        failure = now_of(t.timers, &now)
        if failure == NULL:
            failure = fire_until(t.timers, now)
    for index in range(count):
        if failure != NULL:
            return failure
        fd = PyLong_FromLong(ready[index])
        if fd == NULL:
            return ct_fetch()
        failure = tell_ready(reactor, fd, events[index], &vain)
        Py_DECREF(<object>fd)
    if failure == NULL and (vain or ct_whole(ct_slot(reactor, ct_reactor_vain))):
        failure = dropped(PyObject_CallMethodOneArg(reactor, <PyObject*>word_note_vain, Py_True if vain else Py_False))
    if failure == NULL and was_posted(<PyObject*>t):
        failure = dropped(PyObject_CallMethodOneArg(<PyObject*>t, <PyObject*>word_dispatch, <PyObject*>nothing))
    return failure


cdef bint was_posted(PyObject* t) noexcept:
    """Return whether another thread has left something to be called."""
    cdef PyObject* own = ct_dict_of(t)
    return own != NULL and ct_has_some(PyDict_GetItemWithError(own, <PyObject*>word_posted))
