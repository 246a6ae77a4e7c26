"""To sleep, and to set a limit: what the run loop does when one is yielded and when its time has come. Part of `_ctrampoline.pyx`."""


cdef PyObject* fall_asleep(BaseTrampoline t, Pseudothread p, PyObject* suspension) noexcept:
    """Set the deadline of `p`, which waits for a sleep. Return an error or NULL."""
    cdef ct_Sleep* s = <ct_Sleep*>suspension
    cdef PyObject* failure = give_up_earlier(s, <PyObject*>p) if s.pseudothread != NULL else NULL
    if failure != NULL:
        return failure
    hold(s, <PyObject*>p)
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
    failure = set_deadline(t, s)
    if CT_FREE_THREADED and not is_parked_for(t, p, suspension):  # another thread has thrown into it before there was a deadline
        number_off(t, s)
        Py_XDECREF(taken_from(s))
    return failure


cdef inline bint is_parked_for(BaseTrampoline t, Pseudothread p, PyObject* suspension) noexcept:
    ct_lock(<PyObject*>t)
    cdef bint parked = p.state == PARKED and p.value == suspension
    ct_unlock(<PyObject*>t)
    return parked


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
    cdef PyObject* earlier = ct_ref(<PyObject*>s, &s.pseudothread)
    cdef PyObject* waits_for = NULL
    cdef PyObject* failure = NULL
    if earlier == NULL:
        return NULL
    if earlier != p:
        waits_for = PyObject_GetAttr(earlier, <PyObject*>word_waits_for)
        if waits_for == NULL:
            failure = ct_fetch()
        elif waits_for == <PyObject*>s:
            failure = raised_now(sleeps_already, <object><PyObject*>s, None)
        Py_XDECREF(waits_for)
    if failure == NULL:
        failure = dropped(PyObject_CallFunctionObjArgs(<PyObject*>withdraw_sleep, <PyObject*>s, earlier, NULL))
    Py_DECREF(<object>earlier)
    return failure


cdef PyObject* wake(ct_Sleep* s) noexcept:
    """Queue whoever sleeps. Return an error or NULL."""
    cdef PyObject* p = taken_from(s)
    cdef PyObject* failure = NULL
    if p != NULL:
        failure = resume_from(s, <Pseudothread>p)
        if failure != NULL and is_parked_for((<Pseudothread>p).trampoline, <Pseudothread>p, <PyObject*>s):
            hold(s, p)
        Py_DECREF(<object>p)
    return failure


cdef inline PyObject* taken_from(ct_Sleep* s) noexcept:
    """Return who waits for it, and have it hold nobody."""
    return ct_exchange(<PyObject*>s, &s.pseudothread, NULL)


cdef inline PyObject* resume_from(ct_Sleep* s, Pseudothread p) noexcept:
    """Queue `p` if it is parked for that. Return an error or NULL."""
    cdef BaseTrampoline t = p.trampoline
    if not claim(t, p, <PyObject*>s, NULL, False):
        return NULL
    Py_DECREF(p)
    if p.levels != NULL:
        woke(p)
    cdef PyObject* failure = go_on_from(t, p, <PyObject*>s, 0)
    Py_DECREF(<object><PyObject*>s)  # what the pseudothread had of it
    return failure


cdef PyObject* begin_limit(BaseTrampoline t, Pseudothread p, PyObject* suspension) noexcept:
    """Set the deadline for `p`, which yielded a limit, and queue it. Return an error or NULL."""
    cdef ct_Sleep* s = <ct_Sleep*>suspension
    cdef PyObject* failure = NULL
    hold(s, <PyObject*>p)
    if s.seconds == 0:
        failure = expire(s)
    elif s.seconds != Py_HUGE_VAL:
        if t.timers is None:
            failure = ask_for_time(t)
        if failure == NULL:
            failure = set_deadline(t, s) if t.timers is not None else dropped(
                PyObject_CallFunctionObjArgs(<PyObject*>limit_elsewhere, suspension, <PyObject*>p, NULL))
        if failure == NULL:
            ct_count(&t.limits, 1)
            s.limits = 1
    return failure if failure != NULL else resume_from(s, p)


cdef PyObject* expire(ct_Sleep* s) noexcept:
    """Throw into the pseudothread of a limit where it waits, or when it waits next. Return an error or NULL."""
    cdef PyObject* who = ct_ref(<PyObject*>s, &s.pseudothread)
    cdef PyObject* error
    cdef PyObject* failure
    if who == NULL or s.error != NULL:
        Py_XDECREF(who)
        return NULL
    error = PyObject_CallNoArgs(<PyObject*>Expired)
    if error == NULL:
        Py_DECREF(<object>who)
        return ct_fetch()
    Py_INCREF(<object>error)
    Py_XDECREF(ct_exchange(<PyObject*>s, &s.error, error))
    failure = expired(s, <object>who, <object>error)
    Py_DECREF(<object>error)
    Py_DECREF(<object>who)
    return failure


cdef PyObject* expired(ct_Sleep* s, who, error) noexcept:
    cdef BaseTrampoline t
    cdef Pseudothread p
    cdef PyObject* suspension
    if type(who) is Pseudothread:
        p, t = who, (<Pseudothread>who).trampoline
        if state_of(p) == PARKED and not is_parked_for(t, p, <PyObject*>s) and throws_at_once(t):
            suspension = claim_any(t, p, NULL)
            if suspension != NULL:  # else another thread was quicker
                s.told = 1
                return throw_claimed(t, p, suspension, error)
    return dropped(PyObject_CallFunctionObjArgs(<PyObject*>interrupt_for, <PyObject*>s, <PyObject*>who, <PyObject*>error, NULL))


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

cdef inline bint of_trampoline(who) noexcept:
    """Return whether it is a pseudothread of this core, and was not made by hand."""
    return type(who) is Pseudothread and (<Pseudothread>who).trampoline is not None


def _sleep_suspend(self, pseudothread):
    """Set a deadline for `pseudothread`. RuntimeError if another one waits for this sleep."""
    if of_trampoline(pseudothread):
        leave(fall_asleep((<Pseudothread>pseudothread).trampoline, <Pseudothread>pseudothread, <PyObject*>self))
    else:
        sleep_elsewhere(self, pseudothread)


def _sleep_elsewhere(sleep, pseudothread):
    """Set the deadline in the other core, or in a reactor of the user's."""
    cdef ct_Sleep* s = <ct_Sleep*><PyObject*>sleep
    if s.pseudothread != NULL:
        leave(give_up_earlier(s, <PyObject*>pseudothread))
    hold(s, <PyObject*>pseudothread)
    if not s.seconds:
        resumed(pseudothread, sleep)
    elif s.seconds != Py_HUGE_VAL:
        keeper = pseudothread.trampoline._keeper
        deadline = keeper.at(keeper.clock() + s.seconds, sleep._ready)
        if pseudothread.waits_for is sleep:
            Py_INCREF(deadline)
            Py_XDECREF(ct_exchange(<PyObject*>s, &s.deadline, <PyObject*>deadline))
            if not CT_FREE_THREADED or pseudothread.waits_for is sleep:
                return
            deadline = give(ct_exchange(<PyObject*>s, &s.deadline, NULL))
        # Another thread, or a signal handler, has thrown into it before there was a deadline.
        if deadline is not None:
            keeper.cancel(deadline)
        give(taken_from(s))


def _sleep_withdraw(self, pseudothread):
    """Cancel the deadline."""
    cdef ct_Sleep* s = <ct_Sleep*><PyObject*>self
    if CT_FREE_THREADED and not still_of(s, <PyObject*>pseudothread):
        return  # another has begun to sleep it
    if of_trampoline(pseudothread):
        number_off((<Pseudothread>pseudothread).trampoline, s)
    deadline = give(ct_exchange(<PyObject*>s, &s.deadline, NULL))
    if deadline is not None:
        pseudothread.trampoline._keeper.cancel(deadline)
    give(taken_from(s))


cdef bint still_of(ct_Sleep* s, PyObject* p) noexcept:
    ct_lock(<PyObject*>s)
    cdef bint same = s.pseudothread == p
    ct_unlock(<PyObject*>s)
    return same


def _sleep_ready(self):
    cdef ct_Sleep* s = <ct_Sleep*><PyObject*>self
    who = give(ct_ref(<PyObject*>s, &s.pseudothread))
    if who is not None:
        resumed(who, self)
    give(ct_exchange(<PyObject*>s, &s.deadline, NULL))
    give(taken_from(s))


# The same of a limit.

def _interrupt_for(limit, p, error):
    p.trampoline._interrupt(p, error, unless=limit)


def _limit_elsewhere(limit, pseudothread):
    """Set the deadline in the other core, or in a reactor of the user's."""
    keeper = pseudothread.trampoline._keeper
    deadline = keeper.at(keeper.clock() + limit.seconds, limit._ready)
    Py_INCREF(deadline)
    Py_XDECREF(ct_exchange(<PyObject*>limit, &(<ct_Sleep*><PyObject*>limit).deadline, <PyObject*>deadline))


def _limit_suspend(self, pseudothread):
    """Set the deadline, and resume `pseudothread`."""
    cdef ct_Sleep* s = <ct_Sleep*><PyObject*>self
    if of_trampoline(pseudothread):
        leave(begin_limit((<Pseudothread>pseudothread).trampoline, <Pseudothread>pseudothread, <PyObject*>self))
        return
    hold(s, <PyObject*>pseudothread)
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
    p = give(taken_from(s))  # nobody is thrown into from now on
    if p is None:
        return False
    error = give(ct_exchange(<PyObject*>s, &s.error, NULL))
    if of_trampoline(p):
        number_off((<Pseudothread>p).trampoline, s)
    if s.limits:
        s.limits = 0
        if of_trampoline(p):
            ct_count(&(<Pseudothread>p).trampoline.limits, -1)
        else:
            p.trampoline._limits -= 1
    deadline = give(ct_exchange(<PyObject*>s, &s.deadline, NULL))
    if deadline is not None:
        p.trampoline._keeper.cancel(deadline)
    return error is not None and (s.told or not p.trampoline._spare(p, error)) and (raised is None or raised is error)


def _limit_reduce(self):
    return str, (str(self),)


cdef inline void number_off(BaseTrampoline t, ct_Sleep* s) noexcept:
    """Cancel the entry in the heap, if there is one."""
    cdef PyObject* timers = <PyObject*>t.timers
    if timers == Py_None:
        s.number = 0
        return
    ct_lock(timers)
    if s.number:
        s.number = 0
        (<Timers>timers).cancelled += 1
    ct_unlock(timers)


cdef inline void hold(ct_Sleep* s, PyObject* p) noexcept:
    Py_INCREF(<object>p)
    Py_XDECREF(ct_exchange(<PyObject*>s, &s.pseudothread, p))


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
sleep.__reduce__ = not_copied
