"""Class Channel, and what its operations do. Part of `_ctrampoline.pyx`."""


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
    return made_now(closed_channel, verb, channel)
