"""Classes Node and Collector. Part of `_ctrampoline.pyx`."""

ct_begin_clock()

cdef int RECURSION = 2  # so often a code may occur on the path of a node: then its next call goes to the node of its last occurrence


@cython.final
@cython.no_gc_clear
cdef class Node:
    """A coroutine as called by the node above it: all coroutines of one code with the same logical callers are counted together.

    A code that occurs twice on the path from the root already goes to the node of its last occurrence: recursion folds there. Times are in
    nanoseconds, and those of what is live are as of the collector's last `settle()`.
    """

    def __cinit__(self):
        self.below, self.known = [], {}

    def __init__(self, *args, **kwargs):
        raise TypeError("a Node is made by a Collector")

    def __reduce__(self):
        raise no_copy(self, "it belongs to its collector")

    def __repr__(self):
        code = self.own_code
        name = "root" if code is None else getattr(code, "co_qualname", None) or getattr(code, "co_name", None) or code.__qualname__
        return f"<Node {name!r}: {self.called} calls, {self.resumed} resumes, {self.time} ns>"

    @property
    def parent(self):
        """The node of the caller; None for the root."""
        return self.parent_node

    @property
    def code(self):
        """The code object; of a coroutine that has none its class; None for the root."""
        return self.own_code

    @property
    def children(self):
        """The nodes of what was called from here, as a tuple, in the order of their first calls."""
        return tuple(self.below)

    @property
    def calls(self):
        """How often it was called, or added; and in the place of another, by a TailCall."""
        return self.called

    @property
    def resumes(self):
        """How many turns it had: in each it was sent a value or thrown an error. Those of `close()` are not among them."""
        return self.resumed

    @property
    def self_time(self):
        """Nanoseconds in its resumes, without those of others that ran meanwhile (by hand, or in another trampoline)."""
        return self.time

    @property
    def span(self):
        """Nanoseconds from call to result, of all its calls: those within one another, by recursion, count each."""
        return self.spanned

    @property
    def ready(self):
        """Nanoseconds that its pseudothread was queued while others ran, with this coroutine on top."""
        return self.was_ready

    @property
    def parked(self):
        """Nanoseconds that its pseudothread was parked, with this coroutine on top."""
        return self.was_parked

    @property
    def exceptions(self):
        """How often an error left it. A TailCall is none."""
        return self.failed

    @property
    def closed(self):
        """How often it ended early: by `close()`, or let go with its pseudothread."""
        return self.closings

    @property
    def live(self):
        """How many are on a stack now."""
        return self.living

    @property
    def partial(self):
        """How many were on a stack already when it was begun to collect: they are not among the calls."""
        return self.older


@cython.final
@cython.no_gc_clear
cdef class Collector:
    """Counts and times what trampolines do, as a tree of logical calls. `collect()` and `collect_threads()` say which.

    `clock` is called for integer nanoseconds and never goes back; without one it is the system's monotonic clock. With `timeline` the first
    so many events are kept. It serves one thread at a time. What a core does between two resumes is the loop's time, but where the C core
    reads the clock once for both sides, it is the following coroutine's. TypeError, ValueError for another clock or number.
    """

    def __cinit__(self, clock=None, timeline=0):
        if clock is not None and not callable(clock):
            raise TypeError(f"Collector() takes a clock that is called for integer nanoseconds, not {describe(clock)}")
        room = index(timeline)
        if room < 0:
            raise ValueError(f"Collector() takes how many events its timeline keeps, not {room}")
        self.clock, self.room, self.odd = clock, room, clock is not None or room
        self.top = Node.__new__(Node)
        if clock is None:
            ct_measure_clock()

    def __dealloc__(self):
        cdef size_t number
        for number in range(min(self.happened, self.room) if self.events != NULL else 0):
            Py_DECREF(<object>self.events[number].node)
        PyMem_Free(self.events)

    def __reduce__(self):
        raise no_copy(self, "what it counts goes on")

    def __repr__(self):
        return f"<Collector: {self.number} pseudothreads, {self.ran} ns>"

    @property
    def root(self):
        """The node above those of the roots of all pseudothreads."""
        return self.top

    @property
    def loop(self):
        """Nanoseconds in run loops outside of resumes: entries of the queue, suspensions, an overridden `schedule`, waiting."""
        return self.looped

    @property
    def run(self):
        """Nanoseconds inside `run()`, and inside a call or a `close()` of a pseudothread by hand. It is `loop` and all self times."""
        return self.ran

    @property
    def timeline(self):
        """None, or the events as a list of (kind, pseudothread's number, node, start, duration): 'run' a resume, 'wait' the time before."""
        return events_of(self) if self.room else None

    @property
    def timeline_dropped(self):
        """How many events found no room in the timeline."""
        return self.happened - min(self.happened, self.room)

    def settle(self):
        """Bring the times of what is live up to now; also while it runs, from that thread. Raises the error of its clock."""
        settle_all(self)
        leave(clock_failed(self))


cdef Node new_node(Node parent, code):
    cdef Node node = Node.__new__(Node)
    node.parent_node, node.own_code = parent, code
    return node


cdef PyObject* callee(PyObject* node, PyObject* coroutine, PyObject* collector) noexcept:
    """Return the node of `coroutine`, which is called from `node`; borrowed."""
    cdef PyObject* code = ct_code_of(coroutine)
    if code == NULL or code != (<Node>node).last_code:
        return callee_slowly(<Node>node, coroutine, code, <Collector>collector)
    Py_DECREF(<object>code)
    return <PyObject*>(<Node>node).last


cdef PyObject* callee_slowly(Node node, PyObject* coroutine, PyObject* known, Collector collector) noexcept:
    cdef Node found = None
    try:
        code = <object>known if known != NULL else code_of(<object>coroutine)
        key = <size_t><PyObject*>code  # its value is costly to compare; and it is kept by the node that has it
        found = node.known.get(key)
        if found is None:
            found = folded(node, code)
            if found is None:
                found = new_node(node, code)
                node.below.append(found)
            node.known[key] = found
        node.last, node.last_code = found, <PyObject*>code
    except BaseException as error:  # no memory, or Ctrl-C
        keep_failure(collector, error)
        found = node
    Py_XDECREF(known)
    return <PyObject*>found


cdef Node folded(Node node, code):
    cdef Node last = None
    cdef int times = 0
    while node is not None:
        if node.own_code is code:
            times += 1
            last = node if last is None else last
        node = node.parent_node
    return last if times >= RECURSION else None


# The clock, and where its time goes.

cdef inline long long read_clock(PyObject* collector) noexcept:
    """Return the time. An error of the clock is kept for run(): here nobody could tell it from the coroutine's."""
    return ct_now() if (<Collector>collector).clock is None else read_given(<Collector>collector)


cdef long long read_given(Collector collector) noexcept:
    try:
        return_value = <long long>index(collector.clock())
    except BaseException as error:
        keep_failure(collector, error)
        return_value = collector.last
    return return_value


cdef void keep_failure(Collector collector, error) noexcept:
    if collector.failure is None:
        collector.failure = error


cdef PyObject* clock_failed(Collector collector) noexcept:
    """Return the error that was kept, and keep it no more, or NULL."""
    cdef PyObject* error = <PyObject*>collector.failure
    if error == Py_None:
        return NULL
    Py_INCREF(<object>error)
    collector.failure = None
    return error


cdef inline void charge(PyObject* collector, long long now) noexcept:
    cdef long long elapsed = now - (<Collector>collector).last
    if (<Collector>collector).account == NULL:
        (<Collector>collector).looped = (<Collector>collector).looped + elapsed
    else:
        (<Node>(<Collector>collector).account).time = (<Node>(<Collector>collector).account).time + elapsed
    (<Collector>collector).last = now


cdef inline long long elapsed_run(PyObject* collector, long long now) noexcept:
    """Return what `run` is, or was at its end if it has ended."""
    return now - (<Collector>collector).offset if (<Collector>collector).inside else (<Collector>collector).ran


cdef inline long long last_turn(Collector collector) noexcept:
    """Return the number of the last turn that what is queued now has not waited for."""
    return -1 if collector.inside else collector.turn


cdef list events_of(Collector collector):
    """Return the events up to now. Another thread may note more meanwhile, which takes their place away: so they are copied."""
    cdef size_t number, many
    cdef Event* events
    ct_lock(<PyObject*>collector)
    many = min(collector.happened, collector.room)
    events = <Event*>PyMem_Malloc((many or 1) * sizeof(Event))
    if events != NULL and many:
        memcpy(events, collector.events, many * sizeof(Event))
    ct_unlock(<PyObject*>collector)
    if events == NULL:
        raise MemoryError
    try:
        told = [event_of(&events[number]) for number in range(many)]
    finally:
        PyMem_Free(events)
    return told


cdef tuple event_of(Event* event):
    return "wait" if event.waited else "run", event.number, <object>event.node, event.start, event.duration


cdef void note_event(Collector collector, bint waited, Levels* levels, PyObject* node, long long start, long long duration) noexcept:
    cdef size_t number = collector.happened
    cdef Event* events = collector.events
    ct_lock(<PyObject*>collector)
    if number < collector.room and number & (number - 1) == 0:  # a power of two: so many there is room for
        events = <Event*>PyMem_Realloc(events, (number * 2 if number else 1) * sizeof(Event))
        if events == NULL:
            collector.room = number
        else:
            collector.events = events
    if number < collector.room:
        Py_INCREF(<object>node)
        events[number] = Event(node, levels.number, start, duration, waited)
    collector.happened = number + 1
    ct_unlock(<PyObject*>collector)
