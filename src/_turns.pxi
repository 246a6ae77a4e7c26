"""The run loop, its turns and the end of a pseudothread. Part of `_ctrampoline.pyx`."""


cdef PyObject* loop(BaseTrampoline t, PyObject** result) noexcept:
    """Make turns. Return the error that leaves run(), or NULL."""
    cdef PyObject* entry
    cdef PyObject* failure = NULL
    cdef Queue queue
    cdef int look = TURNS
    cdef bint alive  # asked before the queue: another thread takes one out of what is parked, and then queues it
    cdef bint claimed
    while ct_flag(&t.running):
        if t.era:
            failure = between_turns(t)
            if failure != NULL:
                break
        queue = own_queue(t)
        claimed = False
        entry = failure = NULL
        ct_lock(<PyObject*>t)
        alive = t.first_parked != NULL or t.leaving and others_leave(t)
        if queue is None:
            ct_unlock(<PyObject*>t)
            failure = take_foreign(t, &entry)
        else:
            ct_lock(<PyObject*>queue)
            if queue.count:
                t.alone = not t.overridden and (not CT_FREE_THREADED or t.running)  # another thread may just have stopped it
                entry = take(queue)
                if is_ours(t, entry):  # it is running already, as between two turns of advance()
                    (<Pseudothread>entry).state = RUNNING
                    claimed = True
            ct_unlock(<PyObject*>queue)
            ct_unlock(<PyObject*>t)
        if entry == NULL:
            if failure != NULL or not alive:
                break
            if t.held_coroutine != NULL or t.held_sent != NULL:
                release(t)  # a run() that waits holds nothing of its last turn; what ends now may queue something
            elif may_jump(t) and jumps(t, &failure):
                pass
            elif failure != NULL or not waits(t, &failure):
                break
            continue
        if claimed:
            set_turn(t, &entry)  # what is let go now sees it
        release(t)
        if Py_TYPE(entry) != <PyTypeObject*>Pseudothread:
            look -= 1
            if t.era:
                t.collecting.turn += 1  # somebody runs while others are queued
            failure = call_entry(t, entry, result)
        elif (<Pseudothread>entry).state == ENDED and (<Pseudothread>entry).value == NULL:
            Py_DECREF(<object>entry)  # closed while it stood in a queue that is not ours
            set_result(result, NULL)
        elif (<Pseudothread>entry).trampoline is not t:
            taken_out(<Pseudothread>entry)
            failure = call_entry(t, entry, result)
        else:
            # The last entry's result goes when one more turn was made, as the recipe's does.
            set_turn(t, &entry)
            failure = advance(t, &entry, queue if result[0] == NULL or result[0] == Py_None else None, &look, claimed, result)
            set_turn(t, NULL)
            look -= 1  # for a turn that ended in a wait
            Py_DECREF(<object>entry)
        if failure != NULL:
            break
        if look > FEW and (ct_pointer(&t.first_parked) != NULL or t.limits):
            look = FEW
        if look <= 0:
            look = TURNS
            if PyErr_CheckSignals() < 0:  # between turns of Cython's generators nobody else asks
                failure = ct_fetch()
            else:
                failure = look_around(t) if ct_pointer(&t.first_parked) != NULL or t.limits else NULL
            if failure != NULL:
                break
    return failure


cdef inline bint may_jump(BaseTrampoline t) noexcept:
    """Return whether nothing but the next deadline of a virtual clock can queue anything."""
    return t.virtual and t.timers is not None and t.timers.alone and not t.outside and not leaving_in(t) and not elsewhere_in(t)


cdef inline bint jumps(BaseTrampoline t, PyObject** failure) noexcept:
    """Have virtual time pass. Return whether there was a deadline, and all went well."""
    cdef bint jumped
    failure[0] = jump_to_next(t.timers, &jumped)
    return jumped and failure[0] == NULL


cdef PyObject* look_around(BaseTrampoline t) noexcept:
    """Look at what waits if it is time to. Return an error or NULL."""
    cdef PyObject* now = PyObject_CallNoArgs(<PyObject*>monotonic)
    if now == NULL:
        return ct_fetch()
    cdef double seconds = PyFloat_AsDouble(now)
    Py_DECREF(<object>now)
    if seconds < t.look_at:
        return NULL
    t.look_at = seconds + INTERVAL
    return dropped(PyObject_CallMethodNoArgs(<PyObject*>t, <PyObject*>word_look))


cdef inline Queue own_queue(BaseTrampoline t):
    """Return its queue, if that is one of ours, else None."""
    cdef PyObject* own
    if not CT_FREE_THREADED:
        return t.own
    ct_lock(<PyObject*>t)
    own = <PyObject*>t.own
    Py_INCREF(<object>own)
    ct_unlock(<PyObject*>t)
    queue = <Queue>own
    Py_DECREF(queue)
    return queue


cdef inline void set_turn(BaseTrampoline t, PyObject** turn) noexcept:
    ct_lock(<PyObject*>t)
    t.turn = turn
    ct_unlock(<PyObject*>t)


cdef PyObject* advance(BaseTrampoline t, PyObject** current, Queue queue, int* look, bint claimed, PyObject** result) noexcept:
    """Make turns of `current`, and of what else stands in the `queue` while that is pseudothreads of `t`; one turn, if the queue is None.

    It is running already if it is `claimed`.
    `current` is then the pseudothread that had the last turn; its state says how that ended. Return the error that leaves run(), or NULL.
    """
    global ct_promptly
    cdef PyObject* p = current[0]
    cdef PyObject* top
    cdef PyObject* sent
    cdef PyObject* next_sent
    cdef PyObject* let_go
    cdef PyObject* got
    cdef PyObject* failure
    cdef int outcome, promptly = ct_promptly
    cdef bint good
    ct_lock(<PyObject*>t)
    if (<Pseudothread>p).state > TAKEN and not claimed:
        ct_unlock(<PyObject*>t)
        return refuse(<Pseudothread>p, "call")
    (<Pseudothread>p).state = RUNNING
    top, next_sent = (<Pseudothread>p).top, (<Pseudothread>p).value
    (<Pseudothread>p).value = NULL
    ct_unlock(<PyObject*>t)
    while True:
        sent, next_sent, let_go = next_sent, NULL, NULL
        ct_promptly = MOST_PROMPT
        if (PyGen_CheckExact(top) or PyCoro_CheckExact(top)) and not (<Pseudothread>p).special & ODD:
            outcome = send_to_generator(top, sent, &got)
        else:
            outcome = resume(<Pseudothread>p, top, sent, &got)
        if outcome == NEXT:
            if PyGen_CheckExact(got):
                outcome = CALL
            else:
                outcome = meaning_in(top, &got)
                if outcome > ERROR or outcome == CALL and t.asks:
                    (<Pseudothread>p).value = sent  # its address would keep it out of a register
                    outcome = looked_at_again(t, <Pseudothread>p, outcome, &got)
                    sent, (<Pseudothread>p).value = (<Pseudothread>p).value, NULL
        ct_lock(<PyObject*>t)  # from here on until another is about to be resumed, but for what is odd
        if outcome == CALL and ((<Pseudothread>p).depth < (<Pseudothread>p).capacity or grow(<Pseudothread>p)):
            (<Pseudothread>p).callers[(<Pseudothread>p).depth] = top
            (<Pseudothread>p).depth = (<Pseudothread>p).depth + 1  # `+= 1` would take a reference of p's meanwhile
            (<Pseudothread>p).top = top = got
        elif outcome == VALUE and (<Pseudothread>p).depth:
            (<Pseudothread>p).depth = (<Pseudothread>p).depth - 1
            let_go, top = top, (<Pseudothread>p).callers[(<Pseudothread>p).depth]
            (<Pseudothread>p).top = top
            next_sent = got
        else:
            ct_unlock(<PyObject*>t)
            outcome = odd_turn(<Pseudothread>p, outcome, got, &next_sent, &let_go)
            if outcome != NEXT:
                break
            ct_lock(<PyObject*>t)
            top = (<Pseudothread>p).top
        outcome = NEXT
        if queue is None or not t.alone:
            break
        look[0] -= 1
        if look[0] <= 0:
            break
        if ct_size(&queue.count):
            ct_lock(<PyObject*>queue)
            if CT_FREE_THREADED and not queue.count or not is_ours(t, queue.ring[queue.head]):
                ct_unlock(<PyObject*>queue)
                break
            (<Pseudothread>p).value = next_sent
            (<Pseudothread>p).state = QUEUED
            current[0] = p = rotate(queue, p)
            ct_unlock(<PyObject*>queue)
            top, next_sent = (<Pseudothread>p).top, (<Pseudothread>p).value
            (<Pseudothread>p).state = RUNNING
            (<Pseudothread>p).value = NULL
        ct_unlock(<PyObject*>t)
        Py_XDECREF(sent)
        Py_XDECREF(let_go)
    if outcome == NEXT:
        ct_unlock(<PyObject*>t)
    ct_promptly = promptly
    ct_put(&t.held_coroutine, let_go)
    ct_put(&t.held_sent, sent)
    failure = NULL
    if outcome == NEXT:
        (<Pseudothread>p).value = next_sent
        failure = go_on(t, <Pseudothread>p)
    elif outcome == WAIT:
        failure = park(t, <Pseudothread>p)
    else:
        if (<Pseudothread>p).nearby[0] != NULL or (<Pseudothread>p).special & SPAWNED:
            failure = hand_out(<Pseudothread>p, &good)
            if failure != NULL or outcome == ERROR and good:
                set_result(result, NULL)
                return failure
        Py_XINCREF((<Pseudothread>p).value)
        if outcome == VALUE:
            set_result(result, (<Pseudothread>p).value)
            return NULL
        failure = (<Pseudothread>p).value
        if look != NULL:  # not called by hand
            failure = noted(<Pseudothread>p, failure)
    set_result(result, NULL)
    return failure


cdef int odd_turn(Pseudothread p, int outcome, PyObject* got, PyObject** next_sent, PyObject** let_go) noexcept:
    """What follows a turn that was no plain call or result. Return NEXT if another turn shall follow, else WAIT, VALUE or ERROR."""
    if outcome == WAIT:
        p.value = got
        return WAIT
    if outcome == GIVE:
        next_sent[0] = spawned(p, got)
        return NEXT
    if outcome == CALL:  # no memory for it: the error goes to who wanted to make the call
        Py_DECREF(<object>got)
        next_sent[0] = ct_fetch()
        p.special |= THROWING
        return NEXT
    if outcome == ERROR:
        outcome = caught(&got)
    let_go[0] = p.top
    if outcome == TAIL and p.trampoline.asks and not PyGen_CheckExact(got):
        outcome = rooted(p.trampoline, &got)
    if p.levels != NULL and outcome != VALUE:
        if outcome == ERROR:
            failed(p)
        else:
            replaced(p, got)
    if outcome == TAIL:
        ct_lock(<PyObject*>p.trampoline)
        p.top = got
        ct_unlock(<PyObject*>p.trampoline)
        return NEXT
    if not pop(p):
        end(p, let_go[0], got, outcome)
        return outcome
    next_sent[0] = got
    if outcome == ERROR:
        passes_level(p.trampoline, next_sent)
        p.special |= THROWING
    return NEXT


cdef inline void passes_level(BaseTrampoline t, PyObject** error) noexcept:
    """Have the traceback of an error shortened at every MANY_LEVELSth. What strikes meanwhile (Ctrl-C, say) goes on in its place."""
    t.passed = t.passed + 1
    if t.passed % MANY_LEVELS:
        return
    cdef PyObject* struck = dropped(PyObject_CallFunctionObjArgs(<PyObject*>shorten, error[0], NULL))
    if struck != NULL:
        Py_DECREF(<object>error[0])
        error[0] = struck


cdef void end(Pseudothread p, PyObject* root, PyObject* got, int outcome) noexcept:
    cdef PyObject* name = NULL
    if p.levels != NULL:
        levels_end(p, got != NULL)
    if outcome == ERROR:
        remember(p, got)
    # If nobody but the run loop has it, nobody is left to ask for its name.
    if CT_FREE_THREADED or outcome == ERROR or PyTuple_CheckExact(<PyObject*>p.about) or Py_REFCNT(<PyObject*>p) > 1:
        name = name_to_keep(p, root)
    about = p.about  # goes behind the lock
    ct_lock(<PyObject*>p.trampoline)
    p.state = ENDED
    free_callers(p)
    p.nearby[0] = joiners_off(p)  # hand_out() is called next
    p.value = got
    p.special = p.special & SPAWNED | (THROWING if outcome == ERROR else 0)
    if name != NULL:
        keep_name(p, name)
    ct_unlock(<PyObject*>p.trampoline)
    Py_XDECREF(name)


cdef PyObject* name_to_keep(Pseudothread p, PyObject* root) noexcept:
    """Nothing of the user's in Python runs here, so no Ctrl-C can strike: it would be lost."""
    cdef PyObject* name = detail(p, NAME)
    if name != NULL:
        Py_INCREF(<object>name)
        return name
    name = PyObject_GetAttr(root, <PyObject*>word_qualname)
    if name == NULL or PyObject_IsTrue(name) <= 0:
        PyErr_Clear()
        Py_XDECREF(name)
        name = PyObject_GetAttr(<PyObject*>Py_TYPE(root), <PyObject*>word_qualname)
    if name == NULL:
        PyErr_Clear()
    return name


cdef void keep_name(Pseudothread p, PyObject* name) noexcept:
    cdef PyObject* code = detail(p, CODE)
    cdef PyObject* about = PyTuple_Pack(4, name, Py_None, code if code != NULL else Py_None, Py_None)
    if about == NULL:
        PyErr_Clear()  # no memory for it: then it has no name
        return
    p.about = <object>about
    Py_DECREF(<object>about)


cdef PyObject* take_foreign(BaseTrampoline t, PyObject** entry) noexcept:
    """Take the first entry of a queue that is not ours, NULL if it is empty. Return an error or NULL."""
    entry[0] = NULL
    cdef int some = PyObject_IsTrue(<PyObject*>t.any_queue)
    if some > 0:
        entry[0] = PyObject_CallMethodNoArgs(<PyObject*>t.any_queue, <PyObject*>word_popleft)
    return ct_fetch() if some < 0 or (some and entry[0] == NULL) else NULL


cdef PyObject* call_entry(BaseTrampoline t, PyObject* entry, PyObject** result) noexcept:
    """Call an entry that is not a pseudothread of `t`, whose reference is taken over. Return an error or NULL."""
    cdef bint good = PyCallable_Check(entry)  # of a queue that is not ours it may be anything
    cdef PyObject* returned = PyObject_CallNoArgs(entry) if good else raised_now(no_entry, <object>entry, None)
    ct_put(&t.held_coroutine, entry)
    if not good:
        return returned
    if returned == NULL:
        return ct_fetch()
    set_result(result, returned)
    return NULL


cdef bint waits(BaseTrampoline t, PyObject** failure) noexcept:
    """Wait until something is queued. Return whether there is anything to run again."""
    cdef PyObject* reactor = plain_reactor(t)
    if reactor != NULL:
        failure[0] = wait_for_files(t, reactor)
        return failure[0] == NULL
    cdef PyObject* returned = PyObject_CallMethodNoArgs(<PyObject*>t, <PyObject*>word_wait)
    cdef int again = PyObject_IsTrue(returned) if returned != NULL else -1
    if again < 0:
        failure[0] = ct_fetch()
    Py_XDECREF(returned)
    return again > 0
