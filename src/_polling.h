/* What `_polling.pxi` asks of the objects of the layer above, and of epoll. */

enum { CT_MOST_READY = 512 };  /* of one look */

static int ct_has_some(PyObject *container) {
    int some = container != NULL ? PyObject_IsTrue(container) : 0;
    if (some < 0) PyErr_Clear();
    return some > 0;
}

/* Return the attributes of an object, borrowed, or NULL. */
static PyObject *ct_dict_of(PyObject *object) {
    PyObject *found = PyObject_GenericGetDict(object, NULL);
    if (found == NULL) PyErr_Clear();
    else Py_DECREF(found);
    return found;
}

/* The next millisecond: not a bit too early. */
static int ct_milliseconds(double seconds) {
    double milliseconds = seconds * 1000;
    int whole = (int)milliseconds;
    return milliseconds <= 0 ? 0 : whole < milliseconds ? whole + 1 : whole;
}

#if defined(__linux__) && !CT_FREE_THREADED

/* Wait so long until something is ready. Return the number of files, 0 after a signal, -1 with the error of its handler or of the system. */
static int ct_poll(int epoll, int milliseconds, int *ready, unsigned int *events) {
    struct epoll_event found[CT_MOST_READY];
    int count, failure = 0;
    if (PyErr_CheckSignals() < 0) return -1;
    Py_BEGIN_ALLOW_THREADS
    count = epoll_wait(epoll, found, CT_MOST_READY, milliseconds);
    failure = errno;
    Py_END_ALLOW_THREADS
    if (count < 0) {
        if (failure == EINTR) return PyErr_CheckSignals() < 0 ? -1 : 0;
        errno = failure;
        PyErr_SetFromErrno(PyExc_OSError);
    }
    for (int index = 0; index < count; index++) ready[index] = found[index].data.fd, events[index] = found[index].events;
    return count;
}

#else

#define ct_poll(epoll, milliseconds, ready, events) (-1)

#endif
