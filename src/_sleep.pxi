"""To sleep, and to set a limit: what the run loop does when one is yielded and when its time has come. Part of `_ctrampoline.pyx`."""


cdef PyObject* fall_asleep(BaseTrampoline t, Pseudothread p, PyObject* suspension) noexcept:
    """Set the deadline of `p`, which waits for a sleep. Return an error or NULL."""
    cdef ct_Sleep* s = <ct_Sleep*>suspension
    cdef PyObject* failure = give_up_earlier(s, <PyObject*>p) if s.pseudothread != NULL else NULL
    if failure != NULL:
        return failure
    Py_INCREF(p)
    s.pseudothread = <PyObject*>p
    if s.seconds == 0:
        return wake(s)
    if s.seconds == Py_HUGE_VAL:
        return NULL
    if t.timers is None:
        failure = ask_for_time(t)
        if failure != NULL:
            return failure
        if t.timers is None:
            return dropped(PyObject_CallFunctionObjArgs(<PyObject*>sleep_elsewhere, suspension, <PyObject*>p, NULL))
    return set_deadline(t, s)


cdef PyObject* set_deadline(BaseTrampoline t, ct_Sleep* s) noexcept:
    """Put it into the heap. Return an error or NULL."""
    cdef double when
    cdef PyObject* failure = now_of(t.timers, &when)
    if failure != NULL:
        return failure
    when += s.seconds
    if when != when:
        return raised_now(no_moment, when, t.timers.clock)
    return push_deadline(t.timers, when, <PyObject*>s, &s.number)


cdef PyObject* ask_for_time(BaseTrampoline t) noexcept:
    """Have the layer above make or find the timers. Return an error or NULL."""
    return dropped(PyObject_GetAttr(<PyObject*>t, <PyObject*>word_keeper))


cdef PyObject* give_up_earlier(ct_Sleep* s, PyObject* p) noexcept:
    """Let go of whoever was resumed before this sleep ended. Return an error if somebody sleeps it still."""
    cdef PyObject* earlier = s.pseudothread
    cdef PyObject* waits_for = NULL
    if earlier != p:
        waits_for = PyObject_GetAttr(earlier, <PyObject*>word_waits_for)
        if waits_for == NULL:
            return ct_fetch()
        Py_DECREF(<object>waits_for)
        if waits_for == <PyObject*>s:
            return raised_now(sleeps_already, <object><PyObject*>s, None)
    return dropped(PyObject_CallFunctionObjArgs(<PyObject*>withdraw_sleep, <PyObject*>s, earlier, NULL))


cdef PyObject* wake(ct_Sleep* s) noexcept:
    """Queue whoever sleeps. Return an error or NULL."""
    cdef PyObject* p = s.pseudothread
    cdef PyObject* failure = NULL
    s.number, s.pseudothread = 0, NULL
    if p != NULL:
        failure = resume_from(s, <Pseudothread>p)
        Py_DECREF(<object>p)
    return failure


cdef inline PyObject* resume_from(ct_Sleep* s, Pseudothread p) noexcept:
    """Queue `p` if it is parked for that. Return an error or NULL."""
    cdef BaseTrampoline t = p.trampoline
    if p.state != PARKED or p.value != <PyObject*>s:
        return NULL
    p.value, p.state = NULL, TAKEN
    unlink(t, p)
    if p.levels != NULL:
        woke(p)
    cdef PyObject* failure = go_on(t, p)
    Py_DECREF(<object><PyObject*>s)  # what the pseudothread had of it
    return failure


cdef PyObject* begin_limit(BaseTrampoline t, Pseudothread p, PyObject* suspension) noexcept:
    """Set the deadline for `p`, which yielded a limit, and queue it. Return an error or NULL."""
    cdef ct_Sleep* s = <ct_Sleep*>suspension
    cdef PyObject* failure = NULL
    Py_INCREF(p)
    Py_XDECREF(s.pseudothread)
    s.pseudothread = <PyObject*>p
    if s.seconds == 0:
        failure = expire(s)
    elif s.seconds != Py_HUGE_VAL:
        if t.timers is None:
            failure = ask_for_time(t)
        if failure == NULL:
            failure = set_deadline(t, s) if t.timers is not None else dropped(
                PyObject_CallFunctionObjArgs(<PyObject*>limit_elsewhere, suspension, <PyObject*>p, NULL))
        if failure == NULL:
            t.limits += 1
            s.limits = 1
    return failure if failure != NULL else resume_from(s, p)


cdef PyObject* expire(ct_Sleep* s) noexcept:
    """Throw into the pseudothread of a limit where it waits, or when it waits next. Return an error or NULL."""
    cdef Pseudothread p
    s.number = 0
    if s.pseudothread == NULL or s.error != NULL:
        return NULL
    s.error = PyObject_CallNoArgs(<PyObject*>Expired)
    if s.error == NULL:
        return ct_fetch()
    if Py_TYPE(s.pseudothread) == <PyTypeObject*>Pseudothread:
        p = <Pseudothread>s.pseudothread
        if p.state == PARKED and p.value != <PyObject*>s and throws_at_once(p.trampoline):
            s.told = 1
            return throw_parked(p, <object>s.error)
    return dropped(PyObject_CallFunctionObjArgs(<PyObject*>interrupt_for, <PyObject*>s, NULL))


cdef bint throws_at_once(BaseTrampoline t) noexcept:
    """Return whether its `_interrupt()` would only do what is done here."""
    cdef PyObject* answer = PyObject_GetAttr(<PyObject*>t, <PyObject*>word_throws)
    if answer == NULL:
        PyErr_Clear()
        return False
    cdef int yes = PyObject_IsTrue(answer)
    Py_DECREF(<object>answer)
    if yes < 0:
        PyErr_Clear()
    return yes > 0


# What others than the run loop do with a sleep: its methods.

def _sleep_suspend(self, pseudothread):
    """Set a deadline for `pseudothread`. RuntimeError if another one waits for this sleep."""
    if type(pseudothread) is Pseudothread:
        leave(fall_asleep((<Pseudothread>pseudothread).trampoline, <Pseudothread>pseudothread, <PyObject*>self))
    else:
        sleep_elsewhere(self, pseudothread)


def _sleep_elsewhere(sleep, pseudothread):
    """Set the deadline in the other core, or in a reactor of the user's."""
    cdef ct_Sleep* s = <ct_Sleep*><PyObject*>sleep
    if s.pseudothread != NULL:
        leave(give_up_earlier(s, <PyObject*>pseudothread))
    Py_INCREF(pseudothread)
    s.pseudothread = <PyObject*>pseudothread
    if not s.seconds:
        resumed(pseudothread, sleep)
    elif s.seconds != Py_HUGE_VAL:
        keeper = pseudothread.trampoline._keeper
        deadline = keeper.at(keeper.clock() + s.seconds, sleep._ready)
        if pseudothread.waits_for is sleep:
            Py_INCREF(deadline)
            s.deadline = <PyObject*>deadline
        else:  # another thread, or a signal handler, has thrown into it before there was a deadline
            keeper.cancel(deadline)
            Py_CLEAR(s.pseudothread)


def _sleep_withdraw(self, pseudothread):
    """Cancel the deadline."""
    cdef ct_Sleep* s = <ct_Sleep*><PyObject*>self
    if s.number:
        number_off(s)
    elif s.deadline != NULL:
        pseudothread.trampoline._keeper.cancel(<object>s.deadline)
    Py_CLEAR(s.deadline)
    Py_CLEAR(s.pseudothread)


def _sleep_ready(self):
    cdef ct_Sleep* s = <ct_Sleep*><PyObject*>self
    if s.pseudothread != NULL:
        resumed(<object>s.pseudothread, self)
    Py_CLEAR(s.deadline)
    Py_CLEAR(s.pseudothread)


# The same of a limit.

def _interrupt_for(limit):
    cdef ct_Sleep* s = <ct_Sleep*><PyObject*>limit
    p = <object>s.pseudothread
    p.trampoline._interrupt(p, <object>s.error, unless=limit)


def _limit_elsewhere(limit, pseudothread):
    """Set the deadline in the other core, or in a reactor of the user's."""
    keeper = pseudothread.trampoline._keeper
    deadline = keeper.at(keeper.clock() + limit.seconds, limit._ready)
    Py_INCREF(deadline)
    (<ct_Sleep*><PyObject*>limit).deadline = <PyObject*>deadline


def _limit_suspend(self, pseudothread):
    """Set the deadline, and resume `pseudothread`."""
    cdef ct_Sleep* s = <ct_Sleep*><PyObject*>self
    if type(pseudothread) is Pseudothread:
        leave(begin_limit((<Pseudothread>pseudothread).trampoline, <Pseudothread>pseudothread, <PyObject*>self))
        return
    Py_INCREF(pseudothread)
    Py_XDECREF(s.pseudothread)
    s.pseudothread = <PyObject*>pseudothread
    if not s.seconds:
        leave(expire(s))
    elif s.seconds != Py_HUGE_VAL:
        _limit_elsewhere(self, pseudothread)
        pseudothread.trampoline._limits += 1
        s.limits = 1
    resumed(pseudothread, self)


def _limit_ready(self):
    leave(expire(<ct_Sleep*><PyObject*>self))


def _limit_lift(self, raised=None):
    """Let go of all. Return whether the time was up and the coroutine was told so: by what was `raised` by it, if anything was."""
    cdef ct_Sleep* s = <ct_Sleep*><PyObject*>self
    if s.pseudothread == NULL:
        return False
    p = <object>s.pseudothread
    error = <object>s.error if s.error != NULL else None
    if s.number:
        number_off(s)
    if s.limits:
        s.limits = 0
        if type(p) is Pseudothread:
            (<Pseudothread>p).trampoline.limits -= 1
        else:
            p.trampoline._limits -= 1
    if s.deadline != NULL:
        p.trampoline._keeper.cancel(<object>s.deadline)
    Py_CLEAR(s.pseudothread)
    Py_CLEAR(s.error)
    Py_CLEAR(s.deadline)
    return error is not None and (s.told or not p.trampoline._spare(p, error)) and (raised is None or raised is error)


def _limit_reduce(self):
    return str, (str(self),)


cdef inline void number_off(ct_Sleep* s) noexcept:
    """Cancel the entry in the heap."""
    cdef BaseTrampoline t = (<Pseudothread>s.pseudothread).trampoline
    s.number = 0
    if t.timers is not None:
        t.timers.cancelled += 1


sleep, Limit = ct_make_sleep(Suspension, seconds_of), ct_make_limit(Suspension)
for owner, name, function in (
    (sleep, "suspend", _sleep_suspend), (sleep, "withdraw", _sleep_withdraw), (sleep, "_ready", _sleep_ready),
    (Limit, "suspend", _limit_suspend), (Limit, "lift", _limit_lift), (Limit, "_ready", _limit_ready),
    (Limit, "__reduce__", _limit_reduce),
):
    function.__name__, function.__qualname__ = name, f"{owner.__name__}.{name}"
    setattr(owner, name, function)
sleep_elsewhere, withdraw_sleep, limit_elsewhere, interrupt_for = _sleep_elsewhere, _sleep_withdraw, _limit_elsewhere, _interrupt_for
del owner, name, function, _sleep_suspend, _sleep_withdraw, _sleep_ready, _sleep_elsewhere, _limit_suspend, _limit_lift, _limit_ready
del _interrupt_for, _limit_reduce
