"""What follows a turn: the queue, an overridden `schedule`, or a suspension. Part of `_ctrampoline.pyx`."""


cdef inline PyObject* go_on(BaseTrampoline t, Pseudothread p) noexcept:
    """Queue `p` for its next turn, by way of `schedule` where that is overridden. Return an error or NULL."""
    return go_on_first(t, p, False)


cdef PyObject* go_on_first(BaseTrampoline t, Pseudothread p, bint first) noexcept:
    """The same, ahead of all others if `first` and the queue is ours."""
    if t.overridden:
        return hand_over(t, p)
    cdef bint turned = p.state == RUNNING  # else somebody resumed it
    cdef PyObject* failure = queue_up(t, p, first)
    if failure == NULL:
        return wake_up(t)
    return failure if stands_in_queue(t, p, &failure) else end_unqueued(t, p, turned, failure)


cdef PyObject* go_on_from(BaseTrampoline t, Pseudothread p, PyObject* suspension, char promptly) noexcept:
    """The same for one that was parked for `suspension`. Where it cannot be queued it is parked for that again, and PROMPTLY if so told."""
    if t.overridden:
        return hand_over(t, p)
    cdef PyObject* failure = queue_up(t, p, False)
    if failure == NULL:
        return wake_up(t)
    return failure if stands_in_queue(t, p, &failure) else park_again(t, p, suspension, promptly, failure)


cdef inline PyObject* queue_up(BaseTrampoline t, Pseudothread p, bint first) noexcept:
    """Put `p` into the queue. Return an error or NULL."""
    cdef bint done
    ct_lock(<PyObject*>t)
    if t.own is None:
        p.state = TAKEN
        return queue_elsewhere(t, p)
    p.state = QUEUED
    ct_lock(<PyObject*>t.own)
    done = push_first(t.own, <PyObject*>p) if first else push_last(t.own, <PyObject*>p)
    ct_unlock(<PyObject*>t.own)
    if not done:
        p.state = TAKEN  # who holds it may queue it when there is memory again
    ct_unlock(<PyObject*>t)
    return NULL if done else ct_fetch()


cdef PyObject* queue_elsewhere(BaseTrampoline t, Pseudothread p) noexcept:
    """Put it into a queue that is not ours. `t` is locked; it is not behind this."""
    cdef PyObject* queue = <PyObject*>t.any_queue
    Py_INCREF(<object>queue)
    ct_unlock(<PyObject*>t)
    cdef PyObject* failure = dropped(PyObject_CallMethodOneArg(queue, <PyObject*>word_append, <PyObject*>p))
    Py_DECREF(<object>queue)
    return failure


cdef bint stands_in_queue(BaseTrampoline t, Pseudothread p, PyObject** failure) noexcept:
    """Return whether a queue that failed when `p` was put in has it all the same, as far as that can be seen."""
    cdef bint found = False
    try:
        for entry in t.any_queue:
            if entry is p:
                found = True
                break
    except Exception:
        pass
    except BaseException as error:  # Ctrl-C
        Py_INCREF(error)
        set_result(failure, <PyObject*>error)
    return found


cdef inline PyObject* wake_up(BaseTrampoline t) noexcept:
    """Have `_wait()` end, if it waits. Return an error or NULL."""
    return call_waker(t) if CT_FREE_THREADED or <PyObject*>t.waker != Py_None else NULL  # there the lock is taken first


cdef inline PyObject* waker_of(BaseTrampoline t) noexcept:
    """Return it with a reference: another thread may take it away at any time."""
    ct_lock(<PyObject*>t)
    cdef PyObject* waker = <PyObject*>t.waker
    Py_INCREF(<object>waker)
    ct_unlock(<PyObject*>t)
    return waker


cdef PyObject* call_waker(BaseTrampoline t) noexcept:
    cdef PyObject* waker = waker_of(t)
    cdef PyObject* failure = NULL
    if waker != Py_None:
        failure = dropped(PyObject_CallNoArgs(waker))
    Py_DECREF(<object>waker)
    return failure


cdef PyObject* hand_over(BaseTrampoline t, Pseudothread p) noexcept:
    """Show the continuation of `p` to the overridden `schedule`. Return an error or NULL."""
    cdef PyObject* top = p.top
    cdef PyObject* value
    cdef PyObject* traceback
    cdef PyObject* returned
    cdef PyObject* failure = NULL
    cdef bint turned = p.state == RUNNING  # else somebody resumed it
    stack = shown = ()
    try:
        stack = nest(p)
        shown = (p,)  # it is known by that: when `schedule` comes back, another thread may be showing the next of `p`
        t.handing.append(shown)
    except BaseException as error:
        Py_INCREF(error)
        failure = <PyObject*>error
    ct_lock(<PyObject*>t)
    p.state = TAKEN  # from now on another thread may close it
    if failure != NULL:
        ct_unlock(<PyObject*>t)
        return end_unqueued(t, p, turned, failure)
    cdef bint throwing = (p.special & THROWING) != 0, owing = (p.special & OWED) != 0, promptly = (p.special & PROMPTLY) != 0
    value, p.value, p.special = p.value, NULL, p.special & ~(THROWING | OWED | PROMPTLY)
    Py_INCREF(<object>top)
    ct_unlock(<PyObject*>t)
    if owing:
        value = owed(value)
    elif promptly:  # it cannot be taken back from whoever is shown it
        value = without_pair(value)
    if not throwing:
        returned = PyObject_CallMethodObjArgs(
            <PyObject*>t, <PyObject*>word_schedule, top, <PyObject*>stack, value if value != NULL else Py_None, NULL)
    else:
        traceback = PyException_GetTraceback(value)
        returned = PyObject_CallMethodObjArgs(
            <PyObject*>t, <PyObject*>word_schedule, top, <PyObject*>stack, <PyObject*>Py_TYPE(value), value,
            traceback if traceback != NULL else Py_None, NULL)
        Py_XDECREF(traceback)
    failure = dropped(returned)
    Py_XDECREF(value)
    Py_DECREF(<object>top)
    # Where it is still there what came back, if anything, was another coroutine or stack.
    return end_unqueued(t, p, turned, failure) if unhand(t, shown) else failure


cdef PyObject* end_unqueued(BaseTrampoline t, Pseudothread p, bint turned, PyObject* failure) noexcept:
    """End `p`, whose continuation nobody has taken. Return the `failure`, if there is one, or that of who is told of its end."""
    cdef PyObject* top
    cdef PyObject* value
    cdef PyObject* other
    cdef unsigned int level, depth
    cdef bint good
    ct_lock(<PyObject*>t)
    cdef bint ours = p.state == TAKEN
    if ours:
        p.state = RUNNING  # no turn can be made of it any more
    ct_unlock(<PyObject*>t)
    if not ours:
        return failure
    try:
        nest(p)
    except BaseException:
        pass  # no memory for it: its callers go one by one
    lowest = root(p)
    if turned:
        hold_callers(t, p)
    if p.levels != NULL:
        follow(p)
    linked = p.linked  # goes behind the lock
    ct_lock(<PyObject*>t)
    top, p.top = p.top, NULL
    value, p.value = p.value, NULL
    depth, p.depth = p.depth, 0
    p.linked = None
    ct_unlock(<PyObject*>t)
    for level in range(depth):
        Py_DECREF(<object>p.callers[level])
    end(p, <PyObject*>lowest, NULL, VALUE)
    Py_DECREF(<object>top)
    Py_XDECREF(value)
    other = hand_out(p, &good)
    return first_failure(failure, other)


cdef PyObject* park_again(BaseTrampoline t, Pseudothread p, PyObject* suspension, char promptly, PyObject* failure) noexcept:
    """Have `p`, which could not be queued, be parked for `suspension` as before. Return the `failure`."""
    cdef PyObject* value = NULL
    cdef PyObject* other = NULL
    ct_lock(<PyObject*>t)
    cdef bint parked = p.state == TAKEN and link(t, p)
    if parked:
        value, p.value = p.value, suspension
        Py_INCREF(<object>suspension)
        p.special, p.state = p.special & ~THROWING | promptly, PARKED
        if p.levels != NULL:
            p.levels.woken = False
    ct_unlock(<PyObject*>t)
    Py_XDECREF(value)
    if parked and Py_TYPE(suspension) == <PyTypeObject*>Pseudothread:
        other = join(p, <Pseudothread>suspension)
    elif parked and t.virtual:
        other = note_outside(t, suspension, p)
    Py_XDECREF(other)
    return failure


cdef PyObject* without_pair(PyObject* pair) noexcept:
    """Return the value of a pair whose reference is taken over: it is not taken back any more."""
    cdef PyObject* value = PyTuple_GET_ITEM(pair, 0)
    Py_INCREF(<object>value)
    Py_DECREF(<object>pair)
    return value


cdef tuple handed(BaseTrampoline t, coroutine, stack):
    """Return in what `schedule` is just being shown this continuation, a tuple with the pseudothread, or None."""
    cdef Pseudothread p
    cdef tuple shown
    for shown in list(t.handing) if CT_FREE_THREADED else t.handing:
        p = <Pseudothread>PyTuple_GET_ITEM(<PyObject*>shown, 0)
        if p.top == <PyObject*>coroutine and (p.linked is stack or not p.linked and not stack):
            return shown
    return None


cdef bint unhand(BaseTrampoline t, tuple shown) except -1:
    """Return whether it was still there. No error is made on the way: for that there may be no memory."""
    cdef bint found = False
    ct_lock(<PyObject*>t)
    try:
        for index in range(len(t.handing)):
            if t.handing[index] is shown:
                del t.handing[index]
                found = True
                break
    finally:
        ct_unlock(<PyObject*>t)
    return found


cdef void hold_callers(BaseTrampoline t, Pseudothread p) noexcept:
    """The recipe's closure held the callers, too."""
    cdef PyObject* held = t.held_coroutine
    if held == NULL:
        if p.linked is not None:
            Py_INCREF(p.linked)
            t.held_coroutine = <PyObject*>p.linked
        return
    cdef PyObject* below = PyTuple_Pack(2, p.top, <PyObject*>p.linked)
    cdef PyObject* both = PyTuple_Pack(2, held, below) if below != NULL else NULL
    Py_XDECREF(below)
    if both == NULL:
        PyErr_Clear()
        return
    t.held_coroutine = both
    Py_DECREF(<object>held)


cdef nest(Pseudothread p):
    """Move the callers into nested pairs and return those. Where there is no memory for it they stay where they are."""
    cdef unsigned int level, depth = p.depth
    linked = p.linked if p.linked is not None else ()
    for level in range(depth):
        linked = (<object>p.callers[level], linked)
    if depth:
        ct_lock(<PyObject*>p.trampoline)
        p.linked, p.depth = linked, 0
        ct_unlock(<PyObject*>p.trampoline)
        if p.levels != NULL:
            p.levels.linked += depth
        for level in range(depth):
            Py_DECREF(<object>p.callers[level])  # the pairs have it too
    return linked


cdef PyObject* park(BaseTrampoline t, Pseudothread p) noexcept:
    """Let the suspension arrange for `p` to be resumed. Return the error that leaves run(), or NULL."""
    cdef PyObject* suspension = p.value
    cdef PyObject* failure = NULL
    if p.levels != NULL:
        parks(p)
    cdef bint interrupted = False
    ct_lock(<PyObject*>t)
    cdef bint linked = link(t, p)
    if linked:  # from now on another thread may resume it
        p.state = PARKED
        Py_INCREF(<object>suspension)
        interrupted = (p.special & INTERRUPTED) != 0
        p.special &= ~INTERRUPTED
    ct_unlock(<PyObject*>t)
    if linked:
        if interrupted:
            failure = interruption(t, p)
        if failure == NULL:
            failure = suspend(t, p, suspension)
            if failure != NULL:
                failure = as_if_thrown(failure)
        Py_DECREF(<object>suspension)
        if failure == NULL:
            return NULL
    else:
        failure = ct_fetch()
    return thrown_back(t, p, failure, linked)


cdef PyObject* as_if_thrown(PyObject* error) noexcept:
    """Return the error as as_thrown() leaves it, or what struck meanwhile (Ctrl-C, say)."""
    cdef PyObject* struck = dropped(PyObject_CallFunctionObjArgs(<PyObject*>as_thrown, error, NULL))
    if struck == NULL:
        return error
    Py_DECREF(<object>error)
    return struck


cdef PyObject* thrown_back(BaseTrampoline t, Pseudothread p, PyObject* failure, bint was_parked) noexcept:
    """Throw into `p` what kept it from being parked, or from staying so. Return the error that leaves run(), or NULL."""
    cdef PyObject* suspension
    ct_lock(<PyObject*>t)
    cdef bint parked = p.state == PARKED, running = p.state == RUNNING
    if p.state == ENDED or running and was_parked:  # it was closed, or another thread does so just now
        ct_unlock(<PyObject*>t)
        return failure
    p.special = p.special & ~(PROMPTLY | OWED) | THROWING
    suspension, p.value = p.value, failure  # if it was resumed already, its turn has not come
    if parked:
        unlink(t, p)
        p.state = RUNNING
    ct_unlock(<PyObject*>t)
    failure = NULL
    if parked:
        Py_DECREF(p)
        if t.outside:
            t.outside.discard(p)
    if parked or running:
        if p.levels != NULL:
            woke(p)
        failure = go_on(t, p)
    Py_XDECREF(suspension)
    return failure


cdef inline PyObject* suspend(BaseTrampoline t, Pseudothread p, PyObject* suspension) noexcept:
    cdef PyObject* failure = NULL
    if Py_TYPE(suspension) == ct_sleep_type:
        return fall_asleep(t, p, suspension)
    if Py_TYPE(suspension) == ct_operation_type:
        return begin_operation(p, <ct_Operation*>suspension)
    if Py_TYPE(suspension) == <PyTypeObject*>Pseudothread:
        return join(p, <Pseudothread>suspension)
    if Py_TYPE(suspension) == ct_limit_type:
        return begin_limit(t, p, suspension)
    if Py_TYPE(suspension) == ct_read_type:
        return begin_to_read(t, p, suspension)
    if t.virtual:
        failure = note_outside(t, suspension, p)
    return failure if failure != NULL else dropped(PyObject_CallMethodOneArg(suspension, <PyObject*>word_suspend, <PyObject*>p))


cdef PyObject* note_outside(BaseTrampoline t, PyObject* suspension, Pseudothread p) noexcept:
    """Note, as the clock is virtual, if something outside will resume `p`. Return an error or NULL."""
    cdef PyObject* failure = NULL
    try:
        if (<object>suspension).external:
            t.outside.add(p)
    except BaseException as error:
        Py_INCREF(error)
        failure = <PyObject*>error
    return failure


cdef PyObject* interruption(BaseTrampoline t, Pseudothread p) noexcept:
    """Return the error that `p` gets in place of being parked, or NULL."""
    cdef PyObject* error = PyObject_CallMethodOneArg(<PyObject*>t, <PyObject*>word_interruption, <PyObject*>p)
    if error == NULL:
        return ct_fetch()
    if error == Py_None:
        Py_DECREF(<object>error)
        return NULL
    return error


cdef PyObject* withdraw(PyObject* suspension, Pseudothread p) noexcept:
    if Py_TYPE(suspension) == <PyTypeObject*>Pseudothread:
        return NULL  # forget() did it
    return dropped(PyObject_CallMethodOneArg(suspension, <PyObject*>word_withdraw, <PyObject*>p))


cdef inline void forget(BaseTrampoline t, Pseudothread p, PyObject* suspension) noexcept:
    """Have nothing know any more that `p` was parked for that."""
    if t.outside:
        t.outside.discard(p)
    if Py_TYPE(suspension) == <PyTypeObject*>Pseudothread:
        leave_joiners(<Pseudothread>suspension, p)
