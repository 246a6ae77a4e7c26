"""To read from sockets and to write to them, in the common case: a socket of the standard library's `socket`, a reactor of ours, epoll.

What is rarer is left to the methods of the operations and of the reactor, which say what is done and why. Part of `_ctrampoline.pyx`.

The lock of the interpreter is kept from where an operation is looked at till its pseudothread is queued, so nobody comes between.
Where there is no such lock nothing of this is used.
"""


def _know_streams(read, write, socket, written):
    """Take notice of the classes of what reads and writes, and of the set of sockets to which something is left to be written."""
    ct_know_streams(read, write, socket, written)


def _know_reactor(reactor, watched):
    """Take notice of the class of the reactor, and of what that notes of a file."""
    ct_know_reactor(reactor, watched)


cdef PyObject* begin_to_read(BaseTrampoline t, Pseudothread p, PyObject* reading) noexcept:
    """Have `p` resumed when there is something to read: what `suspend()` of `reading` does. Return an error or NULL."""
    cdef PyObject* watched
    cdef PyObject* failure = NULL
    cdef PyObject* reactor = PyObject_GetAttr(<PyObject*>t, <PyObject*>word_reactor)
    if reactor == NULL:
        return ct_fetch()
    watched = ct_watched_of(reactor, ct_slot(reading, ct_read_file))
    if watched == NULL:
        failure = dropped(PyObject_CallMethodOneArg(reading, <PyObject*>word_suspend, <PyObject*>p))
    elif ct_count_waits(reactor, 1) < 0:
        failure = ct_fetch()
    else:
        ct_set_slot(watched, ct_watched_reading, reading)
        ct_set_slot(reading, ct_read_pseudothread, <PyObject*>p)
        ct_set_slot(reading, ct_read_to_write, Py_False)
        ct_set_slot(reading, ct_read_watched, watched)
    Py_DECREF(<object>reactor)
    return failure


cdef PyObject* read_now(Pseudothread p, PyObject* reading) noexcept:
    """Read what `p` waits for: what `_ready()` of `reading` does. Return an error or NULL."""
    cdef PyObject* data
    if not is_parked_for(p.trampoline, p, reading):
        return NULL
    ct_set_slot(reading, ct_read_watched, Py_None)
    data = ct_receive(reading)
    if data == NULL:
        return have_failed(reading)
    if not PyBytes_GET_SIZE(data):
        Py_DECREF(<object>data)
        return dropped(PyObject_CallMethodNoArgs(reading, <PyObject*>word_end))
    claim(p.trampoline, p, reading, data, True)  # in free-threaded CPython nobody comes here
    Py_DECREF(p)
    forget(p.trampoline, p, reading)
    if p.levels != NULL:
        woke(p)
    cdef PyObject* failure = go_on(p.trampoline, p)
    left(p.trampoline)
    Py_DECREF(<object>reading)  # what the pseudothread had of it
    return failure


cdef PyObject* have_failed(PyObject* operation) noexcept:
    """Have `operation` see what the error that is set means. Return what is raised by it, or NULL."""
    cdef PyObject* error = ct_fetch()
    cdef PyObject* returned = PyObject_CallMethodOneArg(operation, <PyObject*>word_failed, error)
    Py_DECREF(<object>error)
    return dropped(returned)


cdef inline bint writes_plainly(BaseTrampoline t, Pseudothread p) noexcept:
    """Return whether nobody sees if `p`, which yielded to write, is parked for that or is queued again at once."""
    return ct_write_type != NULL and Py_TYPE(p.value) == ct_write_type and not (
        p.special & INTERRUPTED or p.levels != NULL or t.overridden or t.own is None)


cdef PyObject* begin_to_write(Pseudothread p, PyObject** begun) noexcept:
    """Write what `p` yielded. Return the number of bytes if that was all of it, else NULL, with the number or the error in `begun`."""
    cdef bint whole = False
    cdef PyObject* sent = ct_send(p.value, &whole)
    begun[0] = NULL
    if sent == NULL:
        if PyErr_Occurred() != NULL:
            begun[0] = ct_fetch()
    elif not whole:
        begun[0], sent = sent, NULL
    return sent


def _dispatch(reactor, events):
    """Tell who waits for files that those are ready. Return whether that was in vain, as nobody let it be known that there is no more."""
    cdef bint vain = len(events) > 0, plain = ct_reactor_type != NULL and Py_TYPE(<PyObject*>reactor) == ct_reactor_type
    cdef PyObject* watched
    cdef PyObject* reading
    cdef PyObject* failure
    for fd, event in events:
        watched = reading = NULL
        if plain:
            watched = PyDict_GetItemWithError(ct_slot(<PyObject*>reactor, ct_reactor_files), <PyObject*>fd)
            reading = ct_reading_at(watched, <unsigned long>event)
            if reading != NULL and Py_TYPE(ct_slot(reading, ct_read_pseudothread)) != <PyTypeObject*>Pseudothread:
                reading = NULL  # one of the core in Python
        if reading == NULL:
            if not reactor._tell(fd, event):
                vain = False
            continue
        operation, pseudothread, noted = <object>reading, <object>ct_slot(reading, ct_read_pseudothread), <object>watched
        ct_set_slot(watched, ct_watched_reading, Py_None)
        failure = NULL if ct_count_waits(<PyObject*>reactor, -1) == 0 else ct_fetch()
        if failure == NULL:
            failure = read_now(<Pseudothread>pseudothread, reading)
        leave(failure)
        if ct_slot(watched, ct_watched_reading) == Py_None:
            vain = False
    return vain
