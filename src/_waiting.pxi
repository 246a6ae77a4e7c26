"""To read from sockets and to write to them, in the common case: a socket of the standard library's `socket`, a reactor of ours, epoll.

What is rarer is left to the methods of the operations and of the reactor, which say what is done and why. Part of `_ctrampoline.pyx`.

The lock of the interpreter is kept from where an operation is looked at till its pseudothread is queued, so nobody comes between.
Where there is no such lock nothing of this is used.
"""


cdef object read_elsewhere, write_elsewhere, read_in_c, write_in_c
cdef double PAUSE


def _know_streams(read, write, socket, written, reads, writes):
    """Take notice of the classes of what reads and writes, and of the set of sockets to which something is left to be written.

    `reads` and `writes` are the functions that make them. Return what shall be called in their place.
    """
    global read_elsewhere, write_elsewhere
    ct_know_streams(read, write, socket, written)
    if ct_write_type == NULL:
        return reads, writes
    read_elsewhere, write_elsewhere = reads, writes
    return update_wrapper(read_in_c, reads), update_wrapper(write_in_c, writes)


def nonblocking_read(sock, nbytes=65536):
    cdef PyObject* made = ct_make_reading(<PyObject*>sock, <PyObject*>nbytes)
    return give(made) if made != NULL else read_elsewhere(sock, nbytes)


def nonblocking_write(sock, data):
    cdef PyObject* made = ct_make_writing(<PyObject*>sock, <PyObject*>data)
    return give(made) if made != NULL else write_elsewhere(sock, data)


read_in_c, write_in_c = nonblocking_read, nonblocking_write
del nonblocking_read, nonblocking_write


def _know_reactor(reactor, watched, pause):
    """Take notice of the class of the reactor, of what that notes of a file, and after how many seconds it looks for closed ones."""
    global PAUSE
    PAUSE = pause
    ct_know_reactor(reactor, watched)


cdef PyObject* begin_to_read(BaseTrampoline t, Pseudothread p, PyObject* reading) noexcept:
    """Have `p` resumed when there is something to read: what `suspend()` of `reading` does. Return an error or NULL."""
    cdef PyObject* own = ct_dict_of(<PyObject*>t)
    cdef PyObject* reactor = PyDict_GetItemWithError(own, <PyObject*>word_reactor) if own != NULL else NULL
    cdef PyObject* watched = ct_watched_of(reactor, ct_slot(reading, ct_read_file)) if reactor != NULL else NULL
    if watched == NULL:
        return dropped(PyObject_CallMethodOneArg(reading, <PyObject*>word_suspend, <PyObject*>p))
    if ct_count_waits(reactor, 1) < 0:
        return ct_fetch()
    ct_set_slot(watched, ct_watched_reading, reading)
    ct_set_slot(reading, ct_read_pseudothread, <PyObject*>p)
    ct_set_slot(reading, ct_read_to_write, Py_False)
    ct_set_slot(reading, ct_read_watched, watched)
    return NULL


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
    cdef PyObject* failure = go_on_from(p.trampoline, p, reading, 0)
    left(p.trampoline)
    Py_DECREF(<object>reading)  # what the pseudothread had of it
    return failure


cdef PyObject* have_failed(PyObject* operation) noexcept:
    """Have `operation` see what the error that is set means. Return what is raised by it, or NULL."""
    cdef PyObject* error = ct_fetch()
    cdef PyObject* returned = PyObject_CallMethodOneArg(operation, <PyObject*>word_failed, error)
    Py_DECREF(<object>error)
    return dropped(returned)


cdef int write_at_once(PyObject* writing, PyObject** sent) noexcept:
    """Do what `at_once()` of `writing` does: CT_ALL, CT_BEGUN if it has to be waited for, CT_ELSEWHERE if that has to be asked."""
    global ct_promptly
    cdef int spent = 0
    cdef int how = ct_send(writing, sent, &spent)
    ct_promptly -= spent
    return how


def _spend(int count):
    """Count what `at_once()` did in Python as so many more, for this thread's turn."""
    global ct_promptly
    ct_promptly -= count


def _dispatch(reactor, events):
    """Tell who waits for files that those are ready. Return whether that was in vain, as nobody let it be known that there is no more."""
    cdef bint vain = len(events) > 0
    for fd, event in events:
        leave(tell_ready(<PyObject*>reactor, <PyObject*>fd, event, &vain))
    return vain


cdef PyObject* tell_ready(PyObject* reactor, PyObject* fd, unsigned int event, bint* vain) noexcept:
    """Tell who waits for that file what has happened there, and have it noted if that was not in vain. Return an error or NULL."""
    cdef PyObject* watched
    cdef PyObject* reading
    cdef PyObject* p
    cdef PyObject* failure
    if Py_TYPE(reactor) != ct_reactor_type:
        return tell_elsewhere(reactor, fd, event, vain)
    watched = PyDict_GetItemWithError(ct_slot(reactor, ct_reactor_files), fd)
    reading = ct_reading_at(watched, event)
    if reading == NULL or Py_TYPE(ct_slot(reading, ct_read_pseudothread)) != <PyTypeObject*>Pseudothread:
        return tell_elsewhere(reactor, fd, event, vain)  # rarer, or one of the core in Python
    p = ct_slot(reading, ct_read_pseudothread)
    Py_INCREF(<object>p)
    Py_INCREF(<object>reading)
    Py_INCREF(<object>watched)
    ct_set_slot(watched, ct_watched_reading, Py_None)
    failure = read_now(<Pseudothread>p, reading) if ct_count_waits(reactor, -1) == 0 else ct_fetch()
    if ct_slot(watched, ct_watched_reading) == Py_None:
        vain[0] = False
    Py_DECREF(<object>watched)
    ct_let_go(reading)
    Py_DECREF(<object>p)
    return failure


cdef PyObject* tell_elsewhere(PyObject* reactor, PyObject* fd, unsigned int event, bint* vain) noexcept:
    cdef PyObject* failure = NULL
    try:
        if not (<object>reactor)._tell(<object>fd, event):
            vain[0] = False
    except BaseException as error:
        Py_INCREF(error)
        failure = <PyObject*>error
    return failure
