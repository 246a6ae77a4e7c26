"""Time: `sleep()`, and what both that and `timeout()` take.

Most run on a clock that jumps to the next deadline (`simulated.Jumping`), so what they say of order and moment is exact, and none waits.
`timeout()` itself is in `test_timeout.py`, its ends in `test_timeout_ends.py`.
"""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from coroutines import outcome
from simulated import limited, native, sleeper, up

from trampoline import sleep, timeout


def test_sleepers_wake_in_the_order_of_their_deadlines(t):
    log = []
    for seconds in (5, 3, 9, 3, 1, 7):
        t.add(sleeper(t, seconds, log))
    t.run()
    assert log == [(1, 1), (3, 3), (3, 3), (5, 5), (7, 7), (9, 9)]


def test_many_sleepers_in_order(t):
    log = []
    many = [(7919 * n) % 5000 / 8 for n in range(5000)]
    for n, seconds in enumerate(many):
        t.add(sleeper(t, seconds + 1, log, (seconds, n)))
    t.run()
    assert [name for name, _ in log] == sorted((seconds, n) for n, seconds in enumerate(many))
    assert all(moment == name[0] + 1 for name, moment in log)


def test_sleep_of_0_gives_all_others_a_turn(t):
    log = []

    def takes_turns(name):
        for _ in range(3):
            log.append(name)
            yield sleep(0)

    t.add(takes_turns("a"))
    t.add(takes_turns("b"))
    t.run()
    assert "".join(log) == "ababab"
    assert t.reactor.now == 0


def test_a_sleep_with_the_real_clock_is_not_too_short(core):
    with core.Waiting() as t:
        started = t.reactor.clock()
        t.add(sleep(0.02).__iter__())
        t.run()
        assert t.reactor.clock() - started >= 0.02


async def awaiting(t):
    await sleep(1)
    got = await timeout(5, native(t))
    try:
        await timeout(2, sleep(3))
    except TimeoutError as error:
        return got, str(error), t.reactor.now


def from_(t):
    yield from sleep(1)
    got = yield from timeout(5, native(t))
    try:
        yield from timeout(2, sleep(3))
    except TimeoutError as error:
        return got, str(error), t.reactor.now


def yielding(t):
    yield sleep(1)
    got = yield timeout(5, native(t))
    try:
        yield timeout(2, sleep(3))
    except TimeoutError as error:
        return got, str(error), t.reactor.now


@pytest.mark.parametrize("how", [awaiting, from_, yielding])
def test_to_yield_to_await_and_to_yield_from_are_the_same(t, how):
    assert outcome(t, how(t)) == (3, up(2), 5)


bad_seconds = {
    "text": ("1", TypeError), "bytes": (b"1", TypeError), "None": (None, TypeError), "complex": (1j, TypeError), "a list": ([1], TypeError),
    "negative": (-1, ValueError), "nan": (math.nan, ValueError), "-inf": (-math.inf, ValueError), "too negative": (-(10**400), ValueError),
    "decimal nan": (Decimal("nan"), ValueError),
}  # fmt: skip


@pytest.mark.parametrize("name", bad_seconds)
def test_what_is_no_number_of_seconds(name):
    seconds, error = bad_seconds[name]
    with pytest.raises(error, match=r"sleep\(\) takes a number of seconds"):
        sleep(seconds)
    with pytest.raises(error, match=r"timeout\(\) takes a number of seconds"):
        timeout(seconds, sleep(1))


@pytest.mark.parametrize("seconds", [Fraction(1, 2), Decimal("0.5"), True, -0.0, 5e-324, 1e308, 10**400])
def test_what_is_a_number_of_seconds(seconds):
    assert sleep(seconds).seconds >= 0
    assert repr(sleep(seconds)).startswith("sleep(")


@pytest.mark.parametrize("what", [42, None, "text", lambda: 1, native])
def test_timeout_of_what_is_no_coroutine(what):
    with pytest.raises(TypeError, match=r"timeout\(\) takes a coroutine"):
        timeout(1, what)


def test_timeout_of_inf_is_no_limit(t):
    assert outcome(t, limited(t, math.inf, sleeper(t, 1e9, [], "done"))) == ("done", 1e9)


def test_a_sleep_that_never_ends_can_be_limited(t):
    assert outcome(t, limited(t, 3, sleep(math.inf))) == (up(3), 3)


def test_one_sleep_may_be_yielded_again_and_again_but_not_by_two_at_once(t):
    def ticks(tick, n):
        for _ in range(n):
            yield tick
            log.append(t.reactor.now)

    log = []
    t.add(ticks(sleep(2), 3))
    t.run()
    assert log == [2, 4, 6]
    shared = sleep(2)
    t.add(ticks(shared, 1))
    p = t.add(ticks(shared, 1))
    with pytest.raises(RuntimeError, match="another pseudothread waits for this sleep"):
        t.run()
    assert p.done
    t.run()
    assert log == [2, 4, 6, 8]


def test_a_sleeper_that_is_resumed_early_and_sleeps_again_sleeps_its_whole_time(t):
    def ticks(tick):
        for _ in range(2):
            log.append(((yield tick), t.reactor.now))

    log = []
    p = t.add(ticks(sleep(5)))
    t.reactor.at(3, lambda: p.resume("early"))
    t.run()
    assert log == [("early", 3), (None, 8)]


@pytest.mark.parametrize("clock", [lambda: math.nan, lambda: "late", lambda: 1 / 0, lambda: None])
@pytest.mark.parametrize("wait", [lambda: sleep(1), lambda: timeout(1, sleep(2)), lambda: timeout(1, native(None))])
def test_a_clock_of_bad_form_is_an_error_for_who_asks_for_time(core, clock, wait):
    def root():
        try:
            yield wait()
        except (ValueError, TypeError, ZeroDivisionError) as error:
            return error

    with core.Waiting(clock=clock) as t:
        p = t.add(root())
        t.run()
        assert isinstance(p.result(), Exception)
        assert not t.reactor.waiting
