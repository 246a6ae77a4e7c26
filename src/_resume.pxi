"""One resume of a coroutine, and what it means that it yields, returns or raises. Part of `_ctrampoline.pyx`."""


cdef inline int send_to_generator(PyObject* coroutine, PyObject* sent, PyObject** got) noexcept:
    """Return NEXT with what was yielded, VALUE with what was returned, or ERROR with the error."""
    cdef PySendResult how = generator_send(coroutine, sent if sent != NULL else Py_None, got)
    if how == PYGEN_NEXT:
        return NEXT
    return VALUE if how == PYGEN_RETURN else raised(got)


cdef int resume(Pseudothread p, PyObject* coroutine, PyObject* sent, PyObject** got) noexcept:
    """The same for any coroutine, with what is special about this turn: an error to be thrown, a context, a collector."""
    if p.special & ODD == COLLECTED:
        return resume_collected(p, coroutine, sent, got)
    return resume_oddly(p, coroutine, sent, got) if p.special & COLLECTED else resume_specially(p, coroutine, sent, got)


cdef int resume_specially(Pseudothread p, PyObject* coroutine, PyObject* sent, PyObject** got) noexcept:
    cdef bint throwing = (p.special & THROWING) != 0
    cdef PyObject* context = NULL
    cdef int outcome
    cdef PyObject* outer = p.trampoline.entered
    if p.special & OWED:
        as_it_was(<Pseudothread>sent)
        sent = (<Pseudothread>sent).value
    elif p.special & PROMPTLY:
        sent = PyTuple_GET_ITEM(sent, 0)
    p.special &= ~(THROWING | OWED | PROMPTLY)
    if p.special & IN_CONTEXT:
        context = detail(p, CONTEXT)
    if context == NULL or context == outer:
        return throw_into(coroutine, sent, got) if throwing else send_to(coroutine, sent if sent != NULL else Py_None, got)
    if PyContext_Enter(context) < 0:
        got[0] = ct_fetch()
        return ERROR
    p.trampoline.entered = context
    outcome = throw_into(coroutine, sent, got) if throwing else send_to(coroutine, sent if sent != NULL else Py_None, got)
    p.trampoline.entered = outer
    if PyContext_Exit(context) < 0:
        Py_XDECREF(got[0])
        got[0] = ct_fetch()
        return ERROR
    return outcome


cdef int send_to(PyObject* coroutine, PyObject* value, PyObject** got) noexcept:
    cdef PySendResult how
    if ct_has_send(coroutine):
        how = PyIter_Send(coroutine, value, got)
        return NEXT if how == PYGEN_NEXT else VALUE if how == PYGEN_RETURN else raised(got)
    got[0] = PyObject_CallMethodOneArg(coroutine, <PyObject*>word_send, value)
    return NEXT if got[0] != NULL else raised(got)


cdef int throw_into(PyObject* coroutine, PyObject* error, PyObject** got) noexcept:
    if delegates(coroutine):
        got[0] = dropped(PyObject_CallFunctionObjArgs(<PyObject*>end_of_call, coroutine, NULL))
        if got[0] != NULL:
            return ERROR
    if PyGen_CheckExact(coroutine) or PyCoro_CheckExact(coroutine):
        got[0] = ct_throw_into(coroutine, error)
    else:
        got[0] = PyObject_CallMethodOneArg(coroutine, <PyObject*>word_throw, error)
    return NEXT if got[0] != NULL else raised(got)


cdef bint delegates(PyObject* coroutine) noexcept:
    """Return whether `coroutine` stands at a `yield from` or `await`, but of a `call()`: that has no frame. One of the user's class may."""
    if not PyGen_CheckExact(coroutine) and not PyCoro_CheckExact(coroutine):
        return True
    cdef PyObject* inner = ct_inner_of(coroutine)
    if inner == NULL:
        PyErr_Clear()
        return False
    Py_DECREF(<object>inner)
    return inner != Py_None and Py_TYPE(inner) != &ct_call_type and Py_TYPE(inner) != ct_operation_type


cdef int raised(PyObject** got) noexcept:
    """Fetch the error. A StopIteration is a return."""
    cdef PyObject* error = ct_fetch()
    got[0] = error
    if not PyErr_GivenExceptionMatches(error, PyExc_StopIteration):
        return ERROR
    if Py_TYPE(error) == <PyTypeObject*>PyExc_StopIteration:
        got[0] = ct_stop_value(error)
    else:
        got[0] = PyObject_GetAttr(error, <PyObject*>word_value)
    Py_DECREF(<object>error)
    if got[0] != NULL:
        return VALUE
    got[0] = ct_fetch()
    return ERROR


cdef inline int meaning_in(PyObject* top, PyObject** got) noexcept:
    """The same, where `top` yielded it: a bare None out of an `async def` is what asyncio's loop would be asked for a round by."""
    return ADAPT if got[0] == Py_None and PyCoro_CheckExact(top) else meaning(got)


cdef inline int meaning(PyObject** got) noexcept:
    """Say what it means to yield `got`: CALL, WAIT, GIVE, VALUE, ADAPT or PROMPT."""
    cdef PyObject* known
    if got[0] == Py_None or PyLong_CheckExact(got[0]):
        return VALUE
    if Py_TYPE(got[0]) == ct_operation_type:
        return PROMPT
    if Py_TYPE(got[0]) == ct_sleep_type or Py_TYPE(got[0]) == ct_limit_type:
        return WAIT
    if PyCoro_CheckExact(got[0]):
        return CALL
    if Py_TYPE(got[0]) == <PyTypeObject*>Pseudothread:
        return WAIT
    if Py_TYPE(got[0]) == <PyTypeObject*>Spawning:
        return GIVE
    if Py_TYPE(got[0]) == ct_read_type:
        return WAIT
    if Py_TYPE(got[0]) == ct_write_type or Py_TYPE(got[0]) == ct_lock_type or Py_TYPE(got[0]) == ct_semaphore_type:
        return PROMPT
    known = PyDict_GetItemWithError(<PyObject*>kinds, <PyObject*>Py_TYPE(got[0]))
    if known != NULL:
        return <int>PyLong_AsLong(known)
    if PyErr_Occurred() != NULL:
        if not PyErr_ExceptionMatches(PyExc_Exception):
            Py_DECREF(<object>got[0])
            return raised(got)
        PyErr_Clear()  # its metaclass refuses to hash it
    return meaning_slowly(got)


cdef int meaning_slowly(PyObject** got) noexcept:
    cdef PyObject* known = PyObject_CallFunctionObjArgs(<PyObject*>meaning_of, got[0], NULL)
    if known == NULL:  # a class of the user's that fails when it is asked what it is
        Py_DECREF(<object>got[0])
        return raised(got)
    cdef int outcome = <int>PyLong_AsLong(known)
    Py_DECREF(<object>known)
    return outcome


cdef int adapted(BaseTrampoline t, PyObject** got) noexcept:
    """Put in the place of `got`, an awaitable or a future, what its trampoline has for it, and say what that means."""
    cdef PyObject* instead = PyObject_CallMethodOneArg(<PyObject*>t, <PyObject*>word_adapt, got[0])
    Py_DECREF(<object>got[0])
    got[0] = instead
    if instead == NULL:
        return raised(got)
    cdef int outcome = CALL if PyGen_CheckExact(instead) else meaning(got)
    return VALUE if outcome == ADAPT else outcome


cdef int looked_at_again(BaseTrampoline t, Pseudothread p, int outcome, PyObject** got) noexcept:
    """Go on, in the same turn, where what was yielded stands for something else (ADAPT, CALL) or need not be waited for (PROMPT).

    `p.value` is what was sent, and then what was sent last.
    """
    global ct_promptly
    cdef PyObject* top = p.top
    if t.era:
        t.collecting.dirty = True  # the trampoline or a suspension is asked
    while True:
        if outcome == ADAPT or outcome == CALL:
            outcome = adapted(t, got)
        if outcome != PROMPT:
            return outcome
        if ct_promptly <= 0 or not prompted(p, got[0], &p.value):
            p.special |= PROMPTLY
            return WAIT
        ct_promptly -= 1
        ct_let_go(got[0])
        if p.levels != NULL:
            same_turn(p)
        if (PyGen_CheckExact(top) or PyCoro_CheckExact(top)) and not p.special & ODD:
            outcome = send_to_generator(top, p.value, got)
        else:
            outcome = resume(p, top, p.value, got)
        if outcome != NEXT:
            return outcome
        if PyGen_CheckExact(got[0]):
            return CALL
        outcome = meaning_in(top, got)
        if outcome == CALL and not t.asks:
            return CALL


cdef bint prompted(Pseudothread p, PyObject* suspension, PyObject** sent) noexcept:
    """Put what `p` is sent without waiting, or thrown, in the place of `sent`. Return False if it must wait."""
    cdef PyObject* instead
    cdef int how
    if Py_TYPE(suspension) == ct_operation_type:
        how = operate(<ct_Operation*>suspension, &instead)
        if how == CT_WAIT:
            return False
        if how == CT_FAILED:
            p.special |= THROWING
        set_result(sent, instead)
        return True
    if Py_TYPE(suspension) == ct_write_type:
        how = write_at_once(suspension, &instead)
        if how == CT_BEGUN:
            return False
        if how == CT_ALL:
            set_result(sent, instead)
            return True
    if Py_TYPE(suspension) == ct_lock_type or Py_TYPE(suspension) == ct_semaphore_type:
        instead = ct_have(suspension, <PyObject*>p)
        if instead != NULL:
            set_result(sent, instead)
            return True
    instead = PyObject_CallMethodOneArg(suspension, <PyObject*>word_at_once, <PyObject*>p)
    if instead == Py_NotImplemented:
        Py_DECREF(<object>instead)
        return False
    if instead == NULL:
        instead = as_if_thrown(ct_fetch())
        p.special |= THROWING
    set_result(sent, instead)
    return True


cdef int rooted(BaseTrampoline t, PyObject** got) noexcept:
    """Put in the place of the coroutine of a TailCall, which is no generator, what its trampoline has for it. Return TAIL or ERROR."""
    cdef PyObject* instead = PyObject_CallMethodOneArg(<PyObject*>t, <PyObject*>word_root, got[0])
    Py_DECREF(<object>got[0])
    got[0] = instead if instead != NULL else ct_fetch()
    return TAIL if instead != NULL else ERROR


cdef int caught(PyObject** got) noexcept:
    """Say what an error means: ERROR, or TAIL, with the coroutine of a TailCall in its place."""
    if not PyErr_GivenExceptionMatches(got[0], <PyObject*>tail_call):
        return ERROR
    error = <object>got[0]
    try:
        coroutine = error.call
        outcome = TAIL
        if not resumes(coroutine):
            coroutine, outcome = no_coroutine("TailCall()", coroutine), ERROR
    except BaseException as failure:
        coroutine, outcome = failure, ERROR
        without_frames(failure)  # this function's
    Py_INCREF(coroutine)
    Py_DECREF(error)
    got[0] = <PyObject*>coroutine
    return outcome
