"""The start of pseudothreads: what `add()`, `schedule()` and `spawn()` share, and what is yielded to spawn one.

Part of `_ctrampoline.pyx`.
"""


cdef check_root(where, coroutine, context):
    """Raise TypeError for what cannot be the root of a pseudothread, or its context."""
    if not resumes(coroutine):
        raise no_coroutine(where, coroutine)
    if context is not None and type(context) is not Context:
        raise TypeError(f"{where} takes a contextvars.Context as its context, not {describe(context)}")


cdef check_stack(coroutine, stack):
    if not resumes(coroutine):
        raise no_coroutine("schedule()", coroutine)
    rest = stack
    while rest:
        if not isinstance(rest, tuple) or len(rest) != 2:
            raise TypeError(f"schedule() takes its stack in nested pairs, (caller, (its caller, ())), not {describe(rest)}")
        if not resumes(rest[0]):
            raise no_coroutine("the stack of schedule()", rest[0])
        rest = rest[1]


cdef describe_root(Pseudothread p, name, context):
    p.about = (name, context, None if detail(p, CODE) == NULL else <object>detail(p, CODE), None)
    if context is not None:
        p.special |= IN_CONTEXT


cdef int note_name(Pseudothread p, lowest) except -1:
    """Note the name of a root that may have forgotten it at its end: any but a generator or coroutine of Python's own."""
    if PyGen_CheckExact(<PyObject*>lowest) or PyCoro_CheckExact(<PyObject*>lowest) or detail(p, NAME) != NULL:
        return 0
    name = own_name_of(lowest)
    if name is not None and not set_detail(p, NAME, <PyObject*>name):
        leave(ct_fetch())
    return 0


cdef PyObject* noted_name(Pseudothread p) noexcept:
    """Do it for one that has its root alone. Return an error or NULL."""
    cdef PyObject* failure = NULL
    try:
        note_name(p, <object>p.top)
    except BaseException as error:
        Py_INCREF(error)
        failure = <PyObject*>error
    return failure


cdef inline place(Pseudothread p):
    """Note where the frame in Python stands that called, before all else about it."""
    cdef PyFrameObject* frame = PyEval_GetFrame()
    if frame != NULL:
        p.about = <object>ct_code(frame)
        Py_DECREF(p.about)
        mark(p, ct_instruction(frame))


cdef object copied_context(Pseudothread p):
    """Return a copy of the context of `p`, or None if it has none."""
    return (<object>detail(p, CONTEXT)).copy() if p.special & IN_CONTEXT else None


cdef PyObject* launch(BaseTrampoline t, Pseudothread p, PyObject** started) noexcept:
    """Queue a new pseudothread, by way of `schedule` where that is overridden, and say what was started. Return an error or NULL."""
    cdef PyObject* top = p.top
    cdef PyObject* failure = NULL if PyGen_CheckExact(top) else noted_name(p)
    if failure != NULL:
        return failure
    if not ct_flag(&t.overridden):
        failure = queue_up(t, p, False)
        if failure == NULL:
            failure = wake_up(t)
        if failure == NULL:
            Py_INCREF(p)
            started[0] = <PyObject*>p
        return failure
    shown = ()
    try:
        shown = (p,)
        t.handing.append(shown)
    except BaseException as error:
        Py_INCREF(error)
        return <PyObject*>error
    Py_INCREF(<object>top)
    started[0] = PyObject_CallMethodOneArg(<PyObject*>t, <PyObject*>word_schedule, top)
    failure = ct_fetch() if started[0] == NULL else NULL
    unhand(t, shown)
    Py_DECREF(<object>top)
    if failure == NULL and Py_TYPE(started[0]) != <PyTypeObject*>Pseudothread:
        Py_DECREF(<object>started[0])
        Py_INCREF(p)
        started[0] = <PyObject*>p
    return failure


@cython.final
@cython.freelist(8)
cdef class Spawning:
    """What `spawn()` returns, to be yielded: it starts a coroutine."""

    def __init__(self, *args, **kwargs):
        raise TypeError("to start a coroutine write yield spawn(coroutine)")

    def __iter__(self):
        return yield_itself(self)

    def __await__(self):
        return yield_itself(self)

    __reduce__ = not_copied

    def __repr__(self):
        return f"spawn({describe(self.coroutine)})" if self.coroutine is not None else "spawn() that was yielded already"


cdef PyObject* spawned(Pseudothread p, PyObject* got) noexcept:
    """Return the pseudothread that `p` starts, or the error that is to be thrown at its yield. The reference of `got` is taken over."""
    cdef PyObject* started = NULL
    cdef PyObject* failure
    cdef Pseudothread child
    cdef Spawning spawning = <Spawning>got
    Py_DECREF(<object>got)
    try:
        child = spawned_by(p, spawning)
        failure = launch(p.trampoline, child, &started)
    except BaseException as error:
        Py_INCREF(error)
        failure = <PyObject*>error
    if failure == NULL:
        return started
    p.special |= THROWING
    return as_if_thrown(failure)


cdef Pseudothread spawned_by(Pseudothread p, Spawning spawning):
    coroutine, spawning.coroutine = spawning.coroutine, None
    if coroutine is None:
        raise RuntimeError("this spawn() was yielded already: write another one for each coroutine that it shall start")
    if p.trampoline.asks and not PyGen_CheckExact(<PyObject*>coroutine):
        coroutine = p.trampoline._root(coroutine)
    cdef Pseudothread child = make(p.trampoline, coroutine)
    child.special |= SPAWNED
    context = copied_context(p) if spawning.context is None else spawning.context
    child.about = spawning.code
    mark(child, spawning.instruction)
    if context is not None or spawning.name is not None:
        describe_root(child, spawning.name, context)
    return child


def spawn(coroutine, *, name=None, context=None):
    """Start a coroutine as a pseudothread of its own and go on: `p = yield spawn(worker())`, and later `result = yield p`.

    It takes turns with all others, in `context` (a contextvars.Context), else in a copy of the context of who spawns it if that has one.
    What becomes of an error of it is said at `Trampoline.spawn()`. TypeError if it is no coroutine.
    """
    check_root("spawn()", coroutine, context)
    cdef Spawning made = Spawning.__new__(Spawning)
    cdef PyFrameObject* frame = PyEval_GetFrame()
    made.coroutine, made.name, made.context = coroutine, name, context
    if frame != NULL:
        made.code = <object>ct_code(frame)
        Py_DECREF(made.code)
        made.instruction = ct_instruction(frame)
    return made


core_types.update((Pseudothread, Spawning))
