"""The heap of deadlines and what stands in it, on each core: in order, cancelled, cleared, collected. And what else a `sleep` is asked."""

import gc
import inspect
import math
import pickle
import weakref

import pytest
from conftest import CORES, let_go, load
from hypothesis import given, settings
from hypothesis import strategies as st

from trampoline import Suspension, VirtualClock, timeout


@pytest.fixture
def clock():
    """A clock that is set by the test."""
    return VirtualClock()


@pytest.fixture
def timers(core, clock):
    """Deadlines on it."""
    return core.module.Timers(clock)


class Clock:
    """Shows what it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("name", CORES)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("at"), st.integers(0, 30)),
            st.tuples(st.just("cancel"), st.integers(0, 200)),
            st.tuples(st.just("pass"), st.integers(0, 8)),
        ),
        max_size=300,
    )
)
def test_random_deadlines(name, steps):
    clock = Clock()
    timers, log, expected, waiting, made = load(name).module.Timers(clock), [], [], [], []
    for what, number in steps:
        if what == "at":
            entry = (clock.now + number, len(made))
            made.append((timers.at(entry[0], lambda entry=entry: log.append(entry)), entry))
            waiting.append(entry)
        elif what == "cancel" and made:
            deadline, entry = made[number % len(made)]
            timers.cancel(deadline)
            assert deadline.ready is None
            if entry in waiting:
                waiting.remove(entry)
        elif what == "pass":
            clock.now += number
            timers.fire()
            expected += sorted(entry for entry in waiting if entry[0] <= clock.now)
            waiting = [entry for entry in waiting if entry[0] > clock.now]
        assert log == expected
        assert len(timers) == len(waiting)
        assert timers.left() == (min(waiting)[0] - clock.now if waiting else None)


def test_thousands_cancelled_and_left(timers):
    log = []
    made = [timers.at((7919 * n) % 5000 + 1, lambda n=n: log.append(n)) for n in range(5000)]
    for n, deadline in enumerate(made):
        if n % 10:
            timers.cancel(deadline)
    assert len(timers) == 500
    late = timers.at(6000, lambda: log.append("late"))  # now the heap is tidied up
    assert len(timers) == 501
    assert late.when == 6000
    while timers.jump():
        pass
    assert log == [*sorted(range(0, 5000, 10), key=lambda n: (7919 * n) % 5000), "late"]


def test_what_is_called_may_set_cancel_and_clear(timers, clock):
    def first():
        log.append("first")
        timers.at(1, lambda: log.append("at once"))
        timers.cancel(second)
        timers.cancel(me)

    log = []
    me = timers.at(1, first)
    second = timers.at(1, lambda: log.append("second"))
    timers.at(2, lambda: (log.append("clear"), timers.clear()))
    timers.at(2, lambda: log.append("cleared"))
    while timers.jump():
        pass
    assert log == ["first", "at once", "clear"]
    assert (len(timers), clock.now) == (0, 2)


def test_an_error_is_called_once_and_an_interrupt_again(timers):
    def fails():
        log.append(1)
        raise errors.pop()

    log, errors = [], [IndexError(), KeyboardInterrupt(), KeyboardInterrupt()]
    timers.at(0, fails)
    for error in (KeyboardInterrupt, KeyboardInterrupt, IndexError):
        with pytest.raises(error):
            timers.fire()
    timers.fire()
    assert len(log) == 3
    assert len(timers) == 0


def test_bad_input(timers, core):
    with pytest.raises(
        ValueError, match=r"a deadline is a number of seconds, not nan: the clock, <VirtualClock at 0\.0>, should give numbers"
    ):
        timers.at(math.nan, int)
    with pytest.raises((TypeError, ValueError)):
        timers.at("soon", int)
    with pytest.raises((TypeError, AttributeError)):
        timers.cancel(None)
    assert len(timers) == 0
    assert timers.left() is None
    assert timers.jump() is False
    with pytest.raises(TypeError):
        core.module.Timers()


def test_a_clock_that_says_it_jumps_and_does_not(core):
    class Stands:
        def __call__(self):
            return 0

        def jump(self, when):
            pass

        def __repr__(self):
            return "Stands()"

    def naps():
        yield core.module.sleep(5)

    with core.Waiting(clock=Stands()) as t:
        t.add(naps())
        with pytest.raises(RuntimeError, match=r"the clock, Stands\(\), was told to jump to 5.0 and shows less: its jump\(when\)"):
            t.run()


def test_all_of_it_is_collected(core, clock):
    class Token:
        pass

    timers, alive = core.module.Timers(clock), []
    for n in range(300):
        token = Token()
        alive.append(weakref.ref(token))
        token.held = timers.at(n, lambda token=token: (token, timers))
    del token
    gc.collect()
    assert all(ref() is not None for ref in alive)
    timers = None
    gc.collect()
    assert all(ref() is None for ref in alive)


def test_a_deadline_lets_go_of_what_it_would_have_called(timers):
    class Token:
        def __call__(self):
            pass

    for end in (timers.cancel, lambda deadline: timers.jump()):
        token = Token()
        alive = weakref.ref(token)
        deadline = timers.at(1, token)
        del token
        gc.collect()
        assert alive() is not None
        end(deadline)
        let_go()
        assert alive() is None
        assert deadline.when == 1


@pytest.mark.parametrize("kind", ["sleep", "Limit", "Timers", "VirtualClock"])
def test_both_cores_have_the_same_classes(kind):
    if len(CORES) < 2:
        pytest.skip("only one core is tested")
    c, python = (getattr(load(name).module, kind) for name in ("c", "python"))
    assert inspect.getdoc(c) == inspect.getdoc(python)
    if kind in ("sleep", "Limit"):  # the others' are slots, which show none
        assert str(inspect.signature(c)) == str(inspect.signature(python))
    names = [{name for name in dir(kind) if not name.startswith("_")} for kind in (c, python)]
    assert names[0] == names[1]
    for name in names[0]:
        if callable(getattr(c, name)):
            assert inspect.getdoc(getattr(c, name)) == inspect.getdoc(getattr(python, name)), name
            assert str(inspect.signature(getattr(c, name))) == str(inspect.signature(getattr(python, name))), name


def test_a_sleep_is_a_suspension_of_its_own_kind(core, clock):
    sleep = core.module.sleep
    assert isinstance(sleep(1), Suspension)
    assert repr(sleep(seconds=2)) == "sleep(2.0)"
    assert sleep(3).seconds == 3
    alive = weakref.ref(nap := sleep(1))
    assert alive() is nap
    for wrong in ((), (1, 2)):
        with pytest.raises(TypeError):
            sleep(*wrong)
    with pytest.raises(TypeError):
        sleep(minutes=1)
    with pytest.raises(AttributeError):
        nap.other = 1
    for n in range(1000):  # more than are kept to be used again
        nap = [sleep(n) for n in range(n % 7)]


def test_a_class_derived_from_it(core, clock):
    class Nap(core.module.sleep):
        def __init__(self, minutes):
            super().__init__(minutes * 60)
            self.minutes = minutes

        def suspend(self, pseudothread):
            log.append(("suspend", self.minutes))
            super().suspend(pseudothread)

        def withdraw(self, pseudothread):
            log.append(("withdraw", self.minutes))
            super().withdraw(pseudothread)

    def naps():
        yield Nap(2)
        log.append(clock.now)
        try:
            yield timeout(60, Nap(3))
        except TimeoutError as error:
            log.append((str(error), clock.now))

    log = []
    with core.Waiting(clock=clock) as t:
        t.add(naps())
        t.run()
    up = "the 60.0 seconds of timeout() were up"
    assert log == [("suspend", 2), 120, ("suspend", 3), ("withdraw", 3), (up, 180)]
    assert core.module.sleep(1).__class__ is core.module.sleep


def test_the_other_cores_sleep_and_limit(core, clock):
    """Both cores' can be yielded to either: `trampoline.sleep` is that of the core in use."""

    def naps(sleep):
        yield sleep(5)
        yield sleep(0)
        log.append(clock.now)
        limit = other.Limit(7)
        yield limit
        try:
            yield sleep(math.inf)
        except BaseException as error:
            log.append((clock.now, type(error).__name__, limit.lift(error), error is limit.error))
        limit = other.Limit(9)
        yield limit
        assert not limit.lift()

    log = []
    for name in CORES:
        other = load(name).module
        with core.Waiting(clock=clock) as t:
            t.add(naps(other.sleep))
            t.run()
            assert (t._limits, len(t._timers)) == (0, 0)
    assert log[:2] == [5, (12, "Expired", True, False)]
    assert len(log) == 2 * len(CORES)


def test_a_timeout_error_tells_when_it_is_asked_and_is_copied_as_text(core, clock):
    def root():
        try:
            yield timeout(1.5, core.module.sleep(2))
        except TimeoutError as error:
            return error

    with core.Waiting(clock=clock) as t:
        p = t.add(root())
        t.run()
    text = "the 1.5 seconds of timeout() were up"
    assert str(p.result()) == text
    assert repr(p.result()) == "TimeoutError(timeout(1.5, ...))"
    assert str(pickle.loads(pickle.dumps(p.result()))) == text


@pytest.mark.parametrize("name", CORES)
def test_who_asks_the_garbage_collector_is_told_who_holds_a_deadline(name):
    timers = load(name).module.Timers(lambda: 0.0)
    deadlines = [timers.at(number, print) for number in range(3)]
    for deadline in deadlines:
        holders = gc.get_referrers(deadline)
        assert any(holder is not deadlines for holder in holders)
        assert name != "c" or any(holder is timers for holder in holders)
