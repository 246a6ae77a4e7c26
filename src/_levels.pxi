"""How a pseudothread's turns are counted in the tree of a collector: its Levels, a mirror of its stack. Part of `_ctrampoline.pyx`.

Calls and results are counted where the next turn begins, by the depth of the stack: so the run loop is the same whether it collects or not.
"""


cdef int resume_collected(Pseudothread p, PyObject* coroutine, PyObject* sent, PyObject** got) noexcept:
    """Make a turn, and read the clock at each side of it; once for the end of one and the begin of the next, where nothing was between."""
    cdef PyObject* t = <PyObject*>p.trampoline
    cdef PyObject* collector = <PyObject*>(<BaseTrampoline>t).collecting
    cdef Levels* levels = p.levels
    cdef long long era = (<BaseTrampoline>t).era
    cdef long long now
    cdef PyObject* outer
    cdef int outcome
    if levels == NULL or levels.era != era or levels.waiting != IS_READY or levels.depth == 0 or (
            (<Collector>collector).odd or not PyGen_CheckExact(coroutine) and not PyCoro_CheckExact(coroutine)):
        return resume_oddly(p, coroutine, sent, got)
    if (<Collector>collector).dirty:
        now = ct_now()
        charge(collector, now)
    else:
        now = (<Collector>collector).last
    follow(p)
    if levels.turn != (<Collector>collector).turn:
        add_ready(levels, now)
    outer = begin_turn(levels, collector)
    outcome = send_to_generator(coroutine, sent, got)
    if (<BaseTrampoline>t).era == era:
        turn_ends(levels, collector, outer, ct_now())
        (<Collector>collector).dirty = lets_go(coroutine, sent, outcome, got[0])
    return outcome


cdef int resume_oddly(Pseudothread p, PyObject* coroutine, PyObject* sent, PyObject** got) noexcept:
    """The same where anything is special about it."""
    cdef PyObject* t = <PyObject*>p.trampoline
    cdef PyObject* collector = <PyObject*>(<BaseTrampoline>t).collecting
    cdef long long era = (<BaseTrampoline>t).era
    cdef long long began
    cdef PyObject* outer
    cdef int outcome
    if era == 0 or (<Collector>collector).epoch != (<BaseTrampoline>t).epoch:
        p.special &= ~COLLECTED
        return resume_specially(p, coroutine, sent, got)
    began = read_clock(collector) if (<Collector>collector).dirty else (<Collector>collector).last
    if p.levels == NULL or p.levels.era != era:
        if not see(p, began, True):
            return resume_specially(p, coroutine, sent, got)
    elif p.levels.depth == 0:  # added by another thread
        count_in(p, p.levels.since, False, False)
        if p.levels.depth == 0:
            p.special &= ~COLLECTED
            return resume_specially(p, coroutine, sent, got)
    charge(collector, began)
    follow(p)
    if p.levels.waiting != NOT_WAITING:
        waited(p.levels, began)
    outer = begin_turn(p.levels, collector)
    outcome = resume_specially(p, coroutine, sent, got)
    if (<BaseTrampoline>t).era == era and (<Collector>collector).epoch == (<BaseTrampoline>t).epoch:
        turn_ends(p.levels, collector, outer, read_clock(collector))
        (<Collector>collector).dirty = lets_go(coroutine, sent, outcome, got[0])
        if outcome == ERROR and p.levels.closing and not PyErr_GivenExceptionMatches(got[0], PyExc_GeneratorExit):
            (<Node>top_node(p.levels)).failed += 1
        if (<Collector>collector).room:
            note_event(<Collector>collector, False, p.levels, top_node(p.levels), began, p.levels.since - began)
        if (<Collector>collector).failure is not None:
            (<BaseTrampoline>t).alone = False  # for the run loop to see it
    return outcome


cdef inline bint lets_go(PyObject* coroutine, PyObject* sent, int outcome, PyObject* got) noexcept:
    """Return whether some code of the user's may run after this turn: by what is let go, or as it is asked what it yielded."""
    if sent != NULL and Py_REFCNT(sent) == 1 and not PyLong_CheckExact(sent):
        return True
    if outcome == NEXT:
        if PyGen_CheckExact(got) or PyCoro_CheckExact(got) or Py_TYPE(got) == ct_operation_type:
            return False
        return Py_REFCNT(coroutine) == 1 or got != Py_None and not PyLong_CheckExact(got)
    return Py_REFCNT(coroutine) == 1 and not PyGen_CheckExact(coroutine)


cdef inline PyObject* begin_turn(Levels* levels, PyObject* collector) noexcept:
    """Return the account that the turn interrupts."""
    cdef PyObject* outer = (<Collector>collector).account
    cdef PyObject* node = top_node(levels)
    levels.waiting, levels.woken = NOT_WAITING, False
    (<Collector>collector).turn = (<Collector>collector).turn + 1  # `+= 1` would take a reference meanwhile
    if not levels.closing:
        (<Node>node).resumed = (<Node>node).resumed + 1
    (<Collector>collector).account, (<Collector>collector).dirty = node, True
    return outer


cdef inline void turn_ends(Levels* levels, PyObject* collector, PyObject* outer, long long now) noexcept:
    charge(collector, now)
    (<Collector>collector).account = outer
    levels.since, levels.since_run = now, now - (<Collector>collector).offset
    levels.waiting, levels.turn = IS_READY, (<Collector>collector).turn


cdef inline void add_ready(Levels* levels, long long now) noexcept:
    cdef PyObject* node = top_node(levels)
    cdef long long ready = elapsed_run(levels.collector, now) - levels.since_run
    if ready > 0:
        (<Node>node).was_ready = (<Node>node).was_ready + ready


cdef inline void follow(Pseudothread p) noexcept:
    """Count the call or the result with which the last turn ended, if that is still to be done."""
    cdef unsigned int depth = p.depth + p.levels.linked + 1
    if p.levels.depth < depth:
        if p.levels.depth:
            push_level(p.levels, p.top, p.levels.since, False)
    elif p.levels.depth > depth:
        pop_level(p.levels, p.levels.since)


cdef inline PyObject* top_node(Levels* levels) noexcept:
    return levels.levels[levels.depth - 1].node


cdef void push_level(Levels* levels, PyObject* coroutine, long long now, bint older) noexcept:
    cdef PyObject* above = top_node(levels) if levels.depth else <PyObject*>(<Collector>levels.collector).top
    cdef Level* more
    cdef unsigned int capacity
    if levels.depth == levels.capacity:
        capacity = levels.capacity + (levels.capacity >> 1) + 4
        more = NULL
        if capacity > levels.capacity:
            more = <Level*>PyMem_Realloc(NULL if levels.levels == levels.few else levels.levels, capacity * sizeof(Level))
        if more == NULL:
            levels.era = -1  # it will be seen anew
            return
        if levels.levels == levels.few:
            more[0], more[1] = levels.few[0], levels.few[1]
        levels.levels, levels.capacity = more, capacity
    above = callee(above, coroutine, levels.collector)
    if older:
        (<Node>above).older = (<Node>above).older + 1
    else:
        (<Node>above).called = (<Node>above).called + 1
    (<Node>above).living = (<Node>above).living + 1
    Py_INCREF(<object>above)
    levels.levels[levels.depth] = Level(above, now)
    levels.depth = levels.depth + 1


cdef inline void pop_level(Levels* levels, long long now) noexcept:
    levels.depth = levels.depth - 1
    cdef PyObject* node = levels.levels[levels.depth].node
    cdef long long span = now - levels.levels[levels.depth].pushed
    (<Node>node).living = (<Node>node).living - 1  # `-= 1` would take a reference meanwhile
    if span > 0:
        (<Node>node).spanned = (<Node>node).spanned + span
    Py_DECREF(<object>node)


cdef inline bint goes_on(Pseudothread p) noexcept:
    """Return whether what its Levels count is still wanted, and no turn was missed."""
    cdef PyObject* t = <PyObject*>p.trampoline
    return p.levels.era == (<BaseTrampoline>t).era and (
        (<BaseTrampoline>t).epoch == (<BaseTrampoline>t).collecting.epoch)


cdef void over(Pseudothread p) noexcept:
    """The turn is over, if it was that during which it was begun to collect."""
    if p.trampoline.straddling == <PyObject*>p:
        turned(p.trampoline)


cdef void failed(Pseudothread p) noexcept:
    """An error is leaving the innermost."""
    over(p)
    if goes_on(p) and p.levels.depth:
        (<Node>top_node(p.levels)).failed += 1
        pop_level(p.levels, p.levels.since)


cdef void replaced(Pseudothread p, PyObject* coroutine) noexcept:
    """A TailCall puts `coroutine` in the place of the innermost."""
    over(p)
    if goes_on(p) and p.levels.depth:
        pop_level(p.levels, p.levels.since)
        push_level(p.levels, coroutine, p.levels.since, False)


cdef void same_turn(Pseudothread p) noexcept:
    """It is about to be resumed once more in the same turn, which is counted once."""
    if goes_on(p) and p.levels.depth:
        (<Node>top_node(p.levels)).resumed -= 1


cdef void closes(Pseudothread p) noexcept:
    """The innermost was closed."""
    if goes_on(p) and p.levels.depth:
        (<Node>top_node(p.levels)).closings += 1
        pop_level(p.levels, p.levels.since)


cdef void levels_end(Pseudothread p, bint by_turn) noexcept:
    """The pseudothread has ended, by a turn or because its stack was let go."""
    over(p)
    let_all_go(p, by_turn, p.levels.since)


cdef void let_levels_go(Pseudothread p) noexcept:
    """The pseudothread is let go before its end."""
    if goes_on(p) and p.top != NULL and p.levels.depth:
        follow(p)
    let_all_go(p, False, (<Collector>p.levels.collector).last)


cdef void let_all_go(Pseudothread p, bint by_turn, long long now) noexcept:
    cdef Levels* levels = p.levels
    cdef bint counted = goes_on(p)
    cdef unsigned int level, count = levels.depth
    for level in range(count):
        if counted:
            if not by_turn or levels.depth < count:
                (<Node>top_node(levels)).closings += 1
            pop_level(levels, now)
        else:
            levels.depth -= 1
            (<Node>levels.levels[levels.depth].node).living -= 1
            Py_DECREF(<object>levels.levels[levels.depth].node)
    free_levels(p)


cdef void parks(Pseudothread p) noexcept:
    """It is parked from the end of its last resume on."""
    over(p)
    p.levels.waiting = IS_PARKED


cdef void woke(Pseudothread p) noexcept:
    """It is parked no more, but queued. From any thread: so it is counted when it is resumed."""
    if goes_on(p):
        p.levels.woken_at = read_clock(p.levels.collector)
        p.levels.since_run, p.levels.turn = elapsed_run(p.levels.collector, p.levels.woken_at), last_turn(<Collector>p.levels.collector)
        p.levels.woken = True


cdef void waited(Levels* levels, long long now) noexcept:
    """Count how it waited up to now."""
    cdef PyObject* node = top_node(levels)
    cdef PyObject* collector = levels.collector
    if levels.waiting == IS_PARKED:
        (<Node>node).was_parked += max(0, (levels.woken_at if levels.woken else now) - levels.since)
        if levels.woken:
            add_ready(levels, now)
    elif levels.turn != (<Collector>collector).turn:  # else nobody ran meanwhile
        add_ready(levels, now)
    else:
        return
    if (<Collector>collector).room and now > levels.since:
        note_event(<Collector>collector, True, levels, node, levels.since, now - levels.since)


cdef void settle_all(Collector collector) noexcept:
    """Bring the counts and the times of all that is live up to now. No garbage is collected meanwhile: it might be one of them."""
    if not collector.bound:
        return
    cdef long long now = read_clock(<PyObject*>collector)
    if collector.inside:
        charge(<PyObject*>collector, now)
        collector.ran = now - collector.offset
    cdef int collecting = PyGC_Disable()
    cdef Levels* levels = collector.first
    while levels != NULL:
        if goes_on(<Pseudothread>levels.p):
            follow(<Pseudothread>levels.p)
            settle_levels(levels, now)
        levels = levels.nearby[1]
    if collecting:
        PyGC_Enable()


cdef void settle_levels(Levels* levels, long long now) noexcept:
    cdef unsigned int level
    for level in range(levels.depth):
        (<Node>levels.levels[level].node).spanned += now - levels.levels[level].pushed
        levels.levels[level].pushed = now
    if levels.waiting and levels.depth:  # without memory for its stack it has no node
        waited(levels, now)
        if levels.woken:
            levels.waiting, levels.woken = IS_READY, False
        levels.since, levels.since_run = now, elapsed_run(levels.collector, now)


# Their beginning and their end.

cdef bint see(Pseudothread p, long long now, bint older) noexcept:
    """Make the Levels of `p`, which is new or older than the collecting. Return False if there is no memory for it."""
    cdef bint counted = p.levels != NULL and p.levels.depth == p.depth + p.levels.linked + 1
    p.special |= COLLECTED
    if not new_levels(p, now):
        p.special &= ~COLLECTED
        return False
    count_in(p, now, older, counted)
    if p.levels.depth == 0:
        p.special &= ~COLLECTED
    return p.levels.depth != 0


cdef bint new_levels(Pseudothread p, long long now) noexcept:
    cdef Levels* levels = <Levels*>PyMem_Calloc(1, sizeof(Levels))
    if levels == NULL:
        return False
    if p.levels != NULL:
        let_all_go(p, False, now)
    levels.collector, levels.p, levels.era = <PyObject*>p.trampoline.collecting, <PyObject*>p, p.trampoline.era
    Py_INCREF(<object>levels.collector)
    levels.since, levels.since_run = now, elapsed_run(levels.collector, now)
    levels.waiting, levels.turn = IS_READY, last_turn(<Collector>levels.collector)
    levels.levels, levels.capacity = levels.few, 2
    p.levels = levels
    return True


cdef void count_in(Pseudothread p, long long now, bint older, bint counted) noexcept:
    cdef Levels* levels = p.levels
    cdef Collector collector = <Collector>levels.collector
    collector.number += 1
    levels.number = collector.number
    levels.nearby[1] = collector.first
    if collector.first != NULL:
        collector.first.nearby[0] = levels
    collector.first = levels
    try:
        stack = (<object>p).stack
        levels.linked = len(stack) - p.depth - 1
        for coroutine in stack:
            begun = older and (counted or <PyObject*>coroutine != p.top or has_begun(coroutine))
            push_level(levels, <PyObject*>coroutine, now, begun)
    except BaseException as error:  # no memory, or Ctrl-C
        keep_failure(collector, error)


cdef void free_levels(Pseudothread p) noexcept:
    cdef Levels* levels = p.levels
    cdef PyObject* collector = levels.collector
    p.levels = NULL
    if p.trampoline is not None and p.trampoline.straddling == <PyObject*>p:
        p.trampoline.straddling = NULL
    if levels.nearby[0] != NULL:
        levels.nearby[0].nearby[1] = levels.nearby[1]
    elif (<Collector>collector).first == levels:
        (<Collector>collector).first = levels.nearby[1]
    if levels.nearby[1] != NULL:
        levels.nearby[1].nearby[0] = levels.nearby[0]
    if levels.levels != levels.few:
        PyMem_Free(levels.levels)
    PyMem_Free(levels)
    Py_DECREF(<object>collector)
