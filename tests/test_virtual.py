"""Simulated time: a clock that jumps, and the order of what is real and what is not.

Nothing here waits for a deadline, so a test of hours that took more than LIMIT would say so.
"""

import math
import random
import threading
import time

import pytest
from conftest import CORES, load
from coroutines import outcome, waits
from wires import LIMIT, pair

import trampoline
from trampoline import Deadlock, Reactor, Suspension, VirtualClock, in_thread, nonblocking_read, nonblocking_write, sleep, timeout


@pytest.fixture
def clock():
    """A clock of its own for each test."""
    return VirtualClock()


@pytest.fixture
def t(core, clock):
    """A trampoline on it; the whole test takes no time."""
    started = time.monotonic()
    with core.Waiting(clock=clock) as made:
        yield made
    assert time.monotonic() < started + LIMIT


def test_a_virtual_clock(clock):
    assert (clock(), clock.now, clock.patience) == (0, 0, 0)
    clock.jump(5)
    clock.jump(3)
    assert clock() == clock.now == 5
    assert repr(clock) == "<VirtualClock at 5.0>"
    assert VirtualClock(100).now == 100
    clock.jump(7)
    assert (clock(), type(clock.now)) == (7, float)
    with pytest.raises(AttributeError):
        clock.now = 3
    for wrong in ("1", None, -1, math.nan):
        with pytest.raises((TypeError, ValueError), match=r"VirtualClock\(\) takes a number of seconds"):
            VirtualClock(wrong)
        with pytest.raises((TypeError, ValueError), match=r"the patience of VirtualClock\(\) takes a number of seconds"):
            VirtualClock(patience=wrong)


def test_hours_pass_at_once(t, clock):
    def slow():
        try:
            yield sleep(100 * 3600)
        finally:
            yield sleep(60)
            log.append(clock.now)

    log = []
    with pytest.raises(TimeoutError):
        outcome(t, timeout(3600, slow()))
    assert log == [3660]
    assert clock.now == 3660
    assert "reactor" not in vars(t), "nothing of the system was asked for"


def test_order(t, clock):
    def ticks(name, seconds):
        for _ in range(3):
            yield sleep(seconds)
            log.append((clock.now, name))

    log = []
    for name, seconds in (("a", 2), ("b", 3), ("c", 2)):
        t.add(ticks(name, seconds))
    t.run()
    assert log == [(2, "a"), (2, "c"), (3, "b"), (4, "a"), (4, "c"), (6, "b"), (6, "a"), (6, "c"), (9, "b")]


def test_time_stands_still_while_anything_is_queued(t, clock):
    def busy():
        for _ in range(5000):
            yield sleep(0)
            assert clock.now == 0
        log.append("busy")

    def late():
        yield sleep(1e-9)
        log.append("late")

    log = []
    t.add(late())
    t.add(busy())
    t.run()
    assert log == ["busy", "late"]


def test_deadlines_of_the_reactor_and_of_sleepers_come_in_one_order(t, clock):
    log = []
    for seconds in (3, 1):
        t.add(waits(sleep(seconds)))
    for when in (2, 1, 4):
        t.reactor.at(when, lambda when=when: log.append((clock.now, when)))
    t.run()
    assert log == [(1, 1), (2, 2)], "as on a real clock: nobody waits for the last one"


def test_a_start_and_more_than_one_run(core):
    clock = VirtualClock(1000)
    with core.Waiting(clock=clock) as t:
        for n in (1, 2):
            t.add(waits(sleep(5)))
            t.run()
            assert clock.now == 1000 + 5 * n


def test_a_reactor_with_a_virtual_clock(core, clock):
    reactor = Reactor(clock)
    with core.Waiting(reactor=reactor) as t:
        t.add(waits(sleep(3600)))
        t.run()
        assert clock.now == 3600
    reactor.close()


class Logged(VirtualClock):
    """Derived by a user: it writes down when it jumps."""

    __slots__ = ("jumps",)

    def __init__(self):
        super().__init__()
        self.jumps = []

    def jump(self, when):
        self.jumps.append(when)
        super().jump(when)


class Foreign:
    """All that makes a clock a virtual one."""

    def __init__(self):
        self.seconds = 0
        self.jumps = []

    def __call__(self):
        return self.seconds

    def jump(self, when):
        self.jumps.append(when)
        self.seconds = when


@pytest.mark.parametrize("kind", [Logged, Foreign])
def test_a_clock_of_the_users_own(core, kind):
    clock = kind()
    with core.Waiting(clock=clock) as t:
        for seconds in (7, 5, 5):
            t.add(waits(sleep(seconds)))
        t.run()
    assert clock.jumps == [5, 7]
    assert clock() == 7


def test_a_clock_that_does_not_jump_is_an_error_not_an_endless_loop(core):
    class Broken(Foreign):
        def jump(self, when):
            raise ArithmeticError("broken")

    with core.Waiting(clock=Broken()) as t:
        p = t.add(waits(sleep(5)))
        with pytest.raises(ArithmeticError, match="broken"):
            t.run()
        assert p.state == "parked"


def test_nothing_can_wake_it(t, clock, park):
    t.add(waits(sleep(5)))
    t.add(waits(park))
    with pytest.raises(Deadlock, match="1 pseudothread waits"):
        t.run()
    assert clock.now == 5
    park.last.resume()
    t.run()


def test_files_that_are_ready_come_before_the_jump(t, clock):
    def asks(sock):
        yield nonblocking_write(sock, b"ping")
        return (yield timeout(3600, nonblocking_read(sock))), clock.now

    def answers(sock):
        yield nonblocking_read(sock)
        yield sleep(60)
        yield nonblocking_write(sock, b"pong")

    ours, theirs = pair()
    with ours, theirs:
        t.add(answers(theirs))
        assert outcome(t, asks(ours)) == (b"pong", 60)


def test_a_peer_that_does_not_answer(t, clock):
    ours, theirs = pair()
    with ours, theirs:
        with pytest.raises(TimeoutError):
            outcome(t, timeout(3600, nonblocking_read(ours)))
        assert clock.now == 3600


def test_patience_for_a_peer_in_another_process(core):
    clock = VirtualClock(patience=LIMIT)
    ours, theirs = pair()
    with ours, theirs, core.Waiting(clock=clock) as t:
        thread = threading.Timer(0.02, lambda: theirs.send(b"late"))
        thread.start()
        assert outcome(t, timeout(3600, nonblocking_read(ours))) == b"late"
        assert clock.now == 0
        thread.join()


def test_patience_has_an_end(core, monkeypatch):
    monkeypatch.setattr("trampoline._reactor._LONGEST", 0.001)  # seconds of one system call
    clock = VirtualClock(patience=0.06)
    ours, theirs = pair()
    with ours, theirs, core.Waiting(clock=clock) as t:
        with pytest.raises(TimeoutError):
            outcome(t, timeout(3600, nonblocking_read(ours)))
        assert clock.now == 3600


def test_a_file_without_a_deadline_is_waited_for_for_real(t, clock):
    ours, theirs = pair()
    with ours, theirs:
        thread = threading.Timer(0.02, lambda: theirs.send(b"late"))
        thread.start()
        assert outcome(t, waits(nonblocking_read(ours))) == b"late"
        assert clock.now == 0
        thread.join()


def test_time_stands_still_while_a_call_on_a_thread_goes_on(t, clock):
    def root():
        yield sleep(10)
        got = yield timeout(1, in_thread(lambda: time.sleep(0.02) or "done"))
        return got, clock.now

    t.add(waits(sleep(10.5)))
    assert outcome(t, root()) == ("done", 10)
    assert clock.now == 10.5
    assert not t._outside


class Outside(Suspension):
    """What another thread resumes."""

    external = True

    def __init__(self):
        self.parked = threading.Event()

    def suspend(self, pseudothread):
        self.pseudothread = pseudothread
        self.parked.set()


@pytest.mark.parametrize("end", ["resume", "throw", "close"])
def test_and_while_anything_else_from_outside_is_waited_for(t, clock, end):
    def ends():
        outside.parked.wait(LIMIT)
        time.sleep(0.02)
        assert clock.now == 0
        if end == "resume":
            outside.pseudothread.resume(5)
        elif end == "throw":
            outside.pseudothread.throw(KeyError("from outside"))
        else:
            t.queue.append(outside.pseudothread.close)

    outside = Outside()
    p = t.add(waits(outside))
    t.add(waits(sleep(3600)))
    thread = threading.Thread(target=ends)
    thread.start()
    if end == "throw":
        with pytest.raises(KeyError, match="from outside"):
            t.run()
    t.run()
    thread.join()
    assert p.done
    assert clock.now == 3600
    assert not t._outside


def test_an_external_that_refuses_to_wait(t, clock):
    class Refuses(Outside):
        def suspend(self, pseudothread):
            raise KeyError("refused")

    class Unsaid(Outside):
        @property
        def external(self):
            raise KeyError("unsaid")

    for kind in (Refuses, Unsaid):
        with pytest.raises(KeyError):
            outcome(t, waits(kind()))
        assert not t._outside
    outcome(t, waits(sleep(5)))
    assert clock.now == 5


def test_two_trampolines_with_one_clock(core, clock):
    def asks():
        yield sleep(1)
        other.add(waits(sleep(5)))
        other.run()
        yield sleep(1)
        return clock.now

    with core.Waiting(clock=clock) as t, core.Waiting(clock=clock) as other:
        assert outcome(t, asks()) == 7


@pytest.mark.parametrize("queue", ["own", "deque", "overridden schedule"])
def test_every_kind_of_queue(core, clock, queue):
    import collections

    class Own(core.Waiting):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            return super().schedule(coroutine, stack, val, *exc)

    def ticks(name):
        for _ in range(3):
            yield sleep(2)
            log.append((clock.now, name))

    log = []
    with (Own if queue == "overridden schedule" else core.Waiting)(clock=clock) as t:
        if queue == "deque":
            t.queue = collections.deque()
        t.add(ticks("a"))
        t.add(ticks("b"))
        t.run()
    assert log == [(2, "a"), (2, "b"), (4, "a"), (4, "b"), (6, "a"), (6, "b")]


def random_sleepers(t, clock, seed):
    """Run sleepers that wake, interrupt, close and time out one another at random; return what happened."""
    draw, log = random.Random(seed), []

    def sleeper(n):
        for _ in range(draw.randrange(1, 9)):
            try:
                what = draw.randrange(6)
                if what == 0:
                    yield timeout(draw.random(), sleep(draw.random()))
                elif what == 1:
                    sleepers[draw.randrange(len(sleepers))].throw(KeyError(n))
                elif what == 2:
                    sleepers[draw.randrange(len(sleepers))].resume(n)
                elif what == 3 and n != (victim := draw.randrange(len(sleepers))):
                    sleepers[victim].close()
                else:
                    log.append((yield sleep(draw.choice([0, 0.5, 1, draw.random(), math.inf if what == 5 else 2]))))
            except (KeyError, TimeoutError, RuntimeError) as error:
                log.append((type(error).__name__, str(error) if isinstance(error, KeyError) else ""))
            log.append((round(clock.now, 9), n))

    sleepers = [t.add(sleeper(n)) for n in range(12)]
    try:
        t.run()
    except Deadlock as error:
        log.append(len(error.pseudothreads))
    return log


@pytest.mark.skipif(len(CORES) < 2, reason="only one core is tested")
def test_both_cores_do_the_same():
    for seed in range(60):
        logs = []
        for name in CORES:
            clock = VirtualClock()
            with load(name).Waiting(clock=clock) as t:
                logs.append(random_sleepers(t, clock, seed))
        assert logs[0] == logs[1], seed


def test_it_is_public():
    assert trampoline.VirtualClock is VirtualClock
