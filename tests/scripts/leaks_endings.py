"""Each way to end leaves nothing, without the garbage collector: result, error, close, drop, and what was parked and dropped."""

import contextlib

from common import Mishap, Park, Token, Trampoline, check, flat, trampoline, watch


def child(token):
    yield token


def root(token):
    got = yield child(token)
    return got


def fails(token):
    raise Mishap(token)
    yield


def catches(token):
    with contextlib.suppress(Mishap):
        yield fails(token)
    return token


def passes_on(token):
    yield fails(token)


def parks(token):
    try:
        yield Park()
    finally:
        token.ended = True


def result():
    t, token = Trampoline(), Token()
    watched = watch(t, token, t.add(root(token)))
    t.run()
    return watched


def error_caught():
    t, token = Trampoline(), Token()
    watched = watch(t, token, t.add(catches(token)))
    t.run()
    return watched


def error_out():
    t, token = Trampoline(), Token()
    watched = watch(t, token, t.add(passes_on(token)))
    try:
        t.run()
    except Mishap as error:
        watched += watch(error)
    return watched


def error_out_by_hand():
    t, token = Trampoline(), Token()
    watched = watch(t, token, t.add(passes_on(token)))
    try:
        while t.queue:
            t.queue.popleft()()
    except Mishap as error:
        watched += watch(error)
    return watched


def error_kept():
    t, token = Trampoline(), Token()
    p = t.add(passes_on(token))
    watched = watch(t, token, p)
    with contextlib.suppress(Mishap):
        t.run()
    try:
        p.result()
    except Mishap as error:
        watched += watch(error)
    del p, t, token  # the traceback that the error keeps has this frame
    return watched


def tail_call():
    def caller(token):
        raise trampoline.TailCall(root(token))
        yield

    t, token = Trampoline(), Token()
    watched = watch(t, token, t.add(caller(token)))
    t.run()
    return watched


def typed_call():
    def caller(token):
        return (yield from trampoline.call(catches(token)))

    t, token = Trampoline(), Token()
    watched = watch(t, token, t.add(caller(token)))
    t.run()
    return watched


def closed():
    t, token = Trampoline(), Token()
    p = t.add(parks(token))
    t.run()
    p.close()
    assert token.ended
    return watch(t, token, p)


def closed_with_an_error():
    def stubborn(token):
        try:
            yield Park()
        finally:
            raise Mishap(token)

    t, token = Trampoline(), Token()
    p = t.add(stubborn(token))
    t.run()
    watched = watch(t, token, p)
    try:
        p.close()
    except Mishap as error:
        watched += watch(error)
    del p, t, token
    return watched


def all_closed():
    token = Token()
    with Trampoline() as t:
        watched = watch(t, token, t.add(parks(token)), t.add(root(token)))
        t.queue.append(t.stop)
        t.run()
    return watched


def dropped_from_the_queue():
    t, token = Trampoline(), Token()
    watched = watch(t, token, t.add(parks(token)), t.add(root(token)))
    t.queue.popleft()()
    t.queue.popleft()()
    t.queue.clear()
    t.close()
    return watched


def resumed_and_thrown_into():
    t, token = Trampoline(), Token()
    p, q = t.add(parks(token)), t.add(parks(token))
    t.run()
    p.resume(token)
    q.throw(Mishap(token))
    watched = watch(t, token, p, q)
    try:
        t.run()
    except Mishap as error:
        watched += watch(error)
    del p, q, t, token
    return watched


def scheduled_by_hand():
    t, token = Trampoline(), Token()
    callers = root(token), root(token)
    for caller in callers:
        next(caller)
    t.schedule(child(token), (callers[0], (callers[1], ())))
    t.run()
    try:
        t.schedule(child(token), (root(token), ()), Mishap, Mishap(token), None)
        t.run()
    except Mishap:
        pass
    return watch(t, token)


def refused():
    t, token = Trampoline(), Token()
    p = t.add(root(token))
    for wrong in (lambda: t.add(token), lambda: p.resume(token), lambda: t.queue.append(token), p, lambda: p.throw(token), t.queue.popleft):
        with contextlib.suppress(TypeError, RuntimeError):
            wrong()
    t.queue.clear()
    watched = watch(t, token, p)
    del wrong
    return watched


check(flat, result, error_caught, error_out, error_out_by_hand, error_kept, tail_call, typed_call)
check(flat, closed, closed_with_an_error, all_closed, dropped_from_the_queue, resumed_and_thrown_into, scheduled_by_hand, refused)
