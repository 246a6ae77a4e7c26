"""Who waits at the two ends of a channel, and what the core asks of its operations. Part of `_ctrampoline.pyx`.

A list has its links in the operations (`_operation.h`), and a reference of each.
"""

cdef inline ct_Operation* first(Channel channel, ct_Operation** ends, PyObject** failure) noexcept:
    """Return the first operation that somebody still waits for, or NULL. An error if it does so in another thread."""
    cdef PyObject* p
    while ends[0] != NULL:
        p = ends[0].pseudothread
        if p != NULL and (<Pseudothread>p).state == PARKED and (<Pseudothread>p).value == <PyObject*>ends[0]:
            if (<Pseudothread>p).trampoline.thread is not None:
                if PyLong_AsUnsignedLong(<PyObject*>(<Pseudothread>p).trampoline.thread) != PyThread_get_thread_ident():
                    failure[0] = refused_thread(channel, <Pseudothread>p)
            return ends[0]
        unchain(ends, ends[0])  # somebody else has resumed it
    return NULL


cdef PyObject* refused_thread(Channel channel, Pseudothread p) noexcept:
    return made_now(in_two_threads, channel, p)


cdef ct_Operation* first_of(Channel channel, ct_Operation** ends) except? NULL:
    cdef PyObject* failure = NULL
    cdef ct_Operation* operation = first(channel, ends, &failure)
    if failure != NULL:
        error = <object>failure
        Py_DECREF(error)
        raise error
    return operation


cdef PyObject* hand(ct_Operation** ends, ct_Operation* operation, PyObject* value) noexcept:
    """Resume who waits for `operation`, which stands between these ends if they are not NULL. Return an error or NULL."""
    cdef Pseudothread p = <Pseudothread>operation.pseudothread
    cdef PyObject* pair
    if value == NULL:  # of that nothing is to be taken back
        Py_INCREF(None)
        pair = Py_None
        p.special &= ~PROMPTLY
    else:
        pair = PyTuple_Pack(2, value, <PyObject*>operation)
        if pair == NULL:
            return ct_fetch()
    p.value, p.state = pair, TAKEN  # the reference that it had of the operation goes at the end
    if ends != NULL:
        unchain(ends, operation)
    unlink(p.trampoline, p)
    if p.levels != NULL:
        woke(p)
    p.trampoline.leaving += 1
    cdef PyObject* failure = go_on(p.trampoline, p)
    p.trampoline.leaving -= 1
    Py_DECREF(<object>operation)
    return failure


cdef object taken(ct_Operation** ends, ct_Operation* operation):
    """Take the operation from those that are waited for. Return who waits for it."""
    pseudothread = <object>operation.pseudothread
    Py_CLEAR(operation.pseudothread)
    unchain(ends, operation)
    return pseudothread


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
    operation.waits = False
    Py_DECREF(<object>operation)


cdef void drop_waiters(Channel channel) noexcept:
    while channel.putters[0] != NULL:
        unchain(channel.putters, channel.putters[0])
    while channel.getters[0] != NULL:
        unchain(channel.getters, channel.getters[0])


cdef int waiting_at(ct_Operation** ends):
    cdef ct_Operation* operation = ends[0]
    cdef int count = 0
    while operation != NULL:
        count += is_waiting(operation)
        operation = operation.after
    return count


cdef PyObject* begin_operation(Pseudothread p, ct_Operation* operation) noexcept:
    """Do what `suspend()` of `operation` does, without a call of that or of `resume()`. Return an error or NULL."""
    cdef PyObject* got = NULL
    cdef PyObject* failure
    cdef int how
    if operation.waits:
        return dropped(suspend_operation(<PyObject*>operation, <PyObject*>p))
    set_result(&operation.pseudothread, Py_NewRef(<PyObject*>p))
    how = operate(operation, &got)
    if how == CT_WAIT:
        chain(ends_of(operation), operation)
        return NULL
    if how == CT_FAILED:
        return got
    failure = hand(NULL, operation, got if operation.kind != CT_PUT else NULL)
    Py_DECREF(<object>got)
    return failure


cdef PyObject* suspend_operation(PyObject* self, PyObject* who) noexcept:
    cdef ct_Operation* operation = <ct_Operation*>self
    cdef PyObject* got = NULL
    cdef int how
    if Py_TYPE(who) != <PyTypeObject*>Pseudothread:
        return raise_in_c(made_now(_other_core, <object>operation.channel, <object>who))
    if operation.waits:
        if operation.pseudothread != who and is_waiting(operation):
            return raise_in_c(made_now(_is_shared, <object>self, <object>who))
        unchain(ends_of(operation), operation)  # it was resumed before its time
    Py_INCREF(<object>who)
    set_result(&operation.pseudothread, who)
    how = operate(operation, &got)
    if how == CT_WAIT:
        chain(ends_of(operation), operation)
        Py_INCREF(None)
        return Py_None
    if how == CT_FAILED:
        ct_restore(got)
        return NULL
    value = <object>got
    Py_DECREF(value)
    return PyObject_CallMethodOneArg(who, <PyObject*>word_resume, <PyObject*>value)


cdef inline bint is_waiting(ct_Operation* operation) noexcept:
    cdef PyObject* p = operation.pseudothread
    return p != NULL and (<Pseudothread>p).state == PARKED and (<Pseudothread>p).value == <PyObject*>operation


cdef PyObject* raise_in_c(PyObject* error) noexcept:
    ct_restore(error)
    return NULL


def _other_core(channel, who):
    return TypeError(f"{channel!r} is of the core in C, and {who!r} is not")


def _is_shared(operation, who):
    return RuntimeError(f"another pseudothread waits for this {operation!r} already: make one for each")


cdef PyObject* withdraw_operation(PyObject* self, PyObject* who) noexcept:
    cdef ct_Operation* operation = <ct_Operation*>self
    if operation.waits:
        unchain(ends_of(operation), operation)
    Py_CLEAR(operation.pseudothread)
    Py_INCREF(None)
    return Py_None


cdef PyObject* take_back_operation(PyObject* self, PyObject* given) noexcept:
    """Give the value to the next, or put it where it was."""
    cdef ct_Operation* operation = <ct_Operation*>self
    cdef Channel channel = <Channel>operation.channel
    cdef PyObject* failure = NULL
    cdef ct_Operation* getter
    if operation.kind != CT_PUT and operation.pseudothread == PyTuple_GET_ITEM(given, 0):
        Py_CLEAR(operation.pseudothread)
        getter = first(channel, channel.getters, &failure)
        if failure == NULL and getter != NULL:
            failure = hand(channel.getters, getter, PyTuple_GET_ITEM(given, 1))
        elif failure == NULL and not push_first(channel.items, PyTuple_GET_ITEM(given, 1)):
            failure = ct_fetch()
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
