"""What hardly ever happens, so that no other test comes by: hooks of the core that `Trampoline` has its own of, the other classes of the
core used on their own, and odd objects in odd places.
"""

import contextvars
import gc
import io
import os
import sys
import threading
import time

import pytest
from conftest import CORES, Park, load

import trampoline
from trampoline import Lock, Suspension, gather, in_thread, readable, sleep
from trampoline._base import kinds, meaning_of
from trampoline._dump import _write
from trampoline._seconds import Expired
from trampoline._stacks import _duration


def value(result):
    return result
    yield


async def native(result):
    return result


class Awaitable:
    def __await__(self):
        return value(1)


def test_the_core_alone(core, park):
    """Without the layer above it nothing stands for anything else, and nothing is waited for."""

    def gives():
        yield Awaitable()

    def root():
        got = yield gives()
        child = yield core.spawn(native(2))
        return got, (yield child), (yield from gather(native(3), value(4)))

    t = core.module.BaseTrampoline()
    assert not t._asks
    t._asks = True
    assert t._asks
    p, other = t.add(root()), t.spawn(native(5))
    parked = t.add(value(park))
    t.run()
    assert p.result()[1:] == (2, [3, 4])
    assert type(p.result()[0]) is Awaitable
    assert other.result() == 5
    assert parked.result() is park
    t.add(iter_of(park))
    assert t.run() is None
    t._running = True
    assert t._running


def iter_of(suspension):
    return (yield suspension)


def test_a_waker_is_told_of_what_comes_first_and_of_another_queue(core):
    woken = []
    t = core.Trampoline()
    t._waker = lambda: woken.append(len(t.queue))
    t.queue.appendleft(int)
    t.queue = type(t.queue)()
    assert woken == [1, 0]
    t._waker = None


def test_running_may_be_set(core):
    t = core.Trampoline()
    t.running = True
    assert t.running
    t.running = False


def test_a_spawn_by_yield_from(core):
    def root():
        p = yield from core.spawn(value(7))
        return (yield p)

    t = core.Trampoline()
    t.add(root())
    assert t.run() == 7


@pytest.mark.parametrize("name", ["Channel", "Group", "Pseudothread"])
def test_classes_that_have_no_subclasses(core, name):
    with pytest.raises(TypeError, match=f"{name}' is not an acceptable base type"):
        type("Derived", (getattr(core.module, name),), {})


def test_what_spawn_returns_has_no_subclasses(core):
    spawning = core.spawn(value(7))
    with pytest.raises(TypeError, match="Spawning' is not an acceptable base type"):
        type("Derived", (type(spawning),), {})


def test_an_interrupt_that_is_thrown_into_one_is_not_swallowed_where_that_is_closed_before_its_turn(core, park):
    t, log = core.Trampoline(), []

    def root():
        try:
            yield park
        finally:
            log.append("finally")

    p = t.add(root())
    t.run()
    p.throw(KeyboardInterrupt("on its way"))
    with pytest.raises(KeyboardInterrupt, match="on its way"):
        p.close()
    assert (log, p.done, len(t.queue)) == (["finally"], True, 0)


def test_more_channel_operations_than_are_kept(core):
    channel = core.Channel(1)
    operations = [channel.get() for _ in range(5000)]
    del operations
    t = core.Trampoline()

    def root():
        yield channel.put(1)
        return (yield channel.get())

    t.add(root())
    assert t.run() == 1


class NoError(Exception):
    def __new__(cls, *args):
        return "no error"


def test_a_class_of_errors_that_makes_none(core, park):
    t = core.Trampoline()
    p = t.add(iter_of(park))
    t.run()
    with pytest.raises(TypeError, match="makes"):
        p.throw(NoError)
    assert p.state == "parked"


class Refusing(type):
    """A class that cannot be looked up: what is meant is asked of its bases then, unless that is interrupted."""

    error = ValueError

    def __hash__(cls):
        raise cls.error("no hash")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_class_that_refuses_to_be_looked_up(core, error):
    kind = Refusing("Kind", (), {})

    def root():
        try:
            yield made()
        except BaseException as caught:
            return type(caught)

    def made():
        Refusing.error = error
        yield kind()

    t = core.Trampoline()
    t.add(root())
    try:
        got = t.run()
    finally:
        Refusing.error = ValueError
    assert got in (None, KeyboardInterrupt)


class Changing:
    """An object that is interrupted when it is asked for its class."""

    @property
    def __class__(self):
        raise KeyboardInterrupt("asked")


def test_an_object_that_is_interrupted_when_asked_for_its_class(core):
    def root():
        try:
            yield leaf()
        except KeyboardInterrupt as error:
            return error.args

    def leaf():
        yield Changing()

    t = core.Trampoline()
    t.add(root())
    assert t.run() == ("asked",)


def test_more_classes_than_are_remembered(core):
    before = dict(kinds)
    try:
        for number in range(300):
            meaning_of(type(f"Kind{number}", (), {})())
        assert len(kinds) <= 256
    finally:
        kinds.clear()
        kinds.update(before)


class Stops(Suspension):
    def suspend(self, pseudothread):
        pseudothread.resume()
        pseudothread.trampoline.stop()


def test_a_call_that_is_stopped():
    with pytest.raises(RuntimeError, match="taken out of the queue, or stopped, before its end"):
        trampoline.trampoline(iter_of(Stops()))


class Odd:
    def fileno(self):
        return "three"


@pytest.mark.parametrize(("file", "text"), [(io.StringIO(), "has none"), (Odd(), "not a number")])
def test_a_file_that_is_none(core, file, text):
    t = core.Waiting()
    t.add(iter_of(readable(file)))
    with pytest.raises(TypeError, match=text):
        t.run()
    t.close()


class NoNumber:
    def __float__(self):
        raise ValueError("no number")


def test_seconds_that_fail():
    with pytest.raises(TypeError, match="seconds"):
        sleep(NoNumber())


def test_how_they_show_themselves(core):
    assert str(Expired()) == "the seconds of a timeout() are up"
    assert [_duration(seconds) for seconds in (2, 130, 7300)] == ["2.0 s", "2 min 10 s", "2 h 1 min"]
    assert repr(core.module.Limit(3.0)) == "timeout(3.0, ...)"
    shown = []

    def root():
        lock = Lock()
        held = yield lock
        shown.append(repr(held))

    t = core.Waiting()
    t.add(root())
    t.run()
    t.close()
    assert shown


def test_a_thread_that_waits_shows_what_for(core):
    begun, goes_on, shown = threading.Event(), threading.Event(), []

    def works():
        begun.set()
        goes_on.wait(60)

    t = core.Waiting()
    p = t.add(iter_of(in_thread(works)))

    def looks():
        while not begun.is_set():
            yield sleep(0.001)
        shown.append(repr(p))
        goes_on.set()

    t.add(looks())
    t.run()
    t.close()
    assert "parked for" in shown[0]


@pytest.mark.skipif(sys.platform in ("win32", "emscripten"), reason="its pipes always block")
def test_a_full_pipe_is_not_waited_for():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb") as ours, open(writing, "w") as theirs:
        _write(theirs, "x" * 10_000_000)
        assert ours.read(10) == b"x" * 10


def test_park_is_shared(core):
    """A suspension of the test's own may be waited for by many."""
    park, t = Park(), core.Trampoline()
    for _ in range(3):
        t.add(iter_of(park))
    t.run()
    for p in park.parked:
        p.resume(1)
    assert t.run() == 1


@pytest.mark.skipif("c" not in CORES, reason="the core in Python has no traverse functions")
def test_what_holds_an_object_can_be_asked():
    """gc.get_referrers() ends a traversal early, which the collector never does."""
    core = load("c")

    def down(n):
        return (yield down(n - 1) if n else Park())

    t = core.Trampoline()
    p, q = t.add(down(5)), t.add(value(1))
    assert t.queue in gc.get_referrers(p)
    assert t.queue in gc.get_referrers(q)
    t.run()
    for coroutine in p.stack:
        assert p in gc.get_referrers(coroutine)
    channel = core.Channel(0)
    operations = [channel.put(number) for number in range(3)]
    for operation in operations:
        t.add(iter_of(operation))
    t.run()
    gc.collect()
    for operation in operations:
        assert channel in gc.get_referrers(operation)
    t.close()


def test_timers_say_whether_they_are_alone(core):
    assert core.module.Timers(time.monotonic).alone


def test_a_context_that_is_entered_already(core):
    def by_hand(log):
        try:
            t.queue.popleft()()
        except RuntimeError as error:
            log.append(str(error))
        yield

    entered, other, log = contextvars.copy_context(), contextvars.copy_context(), []
    t = core.Trampoline()
    t.add(by_hand(log), context=entered)
    t.add(by_hand(log), context=other)
    p = t.add(value(3), context=entered)
    t.run()
    assert [text.startswith("cannot enter context") for text in log] == [True]
    with pytest.raises(RuntimeError, match="cannot enter context"):
        p.result()
