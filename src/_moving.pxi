"""What moves pointers within the objects of the core: the stack of a pseudothread, the ring of a queue, the list of what is parked. None of
it raises, and none of it runs a line of the user's but where something is let go. Part of `_ctrampoline.pyx`.

In free-threaded CPython the lock of a trampoline guards what it and its pseudothreads hold, that of a queue its ring, that of timers
their heap. Where a function here does not lock, its caller has, or nobody else can have what it changes: a stack grows and shrinks in the
hands of one thread, and others look.
"""

# Objects and errors.

cdef inline void set_result(PyObject** result, PyObject* new) noexcept:
    cdef PyObject* old = result[0]
    result[0] = new
    Py_XDECREF(old)


cdef inline PyObject* dropped(PyObject* returned) noexcept:
    if returned == NULL:
        return ct_fetch()
    Py_DECREF(<object>returned)
    return NULL


cdef inline void release(BaseTrampoline t) noexcept:
    """Let go what the last turn held."""
    cdef PyObject* coroutine = ct_swap(&t.held_coroutine, NULL)
    cdef PyObject* sent = ct_swap(&t.held_sent, NULL)
    Py_XDECREF(sent)
    Py_XDECREF(coroutine)


# The stack of a pseudothread.

cdef inline PyObject* detail(Pseudothread p, int which) noexcept:
    """Return its NAME, its CONTEXT, the CODE where it was added or its JOINERS, borrowed, or NULL. Another thread asks `detail_of()`."""
    cdef PyObject* found = <PyObject*>p.about
    if PyTuple_CheckExact(found):
        found = PyTuple_GET_ITEM(found, which)
    elif which != CODE:
        return NULL
    return found if found != Py_None else NULL


cdef inline PyObject* detail_of(Pseudothread p, int which) noexcept:
    """The same, with a reference of its own."""
    ct_lock(<PyObject*>p.trampoline)
    cdef PyObject* found = detail(p, which)
    Py_XINCREF(found)
    ct_unlock(<PyObject*>p.trampoline)
    return found


cdef inline bint set_detail(Pseudothread p, int which, PyObject* value) noexcept:
    """Set one of these, but the CODE. Return False, with MemoryError, if there is no room for it."""
    cdef PyObject* about = <PyObject*>p.about
    cdef PyObject* old
    if not PyTuple_CheckExact(about):
        about = PyTuple_Pack(4, Py_None, Py_None, about, Py_None)
        if about == NULL:
            return False
        p.about = <object>about
        Py_DECREF(<object>about)
    old = PyTuple_GET_ITEM(about, which)  # nobody else has the tuple
    Py_INCREF(<object>value)
    PyTuple_SET_ITEM(about, which, value)
    if not PyObject_GC_IsTracked(about):  # there was nothing in it for the collector until now
        PyObject_GC_Track(about)
    Py_DECREF(<object>old)
    return True


cdef inline bint grow(Pseudothread p) noexcept:
    cdef unsigned int capacity = p.capacity + (p.capacity >> 3) + 6
    cdef PyObject** callers = NULL
    if capacity > p.capacity:
        callers = <PyObject**>PyMem_Realloc(NULL if p.callers == p.nearby else p.callers, capacity * sizeof(PyObject*))
    if callers == NULL:
        PyErr_NoMemory()
        return False
    if p.callers == p.nearby:
        callers[0], callers[1] = p.nearby[0], p.nearby[1]
    p.callers, p.capacity = callers, capacity
    return True


cdef inline void free_callers(Pseudothread p) noexcept:
    if p.callers != p.nearby:
        PyMem_Free(p.callers)
    p.callers, p.capacity = p.nearby, 2


cdef inline bint pop(Pseudothread p) noexcept:
    """Make the caller the innermost, whose reference the caller of this function takes over. Return False if there is none."""
    ct_lock(<PyObject*>p.trampoline)
    if p.depth:
        p.depth -= 1
        p.top = p.callers[p.depth]
        ct_unlock(<PyObject*>p.trampoline)
        return True
    if p.linked is None:
        p.top = NULL
        ct_unlock(<PyObject*>p.trampoline)
        return False
    ct_unlock(<PyObject*>p.trampoline)
    return pop_linked(p)


cdef inline bint pop_linked(Pseudothread p) noexcept:
    if p.levels != NULL:
        p.levels.linked -= 1
    linked = <tuple>p.linked
    caller, below = linked[0], linked[1]
    if not below:
        below = None
    Py_INCREF(caller)
    ct_lock(<PyObject*>p.trampoline)
    p.top = <PyObject*>caller
    p.linked = below
    ct_unlock(<PyObject*>p.trampoline)
    return True


# The list of what is parked.

cdef inline bint link(BaseTrampoline t, Pseudothread p) noexcept:
    """Append `p`, whose callers give way. Return False, with MemoryError, if there is no room for them. The caller locks."""
    if p.depth and p.callers == p.nearby and not grow(p):
        return False
    Py_INCREF(p)
    p.nearby[0], p.nearby[1] = t.last_parked, NULL
    if t.last_parked == NULL:
        ct_set_pointer(&t.first_parked, <PyObject*>p)
    else:
        (<Pseudothread>t.last_parked).nearby[1] = <PyObject*>p
    t.last_parked = <PyObject*>p
    return True


cdef inline void unlink(BaseTrampoline t, Pseudothread p) noexcept:
    """Take it out. The caller locks, and takes over the reference that the list had."""
    if p.nearby[0] == NULL:
        ct_set_pointer(&t.first_parked, p.nearby[1])
    else:
        (<Pseudothread>p.nearby[0]).nearby[1] = p.nearby[1]
    if p.nearby[1] == NULL:
        t.last_parked = p.nearby[0]
    else:
        (<Pseudothread>p.nearby[1]).nearby[0] = p.nearby[0]
    p.nearby[0] = p.nearby[1] = NULL


cdef inline bint claim(BaseTrampoline t, Pseudothread p, PyObject* suspension, PyObject* sent, bint leaves) noexcept:
    """Take `p` out of what is parked, if it is parked for `suspension`, and give it what it will be sent, whose reference is taken over.

    Of several that try one succeeds, and takes over a reference of `p` and that which it had of the suspension. If it `leaves`, as where
    another thread may do so, the run loop waits for it to be queued: `left()` follows.
    """
    ct_lock(<PyObject*>t)
    if p.state != PARKED or p.value != suspension:
        ct_unlock(<PyObject*>t)
        return False
    p.state, p.value = <char>CT_LEAVING, sent
    if leaves:
        t.leaving = t.leaving + 1
    unlink(t, p)
    ct_unlock(<PyObject*>t)
    return True


cdef inline PyObject* claim_any(BaseTrampoline t, Pseudothread p, PyObject* sent) noexcept:
    """The same whatever it is parked for; of that the reference is returned. NULL if it is not parked."""
    cdef PyObject* suspension
    ct_lock(<PyObject*>t)
    if p.state != PARKED:
        ct_unlock(<PyObject*>t)
        return NULL
    suspension = p.value
    p.state, p.value = <char>CT_LEAVING, sent
    t.leaving = t.leaving + 1
    unlink(t, p)
    ct_unlock(<PyObject*>t)
    return suspension


cdef inline void left(BaseTrampoline t) noexcept:
    ct_lock(<PyObject*>t)
    t.leaving = t.leaving - 1
    ct_unlock(<PyObject*>t)


# The moment and the place at which a pseudothread was added.

cdef inline void mark(Pseudothread p, int instruction) noexcept:
    cdef unsigned int now = ct_sixteenths(), unit = <unsigned int>instruction >> 1
    p.moment = <unsigned short>(now >> 12)
    p.place = (now << 20) | (unit if unit < 0xFFFFF else 0xFFFFF)


# The ring of a queue. The callers lock.

cdef inline bint enlarge(Queue queue) noexcept:
    cdef size_t room = queue.mask + 1 if queue.ring != NULL else 0
    cdef size_t more = room * 2 if room else 8
    cdef size_t index
    cdef PyObject** ring = <PyObject**>PyMem_Malloc(more * sizeof(PyObject*))
    if ring == NULL:
        PyErr_NoMemory()
        return False
    for index in range(queue.count):
        ring[index] = queue.ring[(queue.head + index) & queue.mask]
    PyMem_Free(queue.ring)
    queue.ring, queue.mask, queue.head = ring, more - 1, 0
    return True


cdef inline bint push_last(Queue queue, PyObject* entry) noexcept:
    if queue.ring == NULL or queue.count > queue.mask:
        if not enlarge(queue):
            return False
    Py_INCREF(<object>entry)
    queue.ring[(queue.head + queue.count) & queue.mask] = entry
    ct_set_size(&queue.count, queue.count + 1)
    return True


cdef inline bint push_first(Queue queue, PyObject* entry) noexcept:
    if queue.ring == NULL or queue.count > queue.mask:
        if not enlarge(queue):
            return False
    Py_INCREF(<object>entry)
    queue.head = (queue.head - 1) & queue.mask
    queue.ring[queue.head] = entry
    ct_set_size(&queue.count, queue.count + 1)
    return True


cdef inline PyObject* take(Queue queue) noexcept:
    cdef PyObject* entry = queue.ring[queue.head]
    queue.head = (queue.head + 1) & queue.mask
    ct_set_size(&queue.count, queue.count - 1)
    return entry


cdef inline void take_last(Queue queue) noexcept:
    """Take it out again. The caller takes over its reference."""
    ct_set_size(&queue.count, queue.count - 1)


cdef inline void remove(Queue queue, Pseudothread p) noexcept:
    cdef size_t index, kept = 0
    cdef PyObject* entry
    for index in range(queue.count):
        entry = queue.ring[(queue.head + index) & queue.mask]
        if entry != <PyObject*>p:
            queue.ring[(queue.head + kept) & queue.mask] = entry
            kept += 1
    if kept < queue.count:
        ct_set_size(&queue.count, kept)
        Py_DECREF(p)  # whose method was called


cdef inline list entries_of(Queue queue):
    cdef size_t index, count
    cdef PyObject* entry
    cdef PyObject* found = NULL
    ct_lock(<PyObject*>queue)
    count = queue.count + 1
    while count != queue.count:  # else garbage was collected just now, where that may be at any time, and added some
        Py_XDECREF(found)
        count = queue.count
        found = PyList_New(<Py_ssize_t>count)
        if found == NULL:
            ct_unlock(<PyObject*>queue)
            raise MemoryError
    for index in range(count):
        entry = queue.ring[(queue.head + index) & queue.mask]
        Py_INCREF(<object>entry)
        PyList_SET_ITEM(found, <Py_ssize_t>index, entry)
    ct_unlock(<PyObject*>queue)
    return owned_list(found)


cdef inline list owned_list(PyObject* found):
    entries = <list>found
    Py_DECREF(entries)
    return entries


cdef inline void taken_out(Pseudothread p) noexcept:
    """Note that `p` stands in the queue no more. If it was closed meanwhile, or is just being closed, that has come first."""
    ct_lock(<PyObject*>p.trampoline)
    if p.state == QUEUED:
        p.state = TAKEN
    ct_unlock(<PyObject*>p.trampoline)


cdef inline bint is_ours(BaseTrampoline t, PyObject* entry) noexcept:
    return Py_TYPE(entry) == <PyTypeObject*>Pseudothread and (<Pseudothread>entry).trampoline is t and (<Pseudothread>entry).state == QUEUED


cdef inline PyObject* rotate(Queue queue, PyObject* p) noexcept:
    """Put `p` in at the end and take the first out. No reference count changes, and what comes after it is brought nearer."""
    cdef PyObject* first = queue.ring[queue.head]
    queue.head = (queue.head + 1) & queue.mask
    queue.ring[(queue.head + queue.count - 1) & queue.mask] = p
    ct_prefetch(queue.ring[(queue.head + 1) & queue.mask])
    return first


# The end of objects. Whatever is let go is first taken out: its `finally` may look at us.

cdef inline void drop_stack(Pseudothread p) noexcept:
    cdef unsigned int level, depth = p.depth
    p.state, p.depth = ENDED, 0
    Py_CLEAR(p.value)  # then from the root on, as the recipe's closure goes with its nested pairs
    p.linked = None
    for level in range(depth):
        Py_DECREF(<object>p.callers[level])
    free_callers(p)
    Py_CLEAR(p.top)


cdef inline void drop_entries(Queue queue) noexcept:
    ct_lock(<PyObject*>queue)
    cdef PyObject** ring = queue.ring
    cdef size_t mask = queue.mask, head = queue.head, count = queue.count, index
    cdef PyObject* entry
    queue.ring, queue.mask, queue.head = NULL, 0, 0
    ct_set_size(&queue.count, 0)
    ct_unlock(<PyObject*>queue)
    for index in range(count):
        entry = ring[(head + index) & mask]
        if Py_TYPE(entry) == <PyTypeObject*>Pseudothread and not queue.of_values:
            taken_out(<Pseudothread>entry)
    for index in range(count):
        Py_DECREF(<object>ring[(head + index) & mask])
    PyMem_Free(ring)


cdef inline void drop_parked(BaseTrampoline t) noexcept:
    cdef PyObject* p
    while t.first_parked != NULL:
        p = t.first_parked
        (<Pseudothread>p).state = TAKEN
        unlink(t, <Pseudothread>p)
        Py_DECREF(<object>p)


cdef inline int show(PyObject* thing, visitproc visit, void* argument) noexcept:
    return (<int (*)(PyObject*, void*) noexcept>visit)(thing, argument) if thing != NULL else 0
