"""Class Channel, and what its operations do: as in `trampoline/_channel.py`. Part of `_ctrampoline.pyx`.

Who waits stands in a list whose links are in the operations (`_operation.h`), and which has a reference of each.
"""


@cython.final
@cython.trashcan(True)
cdef class Channel:
    """Hands values from pseudothreads that `put()` to those that `get()`, each to one of them: first in, first out.

    It has room for `size` values, without a limit if that is None; with 0 whoever puts waits for one who gets. `close()` says that no more
    will come. TypeError if `size` is no integer, ValueError if it is below zero.
    """

    __class_getitem__ = classmethod(GenericAlias)

    def __cinit__(self, size, /):
        self.room = -1 if size is None else counted("Channel()", size)
        self.items = Queue.__new__(Queue)
        self.items.of_values = True

    def __init__(self, size, /):
        pass

    def __dealloc__(self):
        drop_waiters(self)

    @property
    def size(self):
        """For how many values there is room, or None where that has no limit."""
        return None if self.room < 0 else self.room

    @property
    def closed(self):
        """Whether it is closed; values may be left to be had."""
        return self.is_closed

    def close(self):
        """Close it: what was put can still be had, and nothing more can be put. Whoever waits to put gets ChannelClosed.

        Whoever waits to get is told that it is closed and empty. It may be closed again. RuntimeError from another thread than that of
        those who wait.
        """
        first_of(self, self.putters), first_of(self, self.getters)  # they refuse another thread
        self.is_closed = True
        cdef ct_Operation* operation = first_of(self, self.putters)
        while operation != NULL:
            taken(self.putters, operation).throw(closed_channel("put() into", self))
            operation = first_of(self, self.putters)
        operation = first_of(self, self.getters)
        while operation != NULL:
            default = () if operation.value == NULL else (<object>operation.value,)
            kind = operation.kind
            pseudothread = taken(self.getters, operation)
            if kind == CT_NEXT:
                pseudothread.throw(StopAsyncIteration())
            elif not default:
                pseudothread.throw(closed_channel("get() from", self))
            else:
                pseudothread.resume(default[0])
            operation = first_of(self, self.getters)

    def __aiter__(self):
        return self

    def __anext__(self):
        cdef PyObject* made = ct_operation(<PyObject*>self, NULL, CT_NEXT)
        if made == NULL:
            raise MemoryError
        return give(made)

    def __reduce__(self):
        raise no_copy(self)

    def __repr__(self):
        return tell_channel(self, self.items.count, waiting_at(self.putters), waiting_at(self.getters))


cdef int operate(ct_Operation* operation, PyObject** got) noexcept:
    """Do it, or say that it has to wait: CT_DONE with what it gives, CT_FAILED with the error, CT_WAIT."""
    cdef Channel channel = <Channel>operation.channel
    cdef ct_Operation* waiting
    got[0] = NULL
    if operation.kind == CT_PUT:
        if channel.is_closed:
            got[0] = closed_now("put() into", channel)
            return CT_FAILED
        waiting = first(channel, channel.getters, got)
        if got[0] != NULL:
            return CT_FAILED
        if waiting != NULL:
            got[0] = hand(channel.getters, waiting, operation.value)
        elif channel.room >= 0 and <Py_ssize_t>channel.items.count >= channel.room:
            return CT_WAIT
        elif not push_last(channel.items, operation.value):
            got[0] = ct_fetch()
        if got[0] != NULL:
            return CT_FAILED
        Py_INCREF(None)
        got[0] = Py_None
        return CT_DONE
    waiting = first(channel, channel.putters, got)
    if got[0] != NULL:
        return CT_FAILED
    if channel.items.count:
        if waiting != NULL and <Py_ssize_t>channel.items.count <= channel.room:  # a value that was taken back may be one too many
            if push_last(channel.items, waiting.value):
                got[0] = hand(channel.putters, waiting, NULL)
            else:
                got[0] = ct_fetch()
            if got[0] != NULL:
                return CT_FAILED
        got[0] = take(channel.items)
        return CT_DONE
    if waiting != NULL:
        return take_from(channel, waiting, got)
    return end_of_channel(channel, operation, got) if channel.is_closed else CT_WAIT


cdef int take_from(Channel channel, ct_Operation* putter, PyObject** got) noexcept:
    """Take the value of who waits to put it, as there is no room at all."""
    value = <object>putter.value
    got[0] = hand(channel.putters, putter, NULL)
    if got[0] != NULL:
        return CT_FAILED
    Py_INCREF(value)
    got[0] = <PyObject*>value
    return CT_DONE


cdef int end_of_channel(Channel channel, ct_Operation* operation, PyObject** got) noexcept:
    """What there is to get from a channel that is closed and empty."""
    Py_CLEAR(operation.pseudothread)  # nothing to be taken back
    if operation.kind == CT_NEXT:
        got[0] = PyObject_CallNoArgs(PyExc_StopAsyncIteration)
    elif operation.value == NULL:
        got[0] = closed_now("get() from", channel)
    else:
        got[0] = operation.value
        Py_INCREF(<object>got[0])
        return CT_DONE
    if got[0] == NULL:
        got[0] = ct_fetch()
    return CT_FAILED


cdef PyObject* closed_now(verb, Channel channel) noexcept:
    error = closed_channel(verb, channel)
    Py_INCREF(error)
    return <PyObject*>error


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
    error = in_two_threads(channel, p)
    Py_INCREF(error)
    return <PyObject*>error


cdef ct_Operation* first_of(Channel channel, ct_Operation** ends) except? NULL:
    cdef PyObject* failure = NULL
    cdef ct_Operation* operation = first(channel, ends, &failure)
    if failure != NULL:
        error = <object>failure
        Py_DECREF(error)
        raise error
    return operation


cdef PyObject* hand(ct_Operation** ends, ct_Operation* operation, PyObject* value) noexcept:
    """Resume who waits for `operation`. Return an error or NULL."""
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
    unchain(ends, operation)
    unlink(p.trampoline, p)
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


cdef PyObject* suspend_operation(PyObject* self, PyObject* who) noexcept:
    cdef ct_Operation* operation = <ct_Operation*>self
    cdef PyObject* got = NULL
    cdef int how
    if Py_TYPE(who) != <PyTypeObject*>Pseudothread:
        return raise_in_c(other_core(<object>operation.channel, <object>who))
    if operation.waits:
        if operation.pseudothread != who and is_waiting(operation):
            return raise_in_c(is_shared(<object>self))
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


cdef PyObject* raise_in_c(error) noexcept:
    Py_INCREF(error)
    ct_restore(<PyObject*>error)
    return NULL


cdef other_core(channel, who):
    return TypeError(f"{channel!r} is of the core in C, and {who!r} is not")


cdef is_shared(operation):
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


ct_make_operation(Suspension, Channel, _tell_operation, no_copy, operate, suspend_operation, withdraw_operation, take_back_operation)
del _tell_operation
