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
        if self.waker is not None:
            self.waker()

    def appendleft(self, entry):
        """Queue `entry` before all others. TypeError if it is not callable, RuntimeError for a pseudothread that cannot be queued."""
        enter(self, entry)
        put_first(self, <PyObject*>entry)
        if self.waker is not None:
            self.waker()

    def popleft(self):
        """Remove and return the first entry. IndexError if there is none."""
        if not self.count:
            raise IndexError("popleft() from an empty queue")
        cdef PyObject* taken = take(self)
        entry = <object>taken
        Py_DECREF(entry)
        if type(entry) is Pseudothread and (<Pseudothread>entry).state == QUEUED:
            (<Pseudothread>entry).state = TAKEN
        return entry

    def clear(self):
        """Remove all entries."""
        drop_entries(self)

    def __len__(self):
        return self.count

    def __bool__(self):
        return self.count != 0

    def __iter__(self):
        return iter(entries_of(self))

    def __repr__(self):
        return f"Queue({entries_of(self)!r})"

    def __reduce__(self):
        raise no_copy(self)


cdef enter(Queue queue, entry):
    """Make `entry` one that stands in a Queue, or say why it cannot."""
    if type(entry) is Pseudothread:
        if (<Pseudothread>entry).state != TAKEN:
            raise entry._misuse("queue", "is queued already")
        (<Pseudothread>entry).state = QUEUED
    elif not callable(entry):
        raise no_entry(entry)


cdef int put(Queue queue, PyObject* entry) except -1:
    return 0 if push_last(queue, entry) else -1


cdef int put_first(Queue queue, PyObject* entry) except -1:
    return 0 if push_first(queue, entry) else -1
