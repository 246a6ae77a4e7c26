/* What `_waiting.pxi` asks of the objects of the layer above, whose classes it is told when they are there, and of the system.

An attribute with a slot is read where the slot is, as CPython's own instructions do. Where there is no epoll no class is known, and all of
it is left to the methods in Python; in free-threaded CPython, too, where another thread may set a slot at any time. */

#ifdef Py_GIL_DISABLED
#define CT_MOST_KEPT 0
#else
#define CT_MOST_KEPT 64
#endif
#define CT_LARGE 14  /* a write counts as one more for each so many bytes, as a power of 2 */
#define ct_slot(object, offset) (*(PyObject **)((char *)(object) + (offset)))

static int ct_offset(PyObject *type, const char *name, Py_ssize_t *offset) {
    PyObject *found = PyObject_GetAttrString(type, name);
    int good = found != NULL && Py_TYPE(found) == &PyMemberDescr_Type;
    if (good) *offset = ((PyMemberDescrObject *)found)->d_member->offset;
    Py_XDECREF(found);
    if (found != NULL && !good) PyErr_Format(PyExc_TypeError, "%R has no slot for %s", type, name);
    return good ? 0 : -1;
}

static PyTypeObject *ct_read_type, *ct_write_type, *ct_socket_type, *ct_reactor_type, *ct_watched_type;  /* NULL: not known */
static PyCFunction ct_fileno, ct_gettimeout;
static PyObject *ct_written;  /* the set of sockets to which something is left to be written */
static PyObject *ct_knock;  /* the method of the reactor */
static Py_ssize_t ct_read_file, ct_read_nbytes, ct_read_pseudothread, ct_read_watched, ct_read_to_write;
static Py_ssize_t ct_write_file, ct_write_data, ct_write_begun;
static Py_ssize_t ct_reactor_files, ct_reactor_waits, ct_reactor_due, ct_reactor_vain, ct_reactor_timers, ct_reactor_epoll;
static Py_ssize_t ct_watched_file, ct_watched_mask, ct_watched_reading, ct_watched_gives_data;

#if defined(__linux__) && !CT_FREE_THREADED

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Find a method in C that takes nothing. If somebody has put another in its place `found` stays as it is. */
static int ct_method_of(PyObject *type, const char *name, PyCFunction *found) {
    PyObject *method = PyObject_GetAttrString(type, name);
    if (method != NULL && Py_TYPE(method) == &PyMethodDescr_Type && ((PyMethodDescrObject *)method)->d_method->ml_flags == METH_NOARGS) {
        *found = ((PyMethodDescrObject *)method)->d_method->ml_meth;
    }
    Py_XDECREF(method);
    return method != NULL ? 0 : -1;
}

static int ct_know_streams(PyObject *read, PyObject *write, PyObject *socket, PyObject *written) {
    if (ct_offset(read, "_file", &ct_read_file) || ct_offset(read, "_nbytes", &ct_read_nbytes)
        || ct_offset(read, "_pseudothread", &ct_read_pseudothread) || ct_offset(read, "_watched", &ct_read_watched)
        || ct_offset(read, "_watched_to_write", &ct_read_to_write) || ct_offset(write, "_file", &ct_write_file)
        || ct_offset(write, "_data", &ct_write_data) || ct_offset(write, "_begun", &ct_write_begun)
        || ct_method_of(socket, "fileno", &ct_fileno) || ct_method_of(socket, "gettimeout", &ct_gettimeout)) return -1;
    if (ct_fileno == NULL || ct_gettimeout == NULL) return 0;
    ct_written = Py_NewRef(written);
    ct_socket_type = (PyTypeObject *)Py_NewRef(socket);
    ct_read_type = (PyTypeObject *)Py_NewRef(read);
    ct_write_type = (PyTypeObject *)Py_NewRef(write);
    return 0;
}

static int ct_know_reactor(PyObject *reactor, PyObject *watched) {
    if (ct_offset(reactor, "_files", &ct_reactor_files) || ct_offset(reactor, "_waits", &ct_reactor_waits)
        || ct_offset(reactor, "_due", &ct_reactor_due) || ct_offset(reactor, "_vain", &ct_reactor_vain)
        || ct_offset(reactor, "_timers", &ct_reactor_timers) || ct_offset(reactor, "_epoll", &ct_reactor_epoll)
        || ct_offset(watched, "file", &ct_watched_file) || ct_offset(watched, "mask", &ct_watched_mask)
        || ct_offset(watched, "reading", &ct_watched_reading) || ct_offset(watched, "gives_data", &ct_watched_gives_data)
        || (ct_knock = PyObject_GetAttrString(reactor, "knock")) == NULL) return -1;
    ct_watched_type = (PyTypeObject *)Py_NewRef(watched);
    ct_reactor_type = (PyTypeObject *)Py_NewRef(reactor);
    return 0;
}

static inline long ct_whole(PyObject *number) {
    if (number == NULL || !PyLong_CheckExact(number)) return -1;
#if PY_VERSION_HEX >= 0x030C0000
    if (PyUnstable_Long_IsCompact((PyLongObject *)number)) return (long)PyUnstable_Long_CompactValue((PyLongObject *)number);
#endif
    return PyLong_AsLong(number);
}

static int ct_fd_of(PyObject *socket) {
    PyObject *number = ct_fileno(socket, NULL);
    int fd = (int)ct_whole(number);
    Py_XDECREF(number);
    return fd;
}

static int ct_refers_to(PyObject *reference, PyObject *file) {
    if (!PyWeakref_CheckRef(reference)) return 0;
#if PY_VERSION_HEX < 0x030D0000
    return PyWeakref_GET_OBJECT(reference) == file;
#else
    PyObject *found;
    int same = PyWeakref_GetRef(reference, &found) > 0 && found == file;
    Py_XDECREF(found);
    return same;
#endif
}

/* Return what our own reactor has of a socket that is registered to be read from, that is known to give data, and that nobody reads from,
   borrowed, or NULL. */
static PyObject *ct_watched_of(PyObject *reactor, PyObject *socket) {
    PyObject *files, *number, *watched = NULL;
    if (Py_TYPE(reactor) != ct_reactor_type || socket == NULL || Py_TYPE(socket) != ct_socket_type) return NULL;
    files = ct_slot(reactor, ct_reactor_files);
    if (files != NULL && (number = ct_fileno(socket, NULL)) != NULL) {
        watched = PyDict_GetItemWithError(files, number);
        Py_DECREF(number);
    }
    if (watched == NULL || Py_TYPE(watched) != ct_watched_type || !ct_refers_to(ct_slot(watched, ct_watched_file), socket)
        || ct_slot(watched, ct_watched_reading) != Py_None || ct_slot(watched, ct_watched_gives_data) != Py_True
        || !(ct_whole(ct_slot(watched, ct_watched_mask)) & EPOLLIN)) {
        PyErr_Clear();
        return NULL;
    }
    return watched;
}

/* Return who reads from a file at which that event is all that can be waited for, borrowed, or NULL. */
static PyObject *ct_reading_at(PyObject *watched, unsigned long event) {
    PyObject *reading, *nbytes, *file;
    if (watched == NULL || Py_TYPE(watched) != ct_watched_type || !(event & ~(unsigned long)EPOLLOUT)) return NULL;
    reading = ct_slot(watched, ct_watched_reading);
    if (Py_TYPE(reading) != ct_read_type || ct_slot(watched, ct_watched_file) == Py_None) return NULL;
    if (ct_whole(ct_slot(watched, ct_watched_mask)) != EPOLLIN) return NULL;
    nbytes = ct_slot(reading, ct_read_nbytes), file = ct_slot(reading, ct_read_file);
    return nbytes != NULL && PyLong_CheckExact(nbytes) && file != NULL && Py_TYPE(file) == ct_socket_type ? reading : NULL;
}

static int ct_count_waits(PyObject *reactor, int more) {
    PyObject *old = ct_slot(reactor, ct_reactor_waits), *now = PyLong_FromLong(ct_whole(old) + more);
    if (now == NULL) return -1;
    ct_slot(reactor, ct_reactor_waits) = now;
    Py_DECREF(old);
    return 0;
}

static void ct_set_slot(PyObject *object, Py_ssize_t offset, PyObject *value) {
    PyObject *old = ct_slot(object, offset);
    ct_slot(object, offset) = Py_NewRef(value);
    Py_XDECREF(old);
}

/* Return the bytes that there are, none at the end, or NULL with the error. The socket does not block, so nobody waits for the lock that
   is kept; and a small answer is copied, which is cheaper than to cut a large object down to it. */
static PyObject *ct_receive(PyObject *reading) {
    static char room[65536];
    PyObject *data;
    int fd = ct_fd_of(ct_slot(reading, ct_read_file));
    Py_ssize_t nbytes = PyLong_AsSsize_t(ct_slot(reading, ct_read_nbytes)), count;
    if (nbytes < 0) return NULL;
    if (nbytes <= (Py_ssize_t)sizeof room) {
        do count = recv(fd, room, nbytes, MSG_DONTWAIT); while (count < 0 && errno == EINTR);
        return count >= 0 ? PyBytes_FromStringAndSize(room, count) : PyErr_SetFromErrno(PyExc_OSError);
    }
    if ((data = PyBytes_FromStringAndSize(NULL, nbytes)) == NULL) return NULL;
    do count = recv(fd, PyBytes_AS_STRING(data), nbytes, MSG_DONTWAIT); while (count < 0 && errno == EINTR);
    if (count < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_CLEAR(data);
    } else if (count < nbytes) _PyBytes_Resize(&data, count);
    return data;
}

/* Return whether something is left to be written to it, or that cannot be known. */
static int ct_is_written(PyObject *socket) {
    PyObject *reference = PyWeakref_NewRef(socket, NULL);
    int found = reference != NULL ? PySet_Contains(ct_written, reference) : -1;
    Py_XDECREF(reference);
    if (found < 0) PyErr_Clear();
    return found != 0;
}

enum { CT_ELSEWHERE, CT_ALL, CT_BEGUN };

/* Send what can be sent of what is to be written. If that was all return CT_ALL with the number of bytes, else CT_BEGUN with what came of it,
   the number or the error, noted; CT_ELSEWHERE if this is not for us. */
static int ct_send(PyObject *writing, PyObject **sent, int *spent) {
    PyObject *file = ct_slot(writing, ct_write_file), *data = ct_slot(writing, ct_write_data), *begun;
    Py_ssize_t count;
    if (file == NULL || Py_TYPE(file) != ct_socket_type || data == NULL || !PyBytes_CheckExact(data) || !PyBytes_GET_SIZE(data)) return CT_ELSEWHERE;
    if (PySet_GET_SIZE(ct_written) && ct_is_written(file)) return CT_ELSEWHERE;
    do count = send(ct_fd_of(file), PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT); while (count < 0 && errno == EINTR);
    if (count >= 0) begun = PyLong_FromSsize_t(count);
    else PyErr_SetFromErrno(PyExc_OSError), begun = NULL;
    if (begun == NULL) begun = ct_fetch();
    if (count == PyBytes_GET_SIZE(data) && PyLong_CheckExact(begun)) {
        *sent = begun;
        *spent = (int)(count >> CT_LARGE);
        return CT_ALL;
    }
    Py_XSETREF(ct_slot(writing, ct_write_begun), begun);
    return CT_BEGUN;
}

static struct ct_Kept {
    int count;
    PyObject *operations[CT_MOST_KEPT + 1];
} ct_readings, ct_writings;  /* let go, to be used again: to make one costs as much as to send it */

/* Return one with a file and what else it needs, or NULL without an error: there is no memory. */
static PyObject *ct_make(PyTypeObject *type, struct ct_Kept *kept, Py_ssize_t file, PyObject *socket, Py_ssize_t offset, PyObject *value) {
    PyObject *operation = kept->count ? kept->operations[--kept->count] : PyType_GenericAlloc(type, 0);
    if (operation == NULL) PyErr_Clear();
    else ct_slot(operation, file) = Py_NewRef(socket), ct_slot(operation, offset) = Py_NewRef(value);
    return operation;
}

/* Drop a reference to what reads or writes, or to anything else. One that is kept stays tracked by the garbage collector. */
static void ct_let_go(PyObject *operation) {
    PyTypeObject *type = Py_TYPE(operation);
    struct ct_Kept *kept = type == ct_read_type ? &ct_readings : &ct_writings;
    if ((type != ct_read_type && type != ct_write_type) || Py_REFCNT(operation) != 1 || *PyObject_GET_WEAKREFS_LISTPTR(operation) != NULL) {
        Py_DECREF(operation);
        return;
    }
    for (Py_ssize_t offset = sizeof(PyObject); offset < type->tp_basicsize; offset += sizeof(PyObject *)) {
        if (offset != type->tp_weaklistoffset) Py_CLEAR(ct_slot(operation, offset));
    }
    if (kept->count < CT_MOST_KEPT && Py_REFCNT(operation) == 1) kept->operations[kept->count++] = operation;
    else Py_DECREF(operation);
}

/* Make what `nonblocking_read()` returns, or return NULL, without an error, if that is not for us. */
static PyObject *ct_make_reading(PyObject *socket, PyObject *nbytes) {
    if (Py_TYPE(socket) != ct_socket_type || ct_whole(nbytes) < 1) {
        PyErr_Clear();
        return NULL;
    }
    return ct_make(ct_read_type, &ct_readings, ct_read_file, socket, ct_read_nbytes, nbytes);
}

/* The same of `nonblocking_write()`. */
static PyObject *ct_make_writing(PyObject *socket, PyObject *data) {
    PyObject *timeout;
    double seconds;
    if (Py_TYPE(socket) != ct_socket_type || !PyBytes_CheckExact(data)) return NULL;
    timeout = ct_gettimeout(socket, NULL);
    if (timeout == NULL) PyErr_Clear();
    seconds = timeout != NULL && PyFloat_CheckExact(timeout) ? PyFloat_AS_DOUBLE(timeout) : -1;
    Py_XDECREF(timeout);
    return seconds == 0 ? ct_make(ct_write_type, &ct_writings, ct_write_file, socket, ct_write_data, data) : NULL;
}

#else

static int ct_know_streams(PyObject *read, PyObject *write, PyObject *socket, PyObject *written) {
    (void)read, (void)write, (void)socket, (void)written;
    return 0;
}

static int ct_know_reactor(PyObject *reactor, PyObject *watched) {
    (void)reactor, (void)watched;
    return 0;
}

#define ct_watched_of(reactor, socket) NULL
#define ct_reading_at(watched, event) NULL
#define ct_count_waits(reactor, more) 0
#define ct_set_slot(object, offset, value) ((void)(offset))
#define ct_receive(reading) NULL
enum { CT_ELSEWHERE, CT_ALL, CT_BEGUN };
#define ct_send(writing, sent, spent) ((void)(sent), (void)(spent), CT_ELSEWHERE)
#define ct_let_go Py_DECREF
#define ct_whole(number) (-1)
#define ct_make_reading(socket, nbytes) NULL
#define ct_make_writing(socket, data) NULL

#endif
