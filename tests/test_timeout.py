"""`timeout()`: what it gives, what unwinds, and what comes first of what happens at the same moment. On a clock that jumps."""

import pytest
from coroutines import outcome
from simulated import limited, native, sleeper, up

from trampoline import sleep, timeout


def test_timeout_gives_the_result_the_error_or_a_TimeoutError(t):
    def fails():
        yield sleep(1)
        raise KeyError("mine")

    assert outcome(t, limited(t, 5, sleeper(t, 2, [], "done"))) == ("done", 2)
    assert outcome(t, limited(t, 5, sleeper(t, 8, [], "done"))) == (up(5), 7)
    with pytest.raises(KeyError, match="mine"):
        outcome(t, limited(t, 5, fails()))
    assert t.reactor.now == 8


def test_timeout_of_0_may_not_wait_at_all(t):
    def waits_not():
        return (yield sleeper_of_none())

    def sleeper_of_none():
        yield "at once"

    assert outcome(t, limited(t, 0, waits_not())) == ("at once", 0)
    for waits in (sleeper(t, 1, []), sleeper(t, 0, []), sleep(0), sleep(1), native(t)):
        assert outcome(t, limited(t, 0, waits)) == (up(0), 0)


def test_finally_blocks_run_and_may_wait(t):
    log = []

    def callee():
        try:
            yield sleep(10)
        finally:
            yield sleep(4)
            log.append(("callee", t.reactor.now))

    def middle():
        try:
            yield callee()
        finally:
            yield sleeper(t, 2, log, "called")
            log.append(("middle", t.reactor.now))

    assert outcome(t, limited(t, 3, middle())) == (up(3), 9)
    assert log == [("callee", 7), ("called", 9), ("middle", 9)]


def test_an_error_in_a_finally_block_is_the_outcome(t):
    def callee():
        try:
            yield sleep(10)
        finally:
            raise KeyError("in finally")

    with pytest.raises(KeyError, match="in finally"):
        outcome(t, limited(t, 3, callee()))


@pytest.mark.parametrize("then", ["ends", "waits", "yields a value"])
def test_what_swallows_the_end_of_its_time_goes_on_and_its_caller_is_told_all_the_same(t, then):
    log = []

    def callee():
        try:
            yield sleep(10)
        except BaseException as error:
            log.append(type(error).__name__)
        if then == "waits":
            yield sleep(6)
        log.append(t.reactor.now)
        if then == "yields a value":
            yield "value"
        return "value"

    end = 9 if then == "waits" else 3
    assert outcome(t, limited(t, 3, callee())) == (up(3), end)
    assert log == ["Expired", end]


def test_no_except_clause_for_errors_or_for_closing_swallows_it(t):
    def callee():
        try:
            yield sleep(10)
        except (Exception, GeneratorExit):
            return "swallowed"

    assert outcome(t, limited(t, 3, callee())) == (up(3), 3)


def test_a_busy_coroutine_that_never_waits_is_never_interrupted(t):
    def callee():
        for n in range(3000):
            t.reactor.now += 1
            yield value(n)
        return "done"

    def value(n):
        return n
        yield

    assert outcome(t, limited(t, 5, callee())) == ("done", 3000)


@pytest.mark.parametrize("others", [0, 1])
def test_waits_that_are_satisfied_at_once_are_interrupted(core, others):
    def spins():
        while t.reactor.clock() < started + 20:
            yield sleep(0)

    def limits():
        with pytest.raises(TimeoutError):
            yield timeout(0.01, spins())
        return "interrupted"

    with core.Waiting() as t:
        started = t.reactor.clock()
        p = t.add(limits())
        for _ in range(others):
            t.add(sleep(0.02).__iter__())
        t.run()
        assert p.result() == "interrupted"


@pytest.mark.parametrize("first", ["sleep", "timeout"])
def test_a_result_and_a_deadline_in_the_same_poll_arrive_in_the_order_of_their_deadlines(t, first):
    def callee():
        log.append((yield sleep(3)))
        return "done"

    log = []
    t.reactor.at(2, lambda: setattr(t.reactor, "now", 10))
    assert outcome(t, limited(t, 3.5 if first == "sleep" else 2.5, callee())) == (("done", 10) if first == "sleep" else (up(2.5), 10))
    assert log == ([None] if first == "sleep" else [])


def test_a_result_that_comes_with_the_deadline_is_given_and_the_next_wait_is_interrupted(t, park):
    log = []

    def callee():
        log.append((yield park))
        yield sleep(1)
        log.append("never")

    def both():
        park.last.resume("result")
        t.reactor.now = 10

    t.reactor.at(2, both)
    assert outcome(t, limited(t, 5, callee())) == (up(5), 10)
    assert log == ["result"]


def test_nested_timeouts_each_tell_their_own_caller(t):
    def two(outer, inner, seconds):
        return limited(t, outer, limited(t, inner, sleeper(t, seconds, [], "done")))

    assert outcome(t, two(5, 3, 2)) == (("done", 2), 2)
    assert outcome(t, two(5, 3, 4)) == ((up(3), 5), 5)
    assert outcome(t, two(3, 5, 4)) == (up(3), 8)
    assert outcome(t, two(4, 4, 9)) == (up(4), 12)  # of two at the same moment the outer comes first


def test_both_of_two_nested_timeouts_are_up_in_the_same_poll(t):
    log = []

    def outer():
        log.append((yield limited(t, 2, sleep(50))))
        log.append("waits no more")
        yield sleep(0)
        log.append("never")

    def late():
        t.reactor.now = 30

    t.reactor.at(1, late)
    assert outcome(t, limited(t, 3, outer())) == (up(3), 30)
    assert log == [(up(2), 30), "waits no more"]


def test_a_timeout_that_begins_when_an_outer_one_is_up_is_not_begun(t):
    def busy():
        t.reactor.now += 10
        yield limited(t, 0, native(t))  # a native coroutine that is never called: no warning of that
        yield sleep(1)

    def other():
        while not p.done:
            yield sleep(0.5)

    p = t.add(limited(t, 3, busy()))
    t.add(other())
    t.run()
    assert p.result()[0] == up(3)
