"""Host loops: `step()`. What a step does, and what it says of the next one."""

import collections
import gc
import math
import sys
import threading
import time
import weakref

import pytest
from conftest import let_go
from coroutines import returned, waits
from hosts import fails, spins
from simulated import ByHand
from wires import LIMIT

from trampoline import Suspension, TailCall, VirtualClock, in_thread, readable, sleep, timeout


@pytest.fixture
def t(core):
    """A trampoline with a step() that waits for no host."""
    with core.Waiting() as made:
        yield made
    assert made._limits == 0


def test_what_a_step_says_of_the_next_one(t, park):
    assert t.step(budget=LIMIT) is None
    p = t.add(waits(park))
    assert t.step(budget=LIMIT) == math.inf
    assert p.state == "parked"
    park.last.resume(5)
    assert t.step(budget=LIMIT) is None
    assert p.result() == 5
    t.add(waits(sleep(1000)))
    assert 900 < t.step(budget=LIMIT) <= 1000
    t.add(waits(sleep(100)))
    assert 90 < t.step(budget=LIMIT) <= 100
    t.add(spins())
    assert t.step() == 0


def test_a_step_makes_all_turns_that_are_ready_and_what_follows(t):
    log = []

    def root(n):
        if n:
            t.add(root(n - 1))
        for _ in range(3):
            yield sleep(0)
        log.append(n)

    t.add(root(4))
    assert t.step(budget=LIMIT) is None
    assert sorted(log) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("queue", ["own", "deque"])
@pytest.mark.parametrize("budget", [0, 0.002])
def test_what_never_ends_does_not_hold_up_the_host(t, queue, budget):
    if queue == "deque":
        t.queue = collections.deque()
    logs = [], []
    for log in logs:
        t.add(spins(log))
    for _ in range(20):
        assert t.step(budget=budget) == 0
        assert not t.running
    assert len(logs[0]) > 2, "a step makes one turn at least"
    assert abs(len(logs[0]) - len(logs[1])) <= 1, "they take turns over all steps"


def test_a_step_that_may_wait_waits_for_what_is_ready_first(t, park):
    started = time.monotonic()
    p = t.add(waits(sleep(0.01)))
    t.add(waits(sleep(1000)))
    left = t.step(budget=LIMIT)
    while not p.done:  # on a busy machine it may be by now
        left = t.step(LIMIT)
    assert left > 900
    q = t.add(waits(park))
    t.step(budget=LIMIT)
    thread = threading.Timer(0.01, lambda: park.last.resume("from a thread"))
    thread.start()
    while (left := t.step(LIMIT)) == 0:  # while the thread is still in resume()
        pass
    assert left > 900
    assert q.result() == "from a thread"
    assert t.step(0.01) > 900
    assert time.monotonic() < started + LIMIT
    thread.join()


def test_a_step_with_something_queued_does_not_wait(t):
    t.add(waits(sleep(1000)))
    started = time.monotonic()
    assert t.step(1000) > 900
    assert time.monotonic() < started + LIMIT


def test_an_error_leaves_step_as_it_leaves_run_and_the_rest_stays(t):
    error, log = KeyError("mine"), []

    def says():
        for _ in range(9):
            yield sleep(0)
        log.append("said")

    p = t.add(fails(error), name="who fails")
    t.add(says())
    with pytest.raises(KeyError) as caught:
        t.step()
    assert caught.value is error
    assert error.__context__ is None
    names, traceback = [], error.__traceback__
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert names == ["test_an_error_leaves_step_as_it_leaves_run_and_the_rest_stays", "step", "fails"]
    if sys.version_info >= (3, 11):
        assert "who fails" in error.__notes__[0]
    assert p.done
    assert log == []
    assert t.step(budget=LIMIT) is None
    assert log == ["said"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, StopAsyncIteration])
def test_errors_of_all_kinds_leave_it(t, error):
    t.add(fails(error()))
    with pytest.raises(error):
        t.step()
    assert t.step(budget=LIMIT) is None


def test_an_error_of_a_deadline_leaves_it(t):
    def breaks():
        raise KeyError("mine")

    t.add(waits(sleep(1000)))
    t.step(budget=LIMIT)
    t.reactor.at(t.reactor.clock(), breaks)
    with pytest.raises(KeyError, match="mine"):
        t.step()
    assert t.step(budget=LIMIT) > 900


@pytest.mark.parametrize("how", ["run", "step"])
def test_step_inside_a_run_is_refused(core, t, how):
    def root():
        with pytest.raises(RuntimeError, match=r"step\(\) of .* was called while it runs: inside run\(\) or step\(\)"):
            t.step()
        with pytest.raises(RuntimeError, match=r"run\(\) of .* was called inside itself"):
            t.run()
        other = core.Waiting()
        other.add(returned(7))
        assert other.step(budget=LIMIT) is None
        return "went on"
        yield

    p = t.add(root())
    t.run() if how == "run" else t.step(budget=LIMIT)
    assert p.result() == "went on"


def test_step_while_another_thread_runs_it_is_refused(t):
    entered, leave, seen = threading.Event(), threading.Event(), []

    def root():
        entered.set()
        leave.wait(LIMIT)
        yield

    t.add(root())
    thread = threading.Thread(target=t.run)
    thread.start()
    entered.wait(LIMIT)
    try:
        with pytest.raises(RuntimeError, match="or by a second thread"):
            t.step()
        seen.append("refused")
    finally:
        leave.set()
        thread.join()
    assert seen


@pytest.mark.parametrize("arguments", [{"timeout": -1}, {"timeout": math.nan}, {"budget": -1}])
def test_what_are_no_seconds(t, arguments):
    with pytest.raises(ValueError, match="takes a number of seconds from 0 on"):
        t.step(**arguments)
    with pytest.raises(TypeError, match="takes a number of seconds"):
        t.step("1")


def test_stop_ends_a_step(t):
    log = []

    def stops():
        t.stop()
        yield sleep(0)
        log.append("later")

    t.add(stops())
    assert t.step() == 0
    assert log == []
    assert t.step(budget=LIMIT) is None
    assert log == ["later"]


def test_what_only_the_host_can_wake_is_no_deadlock(t, park):
    p = t.add(waits(park))
    assert t.step(budget=LIMIT) == math.inf
    assert t.step(0.001) == math.inf
    p.close()
    assert t.step(budget=LIMIT) is None


def test_tail_calls_and_deep_calls(t):
    def deep(n):
        if n:
            return (yield deep(n - 1)) + 1
        raise TailCall(returned(0))

    p = t.add(deep(3000))
    while t.step() is not None:
        pass
    assert p.result() == 3000


def test_a_reactor_that_tells_of_no_next_deadline_is_polled(core):
    reactor = ByHand()
    with core.Waiting(reactor=reactor) as t:
        p = t.add(waits(sleep(5)))
        assert t.step(budget=LIMIT) == 0.01
        reactor.now += 5
        assert t.step(budget=LIMIT) is None
        assert p.done
        t.add(waits(readable(0)))
        with pytest.raises(NotImplementedError):
            t.step(budget=LIMIT)


@pytest.mark.parametrize("hour", [3600, 7200])
def test_a_virtual_clock_jumps_within_a_step(core, hour):
    clock = VirtualClock()
    with core.Waiting(clock=clock) as t:
        p = t.add(waits(sleep(hour)))
        assert t.step(budget=LIMIT) is None
        assert p.done
        assert clock.now == hour


def test_a_virtual_clock_that_never_comes_to_an_end_does_not_hold_up_the_host(core):
    def ticks():
        while True:
            yield sleep(1)

    clock = VirtualClock()
    with core.Waiting(clock=clock) as t:
        t.add(ticks())
        for _ in range(3):
            before = clock.now
            assert t.step() == 0
            assert clock.now > before


def test_time_stands_still_while_a_thread_is_waited_for(core):
    go = threading.Event()
    with core.Waiting(clock=VirtualClock()) as t:
        p = t.add(timeout(1, in_thread(go.wait, LIMIT)))
        assert t.step(budget=LIMIT) == math.inf
        assert t.step(0.001) == math.inf
        go.set()
        while t.step(LIMIT) is not None:
            pass
        assert p.result() is True


class Mine(Suspension):
    """Whose wait is ended by its own `suspend`, with what that was called with."""

    def suspend(self, pseudothread):
        pseudothread.resume(pseudothread)


def test_nothing_is_kept_alive(core):
    gc.collect()
    gc.disable()
    try:
        t = core.Waiting()
        t.add(waits(Mine()))
        assert t.step(budget=LIMIT) is None
        t.add(fails(KeyError()))
        with pytest.raises(KeyError):
            t.step()
        alive = weakref.ref(t)
        p = weakref.ref(t.add(returned(1)))
        t.step()
        t.queue.append(bool)
        t.step()
        let_go()
        assert p() is None
        del t
        gc.collect()
        let_go()
        assert alive() is None
    finally:
        gc.enable()
