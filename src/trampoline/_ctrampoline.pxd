"""How the objects of the core are laid out. What moves pointers within them is in `_moving.pxi`."""

from cpython.object cimport PyObject

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
    Levels* nearby[2]  # its neighbours in the collector's list of all
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
    cdef PyObject* nearby[2]  # where `callers` points until there are more; its neighbours while parked; who joins it, as it ends
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
    cdef unsigned long leaver  # the thread that is in withdraw() for one of them, which may run this trampoline; or 0
    cdef int beside  # how many turns by hand, and close(), are going on
    cdef int limits  # deadlines of those that need not be parked
    cdef unsigned int passed  # by errors: how many levels
    cdef double look_at  # when to look next at what waits
    cdef int polls  # of files, since the last look at the time
    cdef long long sweep_at  # when to look next for closed files, in nanoseconds
    cdef object any_timers  # from the first deadline on; None if the reactor has its own
    cdef Timers timers  # the same if it is one of ours, else None
    cdef bint virtual  # whether their clock jumps
    cdef set outside  # under a virtual clock: the parked pseudothreads that something outside of the trampoline will resume
    cdef list handing  # what an overridden `schedule` is just being shown: for each a tuple of its own with the pseudothread
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
    cdef PyObject* by_hand  # in free-threaded CPython: the same of a turn by hand; owned
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
