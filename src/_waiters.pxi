"""Who waits at the two ends of a channel, and what the core asks of its operations. Part of `_ctrampoline.pyx`.

A list has its links in the operations (`_operation.h`), and a reference of each. In free-threaded CPython the lock of the channel guards
it, and what the operations have of it; that of a trampoline may be taken under it, never the other way round.
"""

cdef inline ct_Operation* first(ct_Operation** ends, ct_Operation** stale, PyObject** elsewhere) noexcept:
    """Return the first operation that somebody still waits for, or NULL. Those that nobody does are put before the `stale` ones.

    If who waits runs in another thread it is NULL, and `elsewhere` is who, with a reference.
    """
    cdef ct_Operation* operation
    while ends[0] != NULL:
        operation = ends[0]
        if is_waiting(operation):
            if not in_this_thread((<Pseudothread>operation.pseudothread).trampoline):
                elsewhere[0] = operation.pseudothread
                Py_INCREF(<object>elsewhere[0])
                return NULL
            return operation
        unchain(ends, operation)  # somebody else has resumed it
        operation.after = stale[0]
        stale[0] = operation
    return NULL


cdef inline bint in_this_thread(BaseTrampoline t) noexcept:
    """Return whether `t` runs in this thread, or in none."""
    ct_lock(<PyObject*>t)
    cdef bint here = t.thread is None or PyLong_AsUnsignedLong(<PyObject*>t.thread) == PyThread_get_thread_ident()
    ct_unlock(<PyObject*>t)
    return here


cdef void drop_stale(ct_Operation* stale) noexcept:
    cdef ct_Operation* operation
    while stale != NULL:
        operation, stale = stale, stale.after
        operation.after = NULL
        Py_DECREF(<object>operation)


cdef PyObject* refused_thread(Channel channel, PyObject* elsewhere) noexcept:
    cdef PyObject* error = made_now(in_two_threads, channel, <object>elsewhere)
    Py_DECREF(<object>elsewhere)
    return error


cdef int hand(ct_Operation** ends, ct_Operation* operation, PyObject* value, PyObject** given, PyObject** failure) noexcept:
    """Take who waits for `operation` out of what is parked; `given` is who, with a reference, and `queue_handed()` follows.

    Return 0 if another thread was quicker, -1 with an error.
    """
    cdef Pseudothread p = <Pseudothread>operation.pseudothread
    cdef PyObject* pair = Py_None  # of nothing there is nothing to be taken back
    if value != NULL:
        pair = PyTuple_Pack(2, value, <PyObject*>operation)
        if pair == NULL:
            failure[0] = ct_fetch()
            return -1
    else:
        Py_INCREF(None)
    if not claim(p.trampoline, p, <PyObject*>operation, pair, True):
        Py_DECREF(<object>pair)
        return 0
    if value == NULL:
        p.special &= ~PROMPTLY
    if ends != NULL:
        unchain(ends, operation)
        Py_DECREF(<object>operation)  # which the list had; what the pseudothread had of it goes at the end
    given[0] = <PyObject*>p
    return 1


cdef inline ct_Operation* hand_to_first(ct_Operation** ends, PyObject* value, PyObject** woken, ct_Operation** stale, PyObject** elsewhere,
                                        PyObject** failure) noexcept:
    """Do it for the first that waits there. Return its operation, or NULL."""
    cdef ct_Operation* operation = first(ends, stale, elsewhere)
    cdef int how
    while operation != NULL:
        how = hand(ends, operation, value, woken, failure)
        if how:
            return operation if how > 0 else NULL
        operation = first(ends, stale, elsewhere)  # it is stale now
    return NULL


cdef PyObject* queue_handed(Pseudothread p, ct_Operation* operation) noexcept:
    """Queue it. Return an error or NULL."""
    if p.levels != NULL:
        woke(p)
    cdef PyObject* failure = go_on(p.trampoline, p)
    left(p.trampoline)
    Py_DECREF(p)  # which the list of what is parked had
    Py_DECREF(<object>operation)
    return failure


cdef object take_first_waiting(Channel channel, ct_Operation** ends):
    """Take the first operation that somebody waits for from those, and return it, or None. RuntimeError if that is another thread's."""
    cdef ct_Operation* stale = NULL
    cdef PyObject* elsewhere = NULL
    ct_lock(<PyObject*>channel)
    cdef ct_Operation* operation = first(ends, &stale, &elsewhere)
    if operation != NULL:
        unchain(ends, operation)
    ct_unlock(<PyObject*>channel)
    drop_stale(stale)
    if elsewhere != NULL:
        refused_to(channel, elsewhere)
    return give(<PyObject*>operation)


cdef refuse_others(Channel channel, ct_Operation** ends):
    """Raise RuntimeError if the first that waits there is another thread's."""
    cdef ct_Operation* stale = NULL
    cdef PyObject* elsewhere = NULL
    ct_lock(<PyObject*>channel)
    first(ends, &stale, &elsewhere)
    ct_unlock(<PyObject*>channel)
    drop_stale(stale)
    if elsewhere != NULL:
        refused_to(channel, elsewhere)


cdef refused_to(Channel channel, PyObject* elsewhere):
    raise give(refused_thread(channel, elsewhere))


cdef object who_waited(Channel channel, operation):
    """Return who waited for `operation`, which is nobody's any more, or None."""
    cdef ct_Operation* taken = <ct_Operation*><PyObject*>operation
    ct_lock(<PyObject*>channel)
    cdef PyObject* who = taken.pseudothread
    taken.pseudothread = NULL
    ct_unlock(<PyObject*>channel)
    return give(who)


cdef inline ct_Operation** ends_of(ct_Operation* operation) noexcept:
    if operation.kind == CT_PUT:
        return &(<Channel>operation.channel).putters[0]
    return &(<Channel>operation.channel).getters[0]


cdef inline void chain(ct_Operation** ends, ct_Operation* operation) noexcept:
    Py_INCREF(<object>operation)
    operation.waits = True
    operation.before, operation.after = ends[1], NULL
    if ends[1] == NULL:
        ends[0] = operation
    else:
        ends[1].after = operation
    ends[1] = operation


cdef inline void unchain(ct_Operation** ends, ct_Operation* operation) noexcept:
    if operation.before == NULL:
        ends[0] = operation.after
    else:
        operation.before.after = operation.after
    if operation.after == NULL:
        ends[1] = operation.before
    else:
        operation.after.before = operation.before
    operation.waits = False  # the caller takes over the reference that the list had


cdef void drop_waiters(Channel channel) noexcept:
    drop_all(channel.putters)
    drop_all(channel.getters)


cdef void drop_all(ct_Operation** ends) noexcept:
    cdef ct_Operation* operation
    while ends[0] != NULL:
        operation = ends[0]
        unchain(ends, operation)
        Py_DECREF(<object>operation)


cdef int waiting_at(Channel channel, ct_Operation** ends):
    cdef int count = 0
    ct_lock(<PyObject*>channel)
    cdef ct_Operation* operation = ends[0]
    while operation != NULL:
        count += is_waiting(operation)
        operation = operation.after
    ct_unlock(<PyObject*>channel)
    return count


cdef PyObject* begin_operation(Pseudothread p, ct_Operation* operation) noexcept:
    """Do what `suspend()` of `operation` does, without a call of that or of `resume()`. Return an error or NULL."""
    cdef PyObject* got = NULL
    cdef PyObject* given = NULL
    cdef PyObject* failure = NULL
    cdef int how
    if CT_FREE_THREADED or operation.waits:
        return dropped(suspend_operation(<PyObject*>operation, <PyObject*>p))
    set_result(&operation.pseudothread, Py_NewRef(<PyObject*>p))
    how = attempt(operation, True, &got)
    if how == CT_WAIT:
        return NULL
    if how == CT_FAILED:
        return got
    hand(NULL, operation, got if operation.kind != CT_PUT else NULL, &given, &failure)
    Py_DECREF(<object>got)
    return queue_handed(p, operation) if given != NULL else failure


cdef PyObject* suspend_operation(PyObject* self, PyObject* who) noexcept:
    cdef ct_Operation* operation = <ct_Operation*>self
    cdef PyObject* got = NULL
    cdef PyObject* earlier
    cdef bint waits, shared
    cdef int how
    if Py_TYPE(who) != <PyTypeObject*>Pseudothread:
        return raise_in_c(made_now(_other_core, <object>operation.channel, <object>who))
    ct_lock(operation.channel)
    waits, earlier = operation.waits, operation.pseudothread
    shared = waits and earlier != who and is_waiting(operation)
    if not shared:
        if waits:
            unchain(ends_of(operation), operation)  # it was resumed before its time
        Py_INCREF(<object>who)
        operation.pseudothread = who
    ct_unlock(operation.channel)
    if shared:
        return raise_in_c(made_now(_is_shared, <object>self, <object>who))
    Py_XDECREF(earlier)
    if waits:
        Py_DECREF(<object>operation)
    how = attempt(operation, True, &got)
    if how == CT_WAIT:
        Py_INCREF(None)
        return Py_None
    if how == CT_FAILED:
        ct_restore(got)
        return NULL
    cdef PyObject* returned
    if not CT_FREE_THREADED:
        returned = PyObject_CallMethodOneArg(who, <PyObject*>word_resume, got)
    else:  # another thread may have thrown into it just now: then it gets nothing
        returned = PyObject_CallFunctionObjArgs(<PyObject*>resumed, who, self, got, NULL)
        if returned == Py_False and operation.kind != CT_PUT:
            put_back(<Channel>operation.channel, got)
    Py_DECREF(<object>got)
    return returned


cdef inline bint is_waiting(ct_Operation* operation) noexcept:
    cdef PyObject* p = operation.pseudothread
    cdef bint waiting
    if p == NULL:
        return False
    ct_lock(<PyObject*>(<Pseudothread>p).trampoline)
    waiting = (<Pseudothread>p).state == PARKED and (<Pseudothread>p).value == <PyObject*>operation
    ct_unlock(<PyObject*>(<Pseudothread>p).trampoline)
    return waiting


cdef PyObject* raise_in_c(PyObject* error) noexcept:
    ct_restore(error)
    return NULL


def _other_core(channel, who):
    return TypeError(f"{channel!r} is of the core in C, and {who!r} is not")


def _is_shared(operation, who):
    return RuntimeError(f"another pseudothread waits for this {operation!r} already: make one for each")


cdef PyObject* withdraw_operation(PyObject* self, PyObject* who) noexcept:
    cdef ct_Operation* operation = <ct_Operation*>self
    cdef PyObject* earlier = NULL
    ct_lock(operation.channel)
    cdef bint waited = operation.waits and operation.pseudothread == who
    if waited:
        unchain(ends_of(operation), operation)
    if operation.pseudothread == who:
        earlier, operation.pseudothread = operation.pseudothread, NULL
    ct_unlock(operation.channel)
    if waited:
        Py_DECREF(<object>operation)
    Py_XDECREF(earlier)
    Py_INCREF(None)
    return Py_None


cdef PyObject* take_back_operation(PyObject* self, PyObject* arguments) noexcept:
    """Give the value to the next, or put it where it was."""
    cdef ct_Operation* operation = <ct_Operation*>self
    cdef Channel channel = <Channel>operation.channel
    cdef PyObject* failure = NULL
    cdef PyObject* earlier = NULL
    cdef PyObject* elsewhere = NULL
    cdef PyObject* woken = NULL
    cdef ct_Operation* getter = NULL
    cdef ct_Operation* stale = NULL
    cdef PyObject* who
    cdef PyObject* value
    if not PyArg_UnpackTuple(arguments, "take_back", 2, 2, &who, &value):
        return NULL
    ct_lock(operation.channel)
    if operation.kind != CT_PUT and operation.pseudothread == who:
        earlier, operation.pseudothread = operation.pseudothread, NULL
        getter = hand_to_first(channel.getters, value, &woken, &stale, &elsewhere, &failure)
        if getter == NULL and failure == NULL and elsewhere == NULL and not push_first(channel.items, value):
            failure = ct_fetch()
    ct_unlock(operation.channel)
    drop_stale(stale)
    Py_XDECREF(earlier)
    if woken != NULL:
        failure = queue_handed(<Pseudothread>woken, getter)
    if elsewhere != NULL:
        failure = refused_thread(channel, elsewhere)
    if failure != NULL:
        ct_restore(failure)
        return NULL
    Py_INCREF(None)
    return Py_None


cdef tell_operation(operation):
    cdef ct_Operation* told = <ct_Operation*><PyObject*>operation
    if told.kind == CT_PUT:
        return f"put({describe(<object>told.value)}) into {<object>told.channel!r}"
    return f"get() from {<object>told.channel!r}"


def _tell_operation(operation):
    return tell_operation(operation)


ct_make_operation(
    Suspension, Channel, _tell_operation, no_copy, operate, operate_slowly, suspend_operation, withdraw_operation, take_back_operation)
del _tell_operation


def _know_locks(lock, semaphore, held):
    """Take notice of the classes of what can be had, and of what gives it back."""
    ct_know_locks(lock, semaphore, held)
