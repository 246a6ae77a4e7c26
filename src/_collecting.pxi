"""Which collector counts what a trampoline does, and the begin and the end of that. Part of `_ctrampoline.pyx`."""


cdef class Here:
    """What one thread collects."""

    cdef Collector collector
    cdef list running  # the trampolines that are inside run() or turns by hand, the innermost last

    def __cinit__(self):
        self.running = []


cdef object local = _local()
cdef bint collectors_used = False  # whether there was any in use: else nobody need ask further
cdef object maker = None  # what collect_threads() was given
cdef long long numbers = 0  # of epochs and eras


cdef Here here():
    found = getattr(local, "here", None)
    if found is None:
        found = local.here = Here()
    return found


cdef long long next_number() noexcept:
    global numbers
    numbers += 1
    return numbers


cdef made(BaseTrampoline t, Pseudothread p):
    """`p` was added to `t`: count its root in, and since when it is queued."""
    cdef Pseudothread other
    thread = thread_of(t)
    if thread is None:
        refresh(t)
    if t.era == 0 or t.epoch != t.collecting.epoch:
        return
    cdef long long now = read_clock(<PyObject*>t.collecting)
    if t.collecting.failure is not None and not t.collecting.inside:
        leave(clock_failed(t.collecting))
    if thread is not None and thread != get_ident():
        if new_levels(p, now):
            p.special |= COLLECTED
        return
    cdef tuple shown
    for shown in list(t.handing) if CT_FREE_THREADED else t.handing:
        other = <Pseudothread>shown[0]  # an overridden `schedule` that gives the same stack in pairs of its own
        if other.levels != NULL and goes_on(other) and same((<object>other).stack, (<object>p).stack):
            p.levels, other.levels = other.levels, NULL
            p.levels.p = <PyObject*>p
            p.special |= COLLECTED
            return
    see(p, now, False)


cdef bint same(tuple stack, tuple other) except -1:
    cdef Py_ssize_t level
    if len(stack) != len(other):
        return False
    for level in range(len(stack)):
        if stack[level] is not other[level]:
            return False
    return True


cdef PyObject* between_turns(BaseTrampoline t) noexcept:
    """The run loop of `t` is about to take an entry. Return the error of the clock, or NULL."""
    if t.straddling != NULL:
        turned(t)
    t.collecting.dirty = True
    return clock_failed(t.collecting) if t.collecting.failure is not None else NULL


cdef void turned(BaseTrampoline t) noexcept:
    """The turn is over during which it was begun to collect."""
    cdef Levels* levels = (<Pseudothread>t.straddling).levels
    cdef PyObject* collector = levels.collector
    cdef bint counted = goes_on(<Pseudothread>t.straddling)
    cdef long long now
    t.straddling = NULL
    if counted:
        now = read_clock(collector)
        charge(collector, now)
        (<Collector>collector).account = NULL
        levels.since, levels.since_run, levels.turn = now, elapsed_run(collector, now), -1
        if levels.waiting == NOT_WAITING:
            levels.waiting = IS_READY


cdef bint turns_begin(BaseTrampoline t) except -1:
    """A run loop of `t` begins on this thread, or turns by hand where it does not run. Return whether it did not before."""
    cdef Here now = here()
    if among(now.running, t):
        return False
    if now.collector is None and maker is not None and t.own_collector is None:
        collect(checked(maker(), "the function that collect_threads() was given returned"))
    if ct_flag(&collectors_used):
        refresh(t)
        if t.era:
            enter_run(t)
    now.running.append(t)
    return True


cdef bint among(list running, BaseTrampoline t):
    for other in running:
        if other is t:
            return True
    return False


cdef void turns_end(BaseTrampoline t) noexcept:
    """It ends."""
    cdef list running
    try:
        running = here().running
        for level in range(len(running) - 1, -1, -1):
            if running[level] is t:
                del running[level]
                break
    except MemoryError:
        pass
    if t.straddling != NULL:
        turned(t)
    leave_run(t)


cdef enter_run(BaseTrampoline t):
    cdef Collector collector = t.collecting
    cdef long long now = read_clock(<PyObject*>collector)
    if not collector.inside:
        collector.offset, collector.last, collector.thread = now - collector.ran, now, get_ident()
    elif collector.thread != get_ident():
        raise elsewhere(collector)
    else:
        charge(<PyObject*>collector, now)
    collector.inside += 1
    collector.dirty = True
    t.entered_in, t.outer, collector.account = collector.epoch, collector.account, NULL


cdef void leave_run(BaseTrampoline t) noexcept:
    """Its collector has done with it, for now."""
    cdef PyObject* collector = <PyObject*>t.collecting
    cdef long long now
    if not t.entered_in:  # threads that close without a collector come here at once, and write nothing
        return
    if t.entered_in == (<Collector>collector).epoch and (<Collector>collector).inside:
        now = read_clock(collector)
        charge(collector, now)
        (<Collector>collector).account = t.outer
        (<Collector>collector).ran = now - (<Collector>collector).offset
        (<Collector>collector).inside -= 1
    t.entered_in, t.outer = 0, NULL


cdef elsewhere(Collector collector):
    return RuntimeError(f"{collector!r} counts what runs on another thread: make a Collector for each thread")


cdef refresh(BaseTrampoline t):
    """Have `t` use the collector that is in effect for it: its own, else this thread's."""
    if changes(t):
        leave_run(t)
        take_up(t)


cdef Collector in_effect(BaseTrampoline t):
    return here().collector if t.own_collector is None else t.own_collector


cdef bint changes(BaseTrampoline t) except -1:
    cdef Collector collector = in_effect(t)
    if collector is None:
        return t.era != 0
    return t.era == 0 or t.collecting is not collector or t.epoch != collector.epoch


cdef refresh_all():
    """The same for all that run on this thread: the innermost is the first to let go, and the last to take up."""
    changed = [t for t in here().running if changes(t)]
    for t in reversed(changed):
        leave_run(t)
    for t in changed:
        take_up(t)


cdef take_up(BaseTrampoline t):
    cdef Collector collector = in_effect(t)
    cdef Pseudothread p
    t.alone, t.straddling = False, NULL
    t.era = 0
    t.collecting = collector
    if collector is None:
        return
    t.era, t.epoch = next_number(), collector.epoch
    cdef bint running = among(here().running, t)
    if running:
        enter_run(t)
    cdef long long now = read_clock(<PyObject*>collector)
    for entry in t._all_parked() + (entries_of(t.own) if t.own is not None else []):
        if type(entry) is Pseudothread and (<Pseudothread>entry).trampoline is t and see(<Pseudothread>entry, now, True):
            if (<Pseudothread>entry).state == PARKED:
                (<Pseudothread>entry).levels.waiting = IS_PARKED
    current = t._turn if running else None
    if type(current) is Pseudothread:
        p = current
        if p.trampoline is t and p.state == RUNNING and see(p, now, True):
            p.levels.waiting = NOT_WAITING
            t.straddling, collector.account = <PyObject*>p, top_node(p.levels)


cdef checked(collector, what="collect() takes"):
    if collector is not None and type(collector) is not Collector:
        raise TypeError(f"{what} a Collector or None, not {describe(collector)}")
    return collector


cdef bind(Collector collector):
    """Count that `collector` is in use once more. RuntimeError if it counts on another thread just now."""
    global collectors_used
    if collector is None:
        return
    if collector.inside and collector.thread != get_ident():
        raise elsewhere(collector)
    ct_set_flag(&collectors_used, True)
    if not collector.bound:
        collector.epoch = next_number()
    collector.bound += 1


cdef unbind(Collector collector):
    """Count that it is in use once less. When it is not any more, its times stand still."""
    if collector is None:
        return
    collector.bound -= 1
    if not collector.bound:
        collector.inside, collector.account, collector.epoch = 0, NULL, next_number()


def collect(collector):
    """Have every trampoline that runs on this thread from now on, and one that is running, counted by `collector`; by None no more.

    Return the one that did before, or None. A trampoline's own collector comes first. TypeError if it is neither, RuntimeError if it counts
    on another thread just now.
    """
    cdef Here now = here()
    old, new = now.collector, checked(collector)
    if new is not old:
        if old is not None:
            settle_all(old)
        bind(new)
        now.collector = new
        refresh_all()
        unbind(old)
    return old


cdef set_own(BaseTrampoline t, collector):
    """Set the collector of `t`, which comes before the thread's."""
    old, new = t.own_collector, checked(collector, "the collector of a trampoline is")
    if new is not old:
        if old is not None:
            settle_all(old)
        bind(new)
        t.own_collector = new
        refresh_all()
        unbind(old)


def collect_threads(make):
    """Have each thread that runs a trampoline from now on, and has no collector, use what `make()` returns; None ends it.

    What a thread has already it keeps. TypeError if it is not callable.
    """
    global maker
    if make is not None and not callable(make):
        raise TypeError(f"collect_threads() takes a function that returns a Collector, or None, not {describe(make)}")
    maker = make
