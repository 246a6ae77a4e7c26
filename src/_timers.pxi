"""Time: deadlines in a heap. Part of `_ctrampoline.pyx`; the explanations are in `_pytimers.py`.

The heap has numbers, and beside each the object to which it belongs: a `sleep` or a `Limit`, for which nothing in Python is called, or a
`Deadline`. That knows the number of its entry, so an entry that was cancelled is known by a number that is no more its object's: nothing is
looked for in the heap, and no object is touched when its entry moves. It has four children a node: half the levels of a binary one.
"""

cdef enum:
    MANY = 100  # cancelled deadlines that may lie about


@cython.final
@cython.freelist(64)
cdef class Deadline:
    """A moment, in seconds of its clock, and what is called then; None if it was called or cancelled."""

    @property
    def when(self):
        return self.moment

    @property
    def ready(self):
        return self.call


@cython.final
cdef class Timers:
    """The deadlines of one clock. `virtual` says whether that jumps: whether it has a `jump(when)`."""

    def __cinit__(self, clock):
        self.clock, self.virtual = clock, hasattr(clock, "jump")
        self.ours = clock if type(clock) is VirtualClock else None
        self.alone = True

    def __dealloc__(self):
        drop_deadlines(self)

    @property
    def clock(self):
        return self.clock

    @property
    def virtual(self):
        return self.virtual

    @property
    def alone(self):
        return self.alone

    @alone.setter
    def alone(self, alone):
        self.alone = alone

    def at(self, when, ready):
        """Have `ready()` called once, by `fire()`, when the clock shows `when` seconds. Return a handle for `cancel()`.

        Where Ctrl-C strikes just as it is called it may be called again. ValueError if `when` is nan.
        """
        cdef Deadline deadline = Deadline.__new__(Deadline)
        deadline.moment, deadline.call = when, ready
        if deadline.moment != deadline.moment:
            raise no_moment(when, self.clock)
        leave(push_deadline(self, deadline.moment, <PyObject*>deadline, &deadline.number))
        return deadline

    def cancel(self, Deadline deadline not None):
        """Forget that deadline. Nothing happens if it has passed. From any thread, for `throw()` is."""
        cdef PyObject* call = NULL
        ct_lock(<PyObject*>self)
        if deadline.number:
            deadline.number = 0
            self.cancelled += 1
            call = <PyObject*>deadline.call
            Py_INCREF(deadline.call)
            deadline.call = None
        ct_unlock(<PyObject*>self)
        Py_XDECREF(call)

    def left(self):
        """Return the seconds until the next deadline, None if there is none. Of a virtual clock: 0.0 if it has come, else None."""
        cdef double now, when
        if not first_of(self, &when):
            return None
        leave(now_of(self, &now))
        if CT_FREE_THREADED and not first_of(self, &when):
            return None
        cdef double seconds = when - now
        if self.virtual:
            return 0.0 if seconds <= 0 else None
        return seconds

    def fire(self):
        """Call what is due, in the order of the deadlines; of those at the same moment in that of `at()`."""
        cdef double now
        if ct_size(&self.count):
            leave(now_of(self, &now))
            leave(fire_until(self, now))

    def jump(self):
        """Set a virtual clock to the next deadline, and call what is due then. Return False if there is none."""
        cdef bint jumped
        leave(jump_to_next(self, &jumped))
        return jumped

    def clear(self):
        """Forget all deadlines."""
        drop_deadlines(self)

    def __len__(self):
        ct_lock(<PyObject*>self)
        cdef size_t count = self.count - self.cancelled
        ct_unlock(<PyObject*>self)
        return count


# The heap. Its lock guards the numbers in the objects, too: whether each has an entry that counts.

cdef inline bint comes_before(Entry* one, Entry* other) noexcept:
    return one.when < other.when or (one.when == other.when and one.number < other.number)


cdef inline bint counts(Entry* entry) noexcept:
    """Return whether the entry is still its object's: else it was cancelled."""
    if Py_TYPE(entry.item) == <PyTypeObject*>Deadline:
        return (<Deadline>entry.item).number == entry.number
    return (<ct_Sleep*>entry.item).number == entry.number


cdef PyObject* push_deadline(Timers timers, double when, PyObject* item, unsigned long long* number) noexcept:
    """Put an entry in for `item`, and set its `number`. Return an error or NULL."""
    cdef Entry entry
    cdef Entry* old = NULL
    cdef size_t place, parent, many = 0
    ct_lock(<PyObject*>timers)
    if timers.cancelled > MANY and timers.cancelled > timers.count // 2:
        old, many = timers.heap, timers.count
        if not tidy(timers):
            old = NULL
        elif not CT_FREE_THREADED:
            drop_old(old, many)  # last: their end may set deadlines
    if timers.count == timers.room and not make_room(timers, timers.room * 2 if timers.room else 16):
        ct_unlock(<PyObject*>timers)
        if CT_FREE_THREADED and old != NULL:
            drop_old(old, many)
        return ct_fetch()
    timers.number += 1
    entry.when, entry.number, entry.item = when, timers.number, item
    number[0] = timers.number
    Py_INCREF(<object>item)
    place = timers.count
    ct_set_size(&timers.count, timers.count + 1)
    while place:
        parent = (place - 1) >> 2
        if not comes_before(&entry, &timers.heap[parent]):
            break
        timers.heap[place] = timers.heap[parent]
        place = parent
    timers.heap[place] = entry
    ct_unlock(<PyObject*>timers)
    if CT_FREE_THREADED and old != NULL:
        drop_old(old, many)
    return NULL


cdef bint make_room(Timers timers, size_t room) noexcept:
    cdef Entry* heap = <Entry*>PyMem_Realloc(timers.heap, room * sizeof(Entry))
    if heap == NULL:
        PyErr_NoMemory()
        return False
    timers.heap, timers.room = heap, room
    return True


cdef inline void sink(Timers timers, size_t place, Entry* entry) noexcept:
    """Put `entry` in at `place` or, in the place of the least of its children, further down."""
    cdef Entry* heap = timers.heap
    cdef size_t least, child, last
    while True:
        least = 4 * place + 1
        if least >= timers.count:
            break
        last = least + 4 if least + 4 <= timers.count else timers.count
        for child in range(least + 1, last):
            if comes_before(&heap[child], &heap[least]):
                least = child
        if not comes_before(&heap[least], entry):
            break
        heap[place] = heap[least]
        place = least
    heap[place] = entry[0]


cdef inline PyObject* take_first(Timers timers) noexcept:
    """Take the first entry out and return its object, whose reference the caller takes over."""
    cdef PyObject* item = timers.heap[0].item
    cdef Entry last
    ct_set_size(&timers.count, timers.count - 1)
    if timers.count:
        last = timers.heap[timers.count]
        sink(timers, 0, &last)
    return item


cdef bint tidy(Timers timers) noexcept:
    """Take all that were cancelled out of the heap. In the old one they are left, for `drop_old()`. False if there is no memory for it."""
    cdef Entry* old = timers.heap
    cdef size_t many = timers.count, index, kept = 0
    cdef Entry* heap = <Entry*>PyMem_Malloc(timers.room * sizeof(Entry))
    cdef Entry entry
    if heap == NULL:
        return False  # then they stay
    for index in range(many):
        if counts(&old[index]):
            heap[kept] = old[index]
            old[index].item = NULL
            kept += 1
    timers.heap, timers.cancelled = heap, 0
    ct_set_size(&timers.count, kept)
    for index in range((kept + 2) >> 2, 0, -1):
        entry = heap[index - 1]
        sink(timers, index - 1, &entry)
    return True


cdef void drop_old(Entry* heap, size_t many) noexcept:
    cdef size_t index
    for index in range(many):
        Py_XDECREF(heap[index].item)
    PyMem_Free(heap)


cdef PyObject* clean(Timers timers) noexcept:
    """Take what was cancelled from the top of the heap. Return NULL."""
    cdef PyObject* item
    ct_lock(<PyObject*>timers)
    while timers.count and not counts(&timers.heap[0]):
        timers.cancelled -= 1
        item = take_first(timers)
        ct_unlock(<PyObject*>timers)
        Py_DECREF(<object>item)
        ct_lock(<PyObject*>timers)
    ct_unlock(<PyObject*>timers)
    return NULL


cdef bint first_of(Timers timers, double* when) noexcept:
    """Say `when` the first entry is due. Return False if there is none."""
    clean(timers)
    ct_lock(<PyObject*>timers)
    cdef bint some = timers.count != 0
    if some:
        when[0] = timers.heap[0].when
    ct_unlock(<PyObject*>timers)
    return some


cdef void drop_deadlines(Timers timers) noexcept:
    ct_lock(<PyObject*>timers)
    cdef Entry* heap = timers.heap
    cdef size_t many = timers.count, index
    timers.heap, timers.room, timers.cancelled = NULL, 0, 0
    ct_set_size(&timers.count, 0)
    for index in range(many):
        if counts(&heap[index]):
            if Py_TYPE(heap[index].item) == <PyTypeObject*>Deadline:
                (<Deadline>heap[index].item).number = 0
            else:
                (<ct_Sleep*>heap[index].item).number = 0
    ct_unlock(<PyObject*>timers)
    for index in range(many):
        Py_DECREF(<object>heap[index].item)
    PyMem_Free(heap)


# What happens when it is time.

cdef PyObject* now_of(Timers timers, double* now) noexcept:
    """Ask the clock. Return an error or NULL."""
    cdef PyObject* shown
    if timers.ours is not None:
        now[0] = timers.ours.shown
        return NULL
    shown = PyObject_CallNoArgs(<PyObject*>timers.clock)
    if shown == NULL:
        return ct_fetch()
    now[0] = PyFloat_AsDouble(shown)
    Py_DECREF(<object>shown)
    return ct_fetch() if now[0] == -1 and PyErr_Occurred() != NULL else NULL


cdef PyObject* fire_until(Timers timers, double now) noexcept:
    """Call and wake what is due. Return an error or NULL; what comes behind it stays due then."""
    cdef PyObject* item
    cdef PyObject* failure = NULL
    ct_lock(<PyObject*>timers)
    while failure == NULL and timers.count and timers.heap[0].when <= now:
        if not counts(&timers.heap[0]):
            timers.cancelled -= 1
            item = take_first(timers)
            ct_unlock(<PyObject*>timers)
        elif Py_TYPE(timers.heap[0].item) != <PyTypeObject*>Deadline:
            item = take_first(timers)
            (<ct_Sleep*>item).number = 0
            ct_unlock(<PyObject*>timers)
            failure = wake(<ct_Sleep*>item) if Py_TYPE(item) != ct_limit_type else expire(<ct_Sleep*>item)
        else:
            item = timers.heap[0].item
            Py_INCREF(<object>item)
            call = (<Deadline>item).call
            ct_unlock(<PyObject*>timers)
            failure = call_deadline(timers, <Deadline>item, call)
        Py_DECREF(<object>item)
        ct_lock(<PyObject*>timers)
    ct_unlock(<PyObject*>timers)
    return failure


cdef PyObject* call_deadline(Timers timers, Deadline deadline, call) noexcept:
    cdef PyObject* failure = dropped(PyObject_CallNoArgs(<PyObject*>call))
    if failure != NULL and not PyErr_GivenExceptionMatches(failure, PyExc_Exception):
        return failure
    ct_lock(<PyObject*>timers)  # last: where Ctrl-C strikes before, it is called again
    if deadline.number:
        deadline.number = 0
        timers.cancelled += 1
        deadline.call = None
    ct_unlock(<PyObject*>timers)
    return failure


cdef PyObject* jump_to_next(Timers timers, bint* jumped) noexcept:
    """Set the clock to the next deadline, and call and wake what is due. Return an error or NULL."""
    cdef double when, now
    cdef PyObject* failure
    jumped[0] = first_of(timers, &when)
    if not jumped[0]:
        return NULL
    if timers.ours is not None:
        now = timers.ours.shown = when if when > timers.ours.shown else timers.ours.shown
    else:
        failure = jump_of_the_users(timers, when)
        if failure == NULL:
            failure = now_of(timers, &now)
        if failure != NULL:
            return failure
        if not now >= when:
            return raised_now(no_jump, timers.clock, when)
    return fire_until(timers, now)


cdef PyObject* jump_of_the_users(Timers timers, double when) noexcept:
    cdef PyObject* moment = PyFloat_FromDouble(when)
    if moment == NULL:
        return ct_fetch()
    cdef PyObject* failure = dropped(PyObject_CallMethodOneArg(<PyObject*>timers.clock, <PyObject*>word_jump, moment))
    Py_DECREF(<object>moment)
    return failure


cdef PyObject* raised_now(make, one, other) noexcept:
    """Return the error that `make` makes of its arguments, as if it had been raised here."""
    cdef PyObject* error = made_now(make, one, other)
    PyErr_SetObject(<PyObject*>Py_TYPE(error), error)
    Py_DECREF(<object>error)
    return ct_fetch()


cdef PyObject* made_now(make, one, other) noexcept:
    """Return the error that `make` makes of its arguments, or what struck meanwhile (no memory, Ctrl-C)."""
    cdef PyObject* error = PyObject_CallFunctionObjArgs(<PyObject*>make, <PyObject*>one, <PyObject*>other, NULL)
    return error if error != NULL else ct_fetch()
