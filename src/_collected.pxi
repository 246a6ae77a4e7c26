"""The end of objects, and what the garbage collector is shown. Whatever is let go is first taken out: its `finally` may look at us.

Part of `_ctrampoline.pyx`.
"""

cdef traverseproc traverse_rest_of_pseudothread = (<PyTypeObject*>Pseudothread).tp_traverse
cdef traverseproc traverse_rest_of_queue = (<PyTypeObject*>Queue).tp_traverse
cdef traverseproc traverse_rest_of_trampoline = (<PyTypeObject*>BaseTrampoline).tp_traverse
cdef traverseproc traverse_rest_of_timers = (<PyTypeObject*>Timers).tp_traverse
cdef traverseproc traverse_rest_of_channel = (<PyTypeObject*>Channel).tp_traverse
cdef clear_function clear_rest_of_pseudothread = <clear_function>(<PyTypeObject*>Pseudothread).tp_clear
cdef clear_function clear_rest_of_queue = <clear_function>(<PyTypeObject*>Queue).tp_clear
cdef clear_function clear_rest_of_trampoline = <clear_function>(<PyTypeObject*>BaseTrampoline).tp_clear
cdef clear_function clear_rest_of_timers = <clear_function>(<PyTypeObject*>Timers).tp_clear


cdef int traverse_pseudothread(PyObject* self, visitproc visit, void* argument) noexcept:
    cdef unsigned int level
    cdef int stop = show((<Pseudothread>self).top, visit, argument) or show((<Pseudothread>self).value, visit, argument)
    if (<Pseudothread>self).levels != NULL:
        stop = stop or show((<Pseudothread>self).levels.collector, visit, argument)
    for level in range((<Pseudothread>self).depth):
        if stop:
            return stop
        stop = show((<Pseudothread>self).callers[level], visit, argument)
    return stop or traverse_rest_of_pseudothread(self, visit, argument)


cdef int clear_pseudothread(PyObject* self) noexcept:
    if (<Pseudothread>self).levels != NULL:
        let_levels_go(<Pseudothread>self)
    drop_stack(<Pseudothread>self)
    return clear_rest_of_pseudothread(self)


cdef int clear_node(PyObject* self) noexcept:
    """What it knows below it may go; what Levels and other nodes rely on stays, as turns may be made while garbage is collected."""
    (<Node>self).last_code = NULL
    (<Node>self).last = None
    return 0


cdef int traverse_queue(PyObject* self, visitproc visit, void* argument) noexcept:
    cdef size_t index
    cdef int stop = 0
    for index in range((<Queue>self).count):
        stop = show((<Queue>self).ring[((<Queue>self).head + index) & (<Queue>self).mask], visit, argument)
        if stop:
            return stop
    return traverse_rest_of_queue(self, visit, argument)


cdef int clear_queue(PyObject* self) noexcept:
    drop_entries(<Queue>self)
    return clear_rest_of_queue(self)


cdef int traverse_channel(PyObject* self, visitproc visit, void* argument) noexcept:
    cdef ct_Operation* operation = (<Channel>self).putters[0]
    cdef int stop = 0
    while operation != NULL and not stop:
        stop = show(<PyObject*>operation, visit, argument)
        operation = operation.after
    operation = (<Channel>self).getters[0]
    while operation != NULL and not stop:
        stop = show(<PyObject*>operation, visit, argument)
        operation = operation.after
    return stop or traverse_rest_of_channel(self, visit, argument)


cdef int clear_channel(PyObject* self) noexcept:
    drop_waiters(<Channel>self)
    return 0  # its items go with themselves: it may still be asked for them


cdef int traverse_trampoline(PyObject* self, visitproc visit, void* argument) noexcept:
    cdef int stop = show((<BaseTrampoline>self).held_coroutine, visit, argument) or show((<BaseTrampoline>self).held_sent, visit, argument)
    stop = stop or show((<BaseTrampoline>self).by_hand, visit, argument)
    cdef PyObject* p = (<BaseTrampoline>self).first_parked
    while p != NULL and not stop:
        stop = show(p, visit, argument)
        p = (<Pseudothread>p).nearby[1]
    return stop or traverse_rest_of_trampoline(self, visit, argument)


cdef int clear_trampoline(PyObject* self) noexcept:
    drop_parked(<BaseTrampoline>self)
    release(<BaseTrampoline>self)
    cdef Collector collecting = (<BaseTrampoline>self).collecting  # what its pseudothreads count by, who go later
    cdef int failed = clear_rest_of_trampoline(self)
    (<BaseTrampoline>self).collecting = collecting
    return failed


cdef int traverse_timers(PyObject* self, visitproc visit, void* argument) noexcept:
    cdef size_t index
    cdef int stop = 0
    for index in range((<Timers>self).count):
        stop = show((<Timers>self).heap[index].item, visit, argument)
        if stop:
            return stop
    return traverse_rest_of_timers(self, visit, argument)


cdef int clear_timers(PyObject* self) noexcept:
    drop_deadlines(<Timers>self)
    return clear_rest_of_timers(self)


(<PyTypeObject*>Pseudothread).tp_traverse = <traverseproc>traverse_pseudothread
(<PyTypeObject*>Pseudothread).tp_clear = <inquiry>clear_pseudothread
(<PyTypeObject*>Queue).tp_traverse = <traverseproc>traverse_queue
(<PyTypeObject*>Queue).tp_clear = <inquiry>clear_queue
(<PyTypeObject*>Node).tp_clear = <inquiry>clear_node
(<PyTypeObject*>Channel).tp_traverse = <traverseproc>traverse_channel
(<PyTypeObject*>Channel).tp_clear = <inquiry>clear_channel
(<PyTypeObject*>BaseTrampoline).tp_traverse = <traverseproc>traverse_trampoline
(<PyTypeObject*>BaseTrampoline).tp_clear = <inquiry>clear_trampoline
(<PyTypeObject*>Timers).tp_traverse = <traverseproc>traverse_timers
(<PyTypeObject*>Timers).tp_clear = <inquiry>clear_timers
