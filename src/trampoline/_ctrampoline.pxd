"""How the objects of the core are laid out, and what moves pointers within them: the stack of a pseudothread, the ring of a queue, the list
of what is parked. None of it raises, and none of it runs a line of the user's but where something is let go.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject, PyTypeObject, visitproc
from cpython.ref cimport Py_CLEAR, Py_DECREF, Py_INCREF, Py_XDECREF

from _capi cimport *

cdef enum:
    QUEUED, TAKEN, RUNNING, PARKED, ENDED
cdef enum:
    CALL, VALUE, TAIL, WAIT, ERROR, ADAPT, PROMPT, GIVE, NEXT
cdef enum:
    NAME, CONTEXT, CODE, JOINERS
cdef enum:
    THROWING = 1
    IN_CONTEXT = 2
    INTERRUPTED = 4
    PROMPTLY = 8
    COLLECTED = 16
    OWED = 32
    SPAWNED = 64
    ODD = 63  # whether the next turn is anything but a plain send; SPAWNED alone is not
    MOST_PROMPT = 100
    TURNS = 1000
    FEW = 32


cdef enum:
    NOT_WAITING, IS_READY, IS_PARKED  # what a pseudothread waits for while its coroutine is not resumed

ctypedef struct Level:
    PyObject* node
    long long pushed

ctypedef struct Levels:
    Level* levels  # what a turn touches comes first
    unsigned int depth
    unsigned int linked  # how many of the callers are in the nested pairs of `linked`
    long long era  # that of the trampoline from which on none of its turns was missed
    long long since, since_run  # since when it waits; and what `run` was then
    long long turn
    char waiting, woken, closing
    unsigned int capacity
    Level few[2]  # where `levels` points until there are more
    PyObject* collector
    PyObject* p  # whose they are; not owned
    Levels* near[2]  # its neighbours in the collector's list of all
    long long woken_at, number

ctypedef struct Event:
    PyObject* node
    long long number, start, duration
    bint waited


cdef class Pseudothread:
    # What a turn touches comes first: one line of the cache, where pymalloc aligns it, as the whole with the head before it has 128 bytes.
    cdef PyObject* top
    cdef PyObject** callers  # the outermost first; below them come the nested pairs of `linked`, as schedule() was given them
    cdef unsigned int depth, capacity
    cdef PyObject* value  # to be sent, or thrown if THROWING; the suspension while parked; the result or error when ended; NULL: none
    cdef BaseTrampoline trampoline
    cdef char state, special  # special: a set of THROWING and what follows it above
    cdef unsigned short moment  # when it was added, in sixteenths of a second; its lower 12 bits are in `place`
    cdef unsigned int place  # the instruction that added it, in units of two bytes, in 20 bits
    cdef PyObject* near[2]  # where `callers` points until there are more; its neighbours while parked; who joins it, as it ends
    cdef object linked  # after an error: its traceback and context, for whoever is given it later
    cdef object about  # the code where it was added; or a tuple of our own (name, context, code, joiners); or None. detail() reads it
    cdef Levels* levels  # while its trampoline collects
    cdef object __weakref__


cdef class Queue:
    cdef PyObject** ring
    cdef size_t mask, head, count  # the ring has room for mask + 1 entries
    cdef bint of_values  # what a channel holds, and no entries
    cdef object waker
    cdef object __weakref__


cdef class Group:
    cdef Pseudothread waiter
    cdef object suspension
    cdef Py_ssize_t running
    cdef bint any, open
    cdef readonly list children
    cdef readonly object decided


cdef class Spawning:
    cdef object coroutine, name, context, code
    cdef int instruction


cdef class Channel:
    cdef Queue items
    cdef Py_ssize_t room  # -1: no limit
    cdef bint is_closed
    cdef ct_Operation* putters[2]  # who waits to put: the first and the last
    cdef ct_Operation* getters[2]
    cdef object __weakref__


cdef class BaseTrampoline:
    cdef object any_queue
    cdef Queue own  # the same if it is one of ours, else None
    cdef bint running, alone, overridden
    cdef bint asks  # whether _adapt() is asked for coroutines that are no generators, too
    cdef object thread, waker
    cdef int leaving  # how many are being resumed: parked no more, and not queued yet
    cdef int limits  # deadlines of those that need not be parked
    cdef double look_at  # when to look next at what waits
    cdef object any_timers  # from the first deadline on; None if the reactor has its own
    cdef Timers timers  # the same if it is one of ours, else None
    cdef bint virtual  # whether their clock jumps
    cdef set outside  # under a virtual clock: the parked pseudothreads that something outside of the trampoline will resume
    cdef list handing
    cdef PyObject* entered  # the context of the pseudothread whose turn it is; not owned
    cdef Collector own_collector, collecting
    cdef long long era, epoch  # the numbers of when it took that up, and of when that came into use; 0: it does not collect
    cdef PyObject* straddling  # the pseudothread during whose turn it was begun to collect; not owned
    cdef long long entered_in  # 0, or the collector's epoch when it was told of run()
    cdef PyObject* outer  # and its account then
    cdef PyObject* held_coroutine  # a tuple of it and its callers where `schedule` dropped those
    cdef PyObject* held_sent  # the value or the error
    cdef PyObject* first_parked
    cdef PyObject* last_parked
    cdef PyObject** turn  # where the pseudothread whose turn it is stands, NULL if it is nobody's
    cdef PyObject* before  # the neighbours in the list of all trampolines
    cdef PyObject* after
    cdef object __weakref__


cdef struct Entry:
    double when
    unsigned long long number  # in the order of making: of two at the same moment the earlier comes first
    PyObject* item


cdef class VirtualClock:
    cdef double shown, quiet


cdef class Deadline:
    cdef double moment
    cdef unsigned long long number  # of its entry, 0 if that does not count any more
    cdef object call


cdef class Timers:
    cdef Entry* heap
    cdef size_t count, room, cancelled
    cdef unsigned long long number  # of the last entry
    cdef object clock
    cdef VirtualClock ours  # the clock, if it is one of ours, else None
    cdef bint virtual
    cdef bint alone  # whether no reactor is in use
cdef class Node:
    cdef Node parent_node, last
    cdef PyObject* last_code  # of what was called from here last, and went to the node `last`
    cdef object own_code
    cdef list below
    cdef dict known  # the address of a code: the node it goes to
    cdef long long called, resumed, time, spanned, was_ready, was_parked, failed, closings, living, older
    cdef object __weakref__


cdef class Collector:
    cdef long long last  # when the clock was read last: up to then all time is accounted for
    cdef PyObject* account  # the node of the coroutine that is being resumed, or NULL: the loop's; not owned
    cdef object clock  # None: the system's
    cdef bint dirty  # whether anything of the user's may have run since
    cdef bint odd  # whether it has a clock of its own, or a timeline
    cdef unsigned int inside, bound
    cdef long long epoch, turn, number, offset, looped, ran
    cdef Node top
    cdef Levels* first
    cdef object thread, failure
    cdef Event* events
    cdef size_t room, happened
    cdef object __weakref__


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
    cdef PyObject* coroutine = t.held_coroutine
    cdef PyObject* sent = t.held_sent
    t.held_coroutine = t.held_sent = NULL
    Py_XDECREF(sent)
    Py_XDECREF(coroutine)


# The stack of a pseudothread.

cdef inline PyObject* detail(Pseudothread p, int which) noexcept:
    """Return its NAME, its CONTEXT, the CODE where it was added or its JOINERS, borrowed, or NULL."""
    cdef PyObject* found = <PyObject*>p.about
    if PyTuple_CheckExact(found):
        found = PyTuple_GET_ITEM(found, which)
    elif which != CODE:
        return NULL
    return found if found != Py_None else NULL


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
        callers = <PyObject**>PyMem_Realloc(NULL if p.callers == p.near else p.callers, capacity * sizeof(PyObject*))
    if callers == NULL:
        PyErr_NoMemory()
        return False
    if p.callers == p.near:
        callers[0], callers[1] = p.near[0], p.near[1]
    p.callers, p.capacity = callers, capacity
    return True


cdef inline void free_callers(Pseudothread p) noexcept:
    if p.callers != p.near:
        PyMem_Free(p.callers)
    p.callers, p.capacity = p.near, 2


cdef inline bint pop(Pseudothread p) noexcept:
    """Make the caller the innermost, whose reference the caller of this function takes over. Return False if there is none."""
    if p.depth:
        p.depth -= 1
        p.top = p.callers[p.depth]
        return True
    if p.linked is None:
        p.top = NULL
        return False
    if p.levels != NULL:
        p.levels.linked -= 1
    caller, below = (<tuple>p.linked)[0], (<tuple>p.linked)[1]
    Py_INCREF(caller)
    p.top = <PyObject*>caller
    p.linked = below if below else None
    return True


# The list of what is parked.

cdef inline bint link(BaseTrampoline t, Pseudothread p) noexcept:
    """Append `p`, whose callers give way. Return False, with MemoryError, if there is no room for them."""
    if p.depth and p.callers == p.near and not grow(p):
        return False
    Py_INCREF(p)
    p.near[0], p.near[1] = t.last_parked, NULL
    if t.last_parked == NULL:
        t.first_parked = <PyObject*>p
    else:
        (<Pseudothread>t.last_parked).near[1] = <PyObject*>p
    t.last_parked = <PyObject*>p
    return True


cdef inline void unlink(BaseTrampoline t, Pseudothread p) noexcept:
    if p.near[0] == NULL:
        t.first_parked = p.near[1]
    else:
        (<Pseudothread>p.near[0]).near[1] = p.near[1]
    if p.near[1] == NULL:
        t.last_parked = p.near[0]
    else:
        (<Pseudothread>p.near[1]).near[0] = p.near[0]
    p.near[0] = p.near[1] = NULL
    Py_DECREF(p)


# The moment and the place at which a pseudothread was added.

cdef inline void mark(Pseudothread p, int instruction) noexcept:
    cdef unsigned int now = ct_sixteenths(), unit = <unsigned int>instruction >> 1
    p.moment = <unsigned short>(now >> 12)
    p.place = (now << 20) | (unit if unit < 0xFFFFF else 0xFFFFF)


# The ring of a queue.

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
    queue.count += 1
    return True


cdef inline bint push_first(Queue queue, PyObject* entry) noexcept:
    if queue.ring == NULL or queue.count > queue.mask:
        if not enlarge(queue):
            return False
    Py_INCREF(<object>entry)
    queue.head = (queue.head - 1) & queue.mask
    queue.ring[queue.head] = entry
    queue.count += 1
    return True


cdef inline PyObject* take(Queue queue) noexcept:
    cdef PyObject* entry = queue.ring[queue.head]
    queue.head = (queue.head + 1) & queue.mask
    queue.count -= 1
    return entry


cdef inline void remove(Queue queue, Pseudothread p) noexcept:
    cdef size_t index, kept = 0
    cdef PyObject* entry
    for index in range(queue.count):
        entry = queue.ring[(queue.head + index) & queue.mask]
        if entry != <PyObject*>p:
            queue.ring[(queue.head + kept) & queue.mask] = entry
            kept += 1
    if kept < queue.count:
        queue.count = kept
        Py_DECREF(p)


cdef inline list entries_of(Queue queue):
    return [<object>queue.ring[(queue.head + index) & queue.mask] for index in range(queue.count)]


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
    cdef PyObject** ring = queue.ring
    cdef size_t mask = queue.mask, head = queue.head, count = queue.count, index
    cdef PyObject* entry
    queue.ring, queue.mask, queue.head, queue.count = NULL, 0, 0, 0
    for index in range(count):
        entry = ring[(head + index) & mask]
        if Py_TYPE(entry) == <PyTypeObject*>Pseudothread and (<Pseudothread>entry).state == QUEUED and not queue.of_values:
            (<Pseudothread>entry).state = TAKEN
    for index in range(count):
        Py_DECREF(<object>ring[(head + index) & mask])
    PyMem_Free(ring)


cdef inline void drop_parked(BaseTrampoline t) noexcept:
    cdef PyObject* p
    while t.first_parked != NULL:
        p = t.first_parked
        (<Pseudothread>p).state = TAKEN
        unlink(t, <Pseudothread>p)


cdef inline int show(PyObject* thing, visitproc visit, void* argument) noexcept:
    return (<int (*)(PyObject*, void*) noexcept>visit)(thing, argument) if thing != NULL else 0
