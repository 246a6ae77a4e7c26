"""Cycles through pseudothread, coroutine, suspension, queue and trampoline are found by the collector, which runs the `finally`s."""

from common import Mishap, Park, Token, Trampoline, check, collected, watch


def parks(token, *more):
    try:
        yield Park()
    finally:
        token.ended.append(1)


def parked_and_dropped():
    t, token = Trampoline(), Token()
    ended = token.ended = []
    watched = watch(t, token, t.add(parks(token)), t.add(parks(token, t)))
    t.run()
    del t, token
    yield watched
    assert len(ended) == 2


def queued_and_dropped():
    t, token = Trampoline(), Token()
    ended = token.ended = []
    p = t.add(parks(token, t))
    token.p = p
    watched = watch(t, token, p)
    t.queue.popleft()()
    p.resume()
    del t, token, p
    yield watched
    assert len(ended) == 1


def through_the_suspension():
    t, token = Trampoline(), Token()
    ended = token.ended = []
    p = t.add(parks(token, t))
    t.run()
    p.waits_for.pseudothread = p
    watched = watch(t, token, p, p.waits_for)
    del t, token, p
    yield watched
    assert len(ended) == 1


def through_the_result():
    def gives(found):
        return found[0]
        yield

    t, found = Trampoline(), []
    p = t.add(gives(found))
    found.append(p)
    t.run()
    assert p.result() is p
    watched = watch(t, p)
    del t, p, found
    yield watched


def through_the_error():
    def fails(p):
        error = Mishap("kept in its own frame")
        raise error
        yield

    t = Trampoline()
    p = t.add(fails(t))
    try:
        t.run()
    except Mishap as error:
        watched = watch(t, p, error)
    del t, p
    yield watched


def through_the_queue():
    t = Trampoline()
    t.queue.append(t.run)
    t.queue.append(t.queue.clear)
    watched = watch(t, t.queue)
    del t
    yield watched


def as_its_own_callee():
    def calls(token):
        yield token.me

    t, token = Trampoline(), Token()
    token.me = calls(token)
    p = t.add(token.me)
    t.queue.popleft()()
    assert p.stack == (token.me, token.me)
    watched = watch(t, token, p, token.me)
    del t, token, p
    yield watched


check(collected, parked_and_dropped, queued_and_dropped, through_the_suspension, through_the_result, through_the_error, through_the_queue)
check(collected, as_its_own_callee)
