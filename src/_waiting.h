/* What `_waiting.pxi` asks of the objects of the layer above, whose classes it is told when they are there, and of the system.

An attribute with a slot is read where the slot is, as CPython's own instructions do. Where there is no epoll no class is known, and all of
it is left to the methods in Python; in free-threaded CPython, too, where another thread may set a slot at any time. */

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
static PyCFunction ct_fileno;
static PyObject *ct_written;  /* the set of sockets to which something is left to be written */
static Py_ssize_t ct_read_file, ct_read_nbytes, ct_read_pseudothread, ct_read_watched, ct_read_to_write, ct_write_file, ct_write_data;
static Py_ssize_t ct_reactor_files, ct_reactor_waits, ct_watched_file, ct_watched_mask, ct_watched_reading;

#if defined(__linux__) && !CT_FREE_THREADED

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static int ct_know_streams(PyObject *read, PyObject *write, PyObject *socket, PyObject *written) {
    PyObject *fileno = PyObject_GetAttrString(socket, "fileno");
    if (fileno == NULL || ct_offset(read, "_file", &ct_read_file) || ct_offset(read, "_nbytes", &ct_read_nbytes)
        || ct_offset(read, "_pseudothread", &ct_read_pseudothread) || ct_offset(read, "_watched", &ct_read_watched)
        || ct_offset(read, "_watched_to_write", &ct_read_to_write) || ct_offset(write, "_file", &ct_write_file)
        || ct_offset(write, "_data", &ct_write_data)) {
        Py_XDECREF(fileno);
        return -1;
    }
    if (Py_TYPE(fileno) != &PyMethodDescr_Type || ((PyMethodDescrObject *)fileno)->d_method->ml_flags != METH_NOARGS) {
        Py_DECREF(fileno);  /* somebody has put another class, or method, in its place */
        return 0;
    }
    ct_fileno = ((PyMethodDescrObject *)fileno)->d_method->ml_meth;
    Py_DECREF(fileno);
    ct_written = Py_NewRef(written);
    ct_socket_type = (PyTypeObject *)Py_NewRef(socket);
    ct_read_type = (PyTypeObject *)Py_NewRef(read);
    ct_write_type = (PyTypeObject *)Py_NewRef(write);
    return 0;
}

static int ct_know_reactor(PyObject *reactor, PyObject *watched) {
    if (ct_offset(reactor, "_files", &ct_reactor_files) || ct_offset(reactor, "_waits", &ct_reactor_waits)
        || ct_offset(watched, "file", &ct_watched_file) || ct_offset(watched, "mask", &ct_watched_mask)
        || ct_offset(watched, "reading", &ct_watched_reading)) return -1;
    ct_watched_type = (PyTypeObject *)Py_NewRef(watched);
    ct_reactor_type = (PyTypeObject *)Py_NewRef(reactor);
    return 0;
}

static int ct_fd_of(PyObject *socket) {
    PyObject *number = ct_fileno(socket, NULL);
    int fd = number != NULL ? (int)PyLong_AsLong(number) : -1;
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

/* Return what our own reactor has of a socket that is registered to be read from and that nobody reads from, borrowed, or NULL. */
static PyObject *ct_watched_of(PyObject *reactor, PyObject *socket) {
    PyObject *files, *number, *watched = NULL;
    if (Py_TYPE(reactor) != ct_reactor_type || socket == NULL || Py_TYPE(socket) != ct_socket_type) return NULL;
    files = ct_slot(reactor, ct_reactor_files);
    if (files != NULL && (number = ct_fileno(socket, NULL)) != NULL) {
        watched = PyDict_GetItemWithError(files, number);
        Py_DECREF(number);
    }
    if (watched == NULL || Py_TYPE(watched) != ct_watched_type || !ct_refers_to(ct_slot(watched, ct_watched_file), socket)
        || ct_slot(watched, ct_watched_reading) != Py_None || !(PyLong_AsLong(ct_slot(watched, ct_watched_mask)) & EPOLLIN)) {
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
    if (PyLong_AsLong(ct_slot(watched, ct_watched_mask)) != EPOLLIN) return NULL;
    nbytes = ct_slot(reading, ct_read_nbytes), file = ct_slot(reading, ct_read_file);
    return nbytes != NULL && PyLong_CheckExact(nbytes) && file != NULL && Py_TYPE(file) == ct_socket_type ? reading : NULL;
}

static int ct_count_waits(PyObject *reactor, int more) {
    PyObject *old = ct_slot(reactor, ct_reactor_waits), *now = PyLong_FromLong(PyLong_AsLong(old) + more);
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

/* Return how many bytes of what is to be written were sent, or NULL with the error; NULL without one, nothing was sent and this is not for us. */
static PyObject *ct_send(PyObject *writing, int *whole) {
    PyObject *file = ct_slot(writing, ct_write_file), *data = ct_slot(writing, ct_write_data);
    Py_ssize_t count;
    if (file == NULL || Py_TYPE(file) != ct_socket_type || data == NULL || !PyBytes_CheckExact(data) || !PyBytes_GET_SIZE(data)) return NULL;
    if (PySet_GET_SIZE(ct_written)) return NULL;
    do count = send(ct_fd_of(file), PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT); while (count < 0 && errno == EINTR);
    if (count < 0) return PyErr_SetFromErrno(PyExc_OSError);
    *whole = count == PyBytes_GET_SIZE(data);
    return PyLong_FromSsize_t(count);
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
#define ct_send(writing, whole) (*(whole) = 0, (PyObject *)NULL)

#endif
