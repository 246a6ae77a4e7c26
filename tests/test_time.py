"""Time: `sleep()` and `timeout()`.

Most run on a clock that jumps to the next deadline (`simulated.Jumping`), so what they say of order and moment is exact, and none
waits. The last compares random trees of sleeps and timeouts with a model of a few lines.
"""

import contextlib
import gc
import math
import sys
import types
import weakref
from decimal import Decimal
from fractions import Fraction

import pytest
from conftest import CORES, load
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import Jumping

from trampoline import sleep, timeout


@pytest.fixture
def t(core):
    """A trampoline on a clock that jumps. Whatever a test does, it leaves no deadline behind."""
    reactor = Jumping()
    trampoline = core.Waiting(reactor=reactor)
    yield trampoline
    trampoline.close()
    assert not reactor.waiting
    assert not vars(trampoline).get("_pending")
    assert trampoline._limits == 0
    reactor.close()


def sleeper(t, seconds, log, name=None):
    yield sleep(seconds)
    log.append((seconds if name is None else name, t.reactor.now))
    return name


def limited(t, seconds, coroutine):
    """Return what `timeout()` gives, and when."""
    try:
        got = yield timeout(seconds, coroutine)
    except TimeoutError as error:
        return str(error), t.reactor.now
    return got, t.reactor.now


def up(seconds):
    return f"the {float(seconds)!r} seconds of timeout() were up"


def outcome(t, coroutine):
    p = t.add(coroutine)
    t.run()
    return p.result()


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


async def native(t):
    await sleep(2)
    return t.reactor.now


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


def test_timeout_of_inf_is_no_limit(t):
    assert outcome(t, limited(t, math.inf, sleeper(t, 1e9, [], "done"))) == ("done", 1e9)


def test_a_sleep_that_never_ends_can_be_limited(t):
    assert outcome(t, limited(t, 3, sleep(math.inf))) == (up(3), 3)


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


ends = {"close": lambda p: p.close(), "throw": lambda p: p.throw(KeyError("thrown")), "resume": lambda p: p.resume("early")}


@pytest.mark.parametrize("end", ends)
@pytest.mark.parametrize("wrap", [0, 1, 3])
def test_however_it_ends_no_deadline_is_left(t, end, wrap):
    def waits(levels):
        return (yield (timeout(20 + levels, waits(levels - 1)) if levels else sleep(10)))

    p = t.add(waits(wrap))
    t.queue.append(t.stop)
    t.run()
    while p.state == "queued":
        t.queue.popleft()()
    assert t.reactor.waiting
    assert t._limits == wrap
    ends[end](p)
    if end == "throw":
        with pytest.raises(KeyError, match="thrown"):
            t.run()
    else:
        assert t.run() == (None if end == "close" else "early")
    assert p.done
    assert t._limits == 0
    if end != "resume" or wrap:  # whoever resumes a sleeper by hand leaves its deadline, which wakes nobody
        assert t.reactor.waiting is (end == "resume")
    t.reactor.close()


@pytest.mark.parametrize("turns", range(6))
def test_closed_after_any_number_of_turns(t, turns):
    log = []

    def callee():
        try:
            yield sleep(5)
        finally:
            log.append("finally")

    p = t.add(limited(t, 9, callee()))
    for _ in range(turns):
        if t.queue:
            t.queue.popleft()()
    p.close()
    assert log == (["finally"] if turns > 3 else [])
    assert not t.reactor.waiting


def test_a_timeout_that_was_never_begun():
    timeout(1, sleep(1))
    timeout(1, limited(None, 1, sleep(1))).close()
    with pytest.warns(RuntimeWarning, match="never awaited"):
        timeout(1, native(None))


@pytest.mark.filterwarnings("ignore:coroutine 'native' was never awaited:RuntimeWarning")
@pytest.mark.parametrize("turns", range(1, 8))
def test_a_trampoline_that_is_dropped_is_collected_with_its_timeouts(core, turns):
    t = core.Waiting()
    alive = [weakref.ref(t.add(limited(t, 900, wait))) for wait in (sleeper(t, 500, []), sleep(500), native(t), timeout(800, sleep(500)))]
    alive.append(weakref.ref(t))
    for _ in range(turns * 4):
        if t.queue:
            t.queue.popleft()()
    if turns > 6:
        alive.append(weakref.ref(t.reactor))
        assert len(t._all_parked()) == 4
    del t
    gc.collect()
    gc.collect()  # what the finalizers let go
    assert [ref() for ref in alive if ref() is not None] == []


def frames(error):
    """Return the names of the functions in the traceback, from the first that is of this file."""
    names, traceback = [], error.__traceback__
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    return names


@pytest.mark.parametrize("how", ["yield", "yield from"])
def test_the_traceback_has_no_frame_of_timeout(t, how):
    def fails():
        yield sleep(1)
        raise KeyError("mine")

    def late():
        yield sleep(10)

    def root(callee):
        if how == "yield":
            yield timeout(3, callee)
        else:
            yield from timeout(3, callee)

    for callee, error, names in ((fails(), KeyError, ["root", "fails"]), (late(), TimeoutError, ["root"])):
        p = t.add(root(callee))
        with pytest.raises(error) as caught:
            t.run()
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None
        with pytest.raises(error) as again:
            p.result()
        if sys.version_info >= (3, 11):  # before that a frame cannot take itself out
            shown = [name for name in frames(again.value) if not name.endswith("result")]
            assert shown == ["test_the_traceback_has_no_frame_of_timeout", *names]


class Token:
    """What can be watched."""


LEFT_BEHIND = (types.GeneratorType, types.CoroutineType, types.FrameType, types.TracebackType)


@pytest.mark.parametrize("end", ["result", "error", "late", "swallowed", "closed"])
def test_nothing_is_kept_alive_and_there_are_no_cycles(core, t, end):
    watched = []

    def token():
        made = Token()
        watched.append(weakref.ref(made))
        return made

    def callee(kept):
        if end == "swallowed":
            try:
                yield sleep(20)
            except BaseException:
                return token()
        yield sleep(1 if end in ("result", "error") else 20)
        if end == "error":
            raise KeyError(token())
        return token()

    def root():
        try:
            yield timeout(5, callee(token()))
        except (TimeoutError, KeyError) as error:
            caught.append(error)
        yield sleep(1)

    caught = []
    gc.collect()
    gc.disable()
    try:
        p = t.add(root())
        watched.append(weakref.ref(p))
        if end == "closed":
            t.reactor.at(2, p.close)
        t.run()
        assert len(caught) == (end in ("error", "late", "swallowed"))
        if end != "error":  # that has the value, and the frame of the callee
            assert [ref() for ref in watched[:-1] if ref() is not None and ref() is not p] == []
        caught.clear()
        t.queue.append(bool)  # the last turn's value goes with the next entry
        t.run()
        del p
        assert [ref() for ref in watched if ref() is not None] == []
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert [
            thing for thing in gc.garbage if isinstance(thing, (Token, BaseException, *LEFT_BEHIND, type(t.add(sleeper(t, 0, [])))))
        ] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_cancelled_deadlines_do_not_pile_up(t):
    def many():
        for _ in range(3000):
            yield timeout(1e6, sleep(0))
        return sum(type(thing).__name__ == "Deadline" for thing in gc.get_objects())

    t.add(sleeper(t, 2e6, []))
    assert outcome(t, many()) < 300
    assert t.reactor.now == 2e6


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


# A tree: (word, ...). It is run by `tree()`, and `model()` says when and how it ends, in whole seconds, if it begins at `now`.
trees = st.recursive(
    st.one_of(st.tuples(st.just("sleep"), st.integers(1, 40)), st.tuples(st.just("fail"))),
    lambda inner: st.one_of(
        st.tuples(st.just("timeout"), st.integers(1, 40), inner),
        st.tuples(st.just("then"), inner, inner),
        st.tuples(st.just("finally"), inner, inner),
        st.tuples(st.just("catch"), inner, inner),
    ),
    max_leaves=8,
)


class Up(Exception):
    """In the model: the time of the timeout with this number is up."""


def tree(t, log, word, *parts):
    """Run a tree. A timeout has half a second more than a number of whole ones."""
    log.append((word, t.reactor.now))
    if word == "sleep":
        yield sleep(parts[0])
    elif word == "fail":
        raise KeyError("failed")
    elif word == "timeout":
        yield timeout(parts[0] + 0.5, tree(t, log, *parts[1]))
    elif word == "then":
        yield tree(t, log, *parts[0])
        yield tree(t, log, *parts[1])
    elif word == "finally":
        try:
            yield tree(t, log, *parts[0])
        finally:
            yield tree(t, log, *parts[1])
    else:
        try:
            yield tree(t, log, *parts[0])
        except (KeyError, TimeoutError):
            yield tree(t, log, *parts[1])
    log.append((word, "ended", t.reactor.now))


def model(log, now, limits, word, *parts):
    """Return when that ends if it begins at `now`, or raise (KeyError or TimeoutError, when) or Up(limit, when). `limits`: [when, told]."""
    log.append((word, now[0]))
    if word == "sleep":
        due = [limit for limit in limits if not limit[1] and limit[0] <= now[0] + parts[0]]
        if due:
            first = min(due, key=lambda limit: limit[0])
            now[0], first[1] = max(now[0], first[0]), True
            raise Up(first)
        now[0] += parts[0]
    elif word == "fail":
        raise KeyError
    elif word == "timeout":
        pending = [limit for limit in limits if not limit[1] and limit[0] <= now[0]]
        if pending:
            first = min(pending, key=lambda limit: limit[0])
            first[1] = True
            raise Up(first)
        mine = [now[0] + parts[0] + 0.5, False]
        try:
            model(log, now, [*limits, mine], *parts[1])
        except Up as up:
            if up.args[0] is not mine:
                raise
        if mine[1]:
            raise TimeoutError
    elif word == "then":
        model(log, now, limits, *parts[0])
        model(log, now, limits, *parts[1])
    elif word == "finally":
        try:
            model(log, now, limits, *parts[0])
        finally:
            model(log, now, limits, *parts[1])
    else:
        try:
            model(log, now, limits, *parts[0])
        except (KeyError, TimeoutError):
            model(log, now, limits, *parts[1])
    log.append((word, "ended", now[0]))


def told(log, act):
    try:
        act()
    except (KeyError, TimeoutError) as error:
        log.append(type(error).__name__)
    return log


@pytest.mark.parametrize("name", CORES)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(programs=st.lists(trees, min_size=1, max_size=3))
def test_random_trees_of_sleeps_and_timeouts_end_when_the_model_says(name, programs):
    reactor = Jumping()
    t = load(name).Waiting(reactor=reactor)
    logs = [[] for _ in programs]
    for log, program in zip(logs, programs, strict=True):
        t.add(tree(t, log, *program), name=str(len(logs)))
    ps = list(t.queue)
    while not all(p.done for p in ps):
        with contextlib.suppress(KeyError, TimeoutError):
            t.run()
    for log, p in zip(logs, ps, strict=True):
        told(log, p.result)
    assert logs == [told(log, lambda: model(log, [0], [], *program)) for program in programs for log in [[]]]  # noqa: B023 -- called at once
    assert not reactor.waiting
    reactor.close()
