"""Futures and executors: to yield a future, `run_in()` and `map_in()`; what is cancelled, and what is refused."""

import os
import signal
import threading
import traceback
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import count
from multiprocessing import get_context

import pytest
from conftest import let_go
from coroutines import Mishap, outcome, waits
from simulated import Jumping

from trampoline import gather, map_in, run_in, sleep, timeout


class ByHand:
    """An executor whose calls the test itself makes: `submitted` has their futures, each with the call as `made()`."""

    def __init__(self):
        self.submitted = []

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        future.made = lambda: future.set_result(function(*args, **kwargs))
        self.submitted.append(future)
        return future


@pytest.fixture
def t(core):
    with core.Waiting() as made:
        yield made


@pytest.fixture
def jumping(core):
    """A trampoline whose time passes only when nothing else is left to do: whatever is to be waited for is begun before a limit strikes."""
    with core.Waiting(reactor=Jumping()) as made:
        yield made


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(2) as made:
        yield made


def fails(word):
    raise Mishap(word)


def test_to_yield_a_future_waits_for_it(t, threads):
    begun, may_end = threading.Event(), threading.Event()

    def blocks():
        begun.set()
        assert may_end.wait(30)
        return "result"

    def other():
        while not begun.is_set():
            yield sleep(0.001)
        may_end.set()

    p = t.add(waits(threads.submit(blocks)))
    t.add(other())
    t.run()
    assert p.result() == "result"


def test_a_future_that_is_done(t):
    future = Future()
    future.set_result(5)
    assert outcome(t, waits(future)) == 5
    assert outcome(t, waits(gather(future, future))) == [5, 5]


def test_its_error_arrives_at_the_yield_and_does_not_grow(t):
    future, error = Future(), Mishap("once")
    seen = []

    def root():
        try:
            yield future
        except Mishap as raised:
            seen.append((raised, raised.__context__, [entry.name for entry in traceback.extract_tb(raised.__traceback__)]))

    def roots():
        for _ in range(3):
            yield root()

    def sets():
        yield sleep(0)
        future.set_exception(error)

    t.add(roots())
    t.add(sets())
    t.run()
    assert seen == [(error, None, ["root"])] * 3


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_future_that_is_cancelled(t, when):
    future = Future()

    def cancels():
        yield sleep(0)
        future.cancel()

    if when == "before":
        future.cancel()
    p = t.spawn(waits(future))
    t.add(cancels())
    t.run()
    with pytest.raises(CancelledError, match="was cancelled"):
        p.result()


@pytest.mark.parametrize("way", ["timeout", "throw", "close"])
def test_who_waits_no_longer_cancels_it(jumping, way):
    future = Future()

    def root():
        try:
            yield timeout(1, future)
        except (TimeoutError, Mishap):
            return "unwound"

    def ends():
        for _ in range(5):
            yield sleep(0)
        p.throw(Mishap()) if way == "throw" else p.close()

    p = jumping.add(root())
    if way != "timeout":
        jumping.add(ends())
    jumping.run()
    assert future.cancelled()
    assert p.done


def test_a_future_that_nobody_ends_is_no_deadlock(t):
    with pytest.raises(TimeoutError):  # another thread might
        outcome(t, waits(timeout(0.01, Future())))


def test_run_in(t, threads):
    def root():
        assert (yield run_in(threads, threading.get_ident)) != threading.get_ident()
        assert (yield run_in(threads, int, "11", base=2)) == 3
        assert (yield gather(*[run_in(threads, len, "x" * i) for i in range(5)])) == [0, 1, 2, 3, 4]
        again = run_in(threads, len, "ab")
        assert ((yield again), (yield again)) == (2, 2)
        yield run_in(threads, fails, "at the yield")

    p = t.spawn(root())
    t.run()
    with pytest.raises(Mishap, match="at the yield"):
        p.result()


def test_run_in_is_cancelled_with_who_waits(jumping):
    executor = ByHand()
    with pytest.raises(TimeoutError):
        outcome(jumping, waits(timeout(1, run_in(executor, len, "abc"))))
    (future,) = executor.submitted
    assert future.cancelled()


def test_run_in_shared_by_two(t):
    shared, executor = None, ByHand()
    shared = run_in(executor, len, "abc")
    p, q = t.spawn(waits(shared)), t.spawn(waits(shared))
    t.add(makes(executor, 0))
    t.run()
    assert p.result() == 3
    with pytest.raises(RuntimeError, match=r"another pseudothread waits for this run_in\(\.\.\., <built-in function len>, 'abc'\) already"):
        q.result()


def makes(executor, *numbers):
    for number in numbers:
        yield sleep(0)
        executor.submitted[number].made()


def test_processes(t):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        assert outcome(t, waits(run_in(processes, pow, 2, 10))) == 1024


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
def test_a_broken_process_pool(t):
    def root():
        found = []
        for _ in range(2):  # its call, and the next, which cannot even be submitted
            try:
                yield run_in(processes, len if found else die)
            except BrokenProcessPool:
                found.append("broken")
        for result in map_in(processes, abs, [1, 2], 2):
            try:
                yield result
            except BrokenProcessPool:
                found.append("broken")
        return found

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        assert outcome(t, root()) == ["broken"] * 4


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


# map_in().


def collects(results, found):
    for result in results:
        found.append((yield result))


def test_map_in_gives_the_results_in_order(t, threads):
    found = []
    outcome(t, collects(map_in(threads, str, range(100), 7), found))
    assert found == [str(i) for i in range(100)]


def test_map_in_in_a_native_coroutine(t, threads):
    async def root():
        return [result async for result in map_in(threads, str, range(10), 3)]

    assert outcome(t, root()) == [str(i) for i in range(10)]


def test_map_in_makes_so_many_calls_at_a_time(t):
    executor, asked = ByHand(), []

    def items():
        for item in count():
            asked.append(item)
            yield item

    def root():
        with map_in(executor, str, items(), 3) as results:
            for result in results:
                assert len(asked) == len(executor.submitted)
                last = yield result
                if last == "4":
                    return last

    def others():  # the second of three is done first: that makes no room
        yield sleep(0)
        executor.submitted[1].made()
        for _ in range(5):
            yield sleep(0)
        assert asked == [0, 1, 2]
        for number in (0, 2, 3, 4):
            while len(executor.submitted) <= number:
                yield sleep(0)
            executor.submitted[number].made()

    t.add(others())
    assert outcome(t, root()) == "4"
    assert asked == [0, 1, 2, 3, 4, 5, 6]
    assert [future.cancelled() for future in executor.submitted] == [False] * 5 + [True] * 2


def test_map_in_goes_on_after_an_error(t, threads):
    def root():
        found = []
        for result in map_in(threads, int, ["1", "x", "3"], 2):
            try:
                found.append((yield result))
            except ValueError:
                found.append("error")
        return found

    assert outcome(t, root()) == [1, "error", 3]


@pytest.mark.parametrize("of", ["items", "submit"])
def test_what_items_or_submit_raise_comes_behind_the_results_before_it(t, threads, of):
    class Refuses:
        def submit(self, function, item):
            if item == 2 and of == "submit":
                raise Mishap("of submit")
            return threads.submit(function, item)

    def items():
        yield from range(2)
        if of == "items":
            raise Mishap("of items")
        yield 2
        yield 3

    def root():
        found = []
        for result in map_in(Refuses(), str, items(), 8):
            try:
                found.append((yield result))
            except Mishap as error:
                found.append(str(error))
        return found

    assert outcome(t, root()) == (["0", "1", "of submit", "3"] if of == "submit" else ["0", "1", "of items"])


@pytest.mark.parametrize("way", ["timeout", "close", "break", "error"])
def test_when_the_iteration_is_left_the_calls_are_cancelled(jumping, way):
    executor = ByHand()

    def root():
        for result in map_in(executor, str, range(9), 4):
            if way == "break":
                break
            if way == "error":
                raise Mishap
            yield result

    def unwound():
        try:
            yield timeout(1, root())
        except (TimeoutError, Mishap):
            return

    def closes():
        for _ in range(6):
            yield sleep(0)
        p.close()

    p = jumping.add(unwound())
    if way == "close":
        jumping.add(closes())
    jumping.run()
    let_go()  # a `for` closes no generator that it leaves
    assert [future.cancelled() for future in executor.submitted] == [True] * 4


def test_two_share_one_map_in(t, threads):
    found = []
    shared = map_in(threads, str, range(20), 4)
    t.add(collects(shared, found))
    t.add(collects(shared, found))
    t.run()
    assert sorted(found, key=int) == [str(i) for i in range(20)]


def test_a_forgotten_yield_in_map_in_is_named(t):
    with pytest.raises(RuntimeError, match=r"map_in\(\) gave 3 results that were not waited for, and its limit is 3: write `yield result`"):
        list(map_in(ByHand(), str, range(9), 3))


def test_an_empty_map_in(t, threads):
    found = []
    outcome(t, collects(map_in(threads, str, [], 4), found))
    assert found == []


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (lambda e: run_in(len, "abc"), TypeError, r"run_in\(\) takes an executor, which has submit\(\), not <built-in function len>"),
        (lambda e: run_in(e, len("abc")), TypeError, r"takes a function, not 3: write run_in\(executor, f, x\), not f\(x\)"),
        (lambda e: map_in(e, 5, [], 1), TypeError, r"takes a function, not 5: write map_in\(executor, f, x\)"),
        (lambda e: map_in(None, len, [], 1), TypeError, "takes an executor"),
        (lambda e: map_in(e, len, 5, 1), TypeError, "takes items that can be iterated over, not 5"),
        (lambda e: map_in(e, len, sleep(1), 1), TypeError, "write `yield` before it"),
        (lambda e: map_in(e, len, [], 0), ValueError, "takes a limit from 1 on, not 0"),
        (lambda e: map_in(e, len, [], "8"), TypeError, "takes as its limit a number of calls, not '8'"),
    ],
)
def test_what_is_refused(act, error, text):
    executor = ByHand()
    with pytest.raises(error, match=text):
        act(executor)
    assert executor.submitted == []
