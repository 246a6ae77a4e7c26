"""Class Queue. Part of `_ctrampoline.pyx`."""


@cython.final
@cython.trashcan(True)
cdef class Queue:
    """The entries that wait for their turn: callables without arguments, pseudothreads mostly. A deque to its user."""

    def __init__(self):  # without it any arguments would be taken
        pass

    def __dealloc__(self):
        drop_entries(self)
        PyMem_Free(self.ring)

    def append(self, entry):
        """Queue `entry` behind all others. TypeError if it is not callable, RuntimeError for a pseudothread that cannot be queued."""
        enter(self, entry)
        put(self, <PyObject*>entry)
        waker = waker_of_queue(self)
        if waker is not None:
            waker()

    def appendleft(self, entry):
        """Queue `entry` before all others. TypeError if it is not callable, RuntimeError for a pseudothread that cannot be queued."""
        enter(self, entry)
        put_first(self, <PyObject*>entry)
        waker = waker_of_queue(self)
        if waker is not None:
            waker()

    def popleft(self):
        """Remove and return the first entry. IndexError if there is none."""
        ct_lock(<PyObject*>self)
        cdef PyObject* taken = take(self) if self.count else NULL
        ct_unlock(<PyObject*>self)
        if taken == NULL:
            raise IndexError("popleft() from an empty queue")
        entry = <object>taken
        Py_DECREF(entry)
        if type(entry) is Pseudothread:
            taken_out(<Pseudothread>entry)
        return entry

    def clear(self):
        """Remove all entries."""
        drop_entries(self)

    def __len__(self):
        return number_in(self)

    def __bool__(self):
        return number_in(self) != 0

    def __iter__(self):
        return iter(entries_of(self))

    def __repr__(self):
        return f"Queue({entries_of(self)!r})"

    __reduce__ = not_copied


cdef enter(Queue queue, entry):
    """Make `entry` one that stands in a Queue, or say why it cannot."""
    if type(entry) is Pseudothread:
        if not enters(<Pseudothread>entry):
            raise entry._misuse("queue", "is queued already")
    elif not callable(entry):
        raise no_entry(entry)


cdef bint enters(Pseudothread p) noexcept:
    ct_lock(<PyObject*>p.trampoline)
    cdef bint good = p.state == TAKEN
    if good:
        p.state = QUEUED
    ct_unlock(<PyObject*>p.trampoline)
    return good


cdef int put(Queue queue, PyObject* entry) except -1:
    ct_lock(<PyObject*>queue)
    cdef bint done = push_last(queue, entry)
    ct_unlock(<PyObject*>queue)
    return 0 if done else -1


cdef int put_first(Queue queue, PyObject* entry) except -1:
    ct_lock(<PyObject*>queue)
    cdef bint done = push_first(queue, entry)
    ct_unlock(<PyObject*>queue)
    return 0 if done else -1


cdef size_t number_in(Queue queue) noexcept:
    """Ask under the lock: whoever has set a waker before then sees what was queued, or whoever queues sees the waker."""
    ct_lock(<PyObject*>queue)
    cdef size_t count = queue.count
    ct_unlock(<PyObject*>queue)
    return count


cdef object waker_of_queue(Queue queue):
    """Return what another thread may take away at any time."""
    ct_lock(<PyObject*>queue)
    cdef PyObject* waker = <PyObject*>queue.waker
    Py_INCREF(<object>waker)
    ct_unlock(<PyObject*>queue)
    return give(waker)
