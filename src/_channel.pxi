"""Class Channel, and what its operations do. Part of `_ctrampoline.pyx`."""


@cython.final
@cython.trashcan(True)
cdef class Channel:
    """Hands values from pseudothreads that `put()` to those that `get()`, each to one of them: first in, first out.

    It has room for `size` values, without a limit if that is None; with 0 whoever puts waits for one who gets. `close()` says that no more
    will come. TypeError if `size` is no integer, ValueError if it is below zero.
    """

    __class_getitem__ = classmethod(GenericAlias)

    def __cinit__(self, *given, **keywords):
        if len(given) != 1 or keywords:
            raise wrong_size()
        size = given[0]
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
        refuse_others(self, self.putters)
        refuse_others(self, self.getters)
        self.is_closed = True
        cdef ct_Operation* ended
        operation = take_first_waiting(self, self.putters)
        while operation is not None:
            pseudothread = who_waited(self, operation)
            if pseudothread is not None:
                thrown(pseudothread, operation, closed_channel("put() into", self))
            operation = take_first_waiting(self, self.putters)
        operation = take_first_waiting(self, self.getters)
        while operation is not None:
            ended = <ct_Operation*><PyObject*>operation
            pseudothread = who_waited(self, operation)
            if pseudothread is None:  # another thread has just thrown into it
                pass
            elif ended.kind == CT_NEXT:
                thrown(pseudothread, operation, StopAsyncIteration())
            elif ended.value == NULL:
                thrown(pseudothread, operation, closed_channel("get() from", self))
            else:
                resumed(pseudothread, operation, <object>ended.value)
            operation = take_first_waiting(self, self.getters)

    def __aiter__(self):
        return self

    def __anext__(self):
        cdef PyObject* made = ct_operation(<PyObject*>self, NULL, CT_NEXT)
        if made == NULL:
            raise MemoryError
        return give(made)

    __reduce__ = not_copied

    def __repr__(self):
        return tell_channel(self, ct_size(&self.items.count), waiting_at(self, self.putters), waiting_at(self, self.getters))


cdef int operate(ct_Operation* operation, PyObject** got) noexcept:
    """Do it, or say that it has to wait: CT_DONE with what it gives, CT_FAILED with the error, CT_WAIT."""
    if CT_FREE_THREADED:
        return attempt(operation, False, got)
    cdef PyObject* channel = operation.channel
    cdef PyObject* items = <PyObject*>(<Channel>channel).items
    if operation.kind == CT_PUT:
        if (<Channel>channel).room < 0 and (<Channel>channel).getters[0] == NULL and not (<Channel>channel).is_closed:
            if (<Queue>items).ring != NULL and (<Queue>items).count <= (<Queue>items).mask:
                (<Queue>items).ring[((<Queue>items).head + (<Queue>items).count) & (<Queue>items).mask] = Py_NewRef(operation.value)
                (<Queue>items).count = (<Queue>items).count + 1
                got[0] = Py_NewRef(Py_None)
                return CT_DONE
    elif (<Queue>items).count and (<Channel>channel).putters[0] == NULL:
        got[0] = (<Queue>items).ring[(<Queue>items).head]
        (<Queue>items).head = ((<Queue>items).head + 1) & (<Queue>items).mask
        (<Queue>items).count = (<Queue>items).count - 1
        return CT_DONE
    return ct_operate_slowly(operation, got)


cdef int operate_slowly(ct_Operation* operation, PyObject** got) noexcept:
    """Do it, where somebody waits at the other end, or has to wait."""
    return attempt(operation, False, got)


cdef int attempt(ct_Operation* operation, bint waits, PyObject** got) noexcept:
    """The same. If it has to wait and it `waits` it stands behind all others that do so."""
    cdef Channel channel = <Channel>operation.channel
    cdef ct_Operation* stale = NULL
    cdef ct_Operation* other = NULL  # whose pseudothread is `woken` by this
    cdef PyObject* woken = NULL
    cdef PyObject* elsewhere = NULL
    cdef PyObject* failure = NULL
    cdef bint was_closed
    cdef int how
    got[0] = NULL
    ct_lock(operation.channel)
    was_closed = channel.is_closed
    if operation.kind != CT_PUT:
        other = first(channel.putters, &stale, &elsewhere)
        how = CT_FAILED if elsewhere != NULL else get_now(channel, &other, &woken, &stale, got)
    elif was_closed:
        how = CT_FAILED
    else:
        how = put_now(channel, operation.value, &other, &woken, &stale, &elsewhere, got)
    if how == CT_WAIT and waits and (operation.kind == CT_PUT or not was_closed):
        chain(ends_of(operation), operation)
    ct_unlock(operation.channel)
    if stale != NULL:
        drop_stale(stale)
    if elsewhere != NULL:
        got[0] = refused_thread(channel, elsewhere)
    elif woken != NULL:
        failure = queue_handed(<Pseudothread>woken, other)
        if failure != NULL:
            if operation.kind != CT_PUT:
                put_back(channel, got[0])
            set_result(got, failure)
            how = CT_FAILED
    elif how == CT_WAIT and was_closed:
        how = end_of_channel(channel, operation, got)
    elif how == CT_FAILED and got[0] == NULL:
        got[0] = closed_now("put() into", channel)
    return how


cdef void put_back(Channel channel, PyObject* value) noexcept:
    ct_lock(<PyObject*>channel)
    cdef bint done = push_first(channel.items, value)
    ct_unlock(<PyObject*>channel)
    if not done:
        PyErr_Clear()


cdef inline int put_now(Channel channel, PyObject* value, ct_Operation** other, PyObject** woken, ct_Operation** stale,
                        PyObject** elsewhere, PyObject** got) noexcept:
    other[0] = hand_to_first(channel.getters, value, woken, stale, elsewhere, got)
    if got[0] != NULL or elsewhere[0] != NULL:
        return CT_FAILED
    if other[0] == NULL:
        if channel.room >= 0 and <Py_ssize_t>channel.items.count >= channel.room:
            return CT_WAIT
        if not push_last(channel.items, value):
            got[0] = ct_fetch()
            return CT_FAILED
    Py_INCREF(None)
    got[0] = Py_None
    return CT_DONE


cdef inline int get_now(Channel channel, ct_Operation** putter, PyObject** woken, ct_Operation** stale, PyObject** got) noexcept:
    """Take the first value, and put that of who waits to put it behind the others, if there is any other."""
    cdef ct_Operation* waiting = putter[0]
    cdef PyObject* elsewhere = NULL
    cdef PyObject* value
    cdef bint some = channel.items.count != 0
    if not some and waiting == NULL:
        return CT_WAIT
    if some and waiting != NULL and <Py_ssize_t>channel.items.count > channel.room:
        waiting = NULL  # a value that was taken back is one too many
    while waiting != NULL:
        value = waiting.value
        Py_INCREF(<object>value)
        if some and not push_last(channel.items, value):
            Py_DECREF(<object>value)
            got[0] = ct_fetch()
            return CT_FAILED
        if hand(channel.putters, waiting, NULL, woken, got) > 0:
            putter[0] = waiting
            if some:
                Py_DECREF(<object>value)
                break
            got[0] = value
            return CT_DONE
        if some:
            take_last(channel.items)
            Py_DECREF(<object>value)
        Py_DECREF(<object>value)
        waiting = first(channel.putters, stale, &elsewhere)
        if elsewhere != NULL:  # it runs in another thread since just now: the next look refuses it
            Py_DECREF(<object>elsewhere)
    if not some:
        return CT_WAIT
    got[0] = take(channel.items)
    return CT_DONE


cdef int end_of_channel(Channel channel, ct_Operation* operation, PyObject** got) noexcept:
    """What there is to get from a channel that is closed and empty."""
    ct_lock(operation.channel)
    cdef PyObject* who = operation.pseudothread  # nothing to be taken back
    operation.pseudothread = NULL
    ct_unlock(operation.channel)
    Py_XDECREF(who)
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
    return made_now(closed_channel, verb, channel)
