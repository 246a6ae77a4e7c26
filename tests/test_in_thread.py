"""Functions that block, on threads of the trampoline's pool: `in_thread()`. What they return or raise comes back between two turns."""

import gc
import os
import threading
import weakref

import pytest
from coroutines import waits
from inhabitants import Fault
from simulated import Jumping
from wires import LIMIT, run_script

from trampoline import in_thread, sleep, timeout


@pytest.fixture
def go_on():
    """An event that is set in the end, so that no thread waits for ever."""
    event = threading.Event()
    yield event
    event.set()


def stops(t):
    yield sleep(0.001)
    t.stop()


def outcome(core, suspension):
    with core.Waiting() as t:
        p = t.add(timeout(LIMIT, waits(suspension)))
        t.run()
        return p.result()


def test_it_gives_what_the_function_returns(core):
    def function(*args, **kwargs):
        return threading.current_thread(), args, kwargs

    thread, args, kwargs = outcome(core, in_thread(function, 1, 2, key=3))
    assert thread is not threading.current_thread()
    assert thread.name.startswith("trampoline")
    assert (args, kwargs) == ((1, 2), {"key": 3})
    assert outcome(core, in_thread(dict, function=1)) == {"function": 1}


@pytest.mark.parametrize("error", [ValueError("mine"), Fault("mine"), SystemExit(3), KeyboardInterrupt("mine"), GeneratorExit("mine")])
@pytest.mark.parametrize("caught", [True, False])
def test_it_raises_what_the_function_raises_whatever_it_is(core, error, caught):
    def function():
        raise error

    def root():
        try:
            yield in_thread(function)
        except BaseException as raised:
            if not caught:
                raise
            return raised

    with core.Waiting() as t:
        p = t.add(root())
        left = t.add(waits(sleep(0)))
        if caught:
            t.run()
            assert p.result() is error
        else:
            with pytest.raises(type(error)) as raised:
                t.run()
            assert raised.value is error
            t.run()
        assert left.done
        assert p.done


def test_a_function_that_raises_StopIteration(core):
    def root():
        with pytest.raises(StopIteration) as caught:
            yield in_thread(next, iter(()))
        return caught.value

    with core.Waiting() as t:
        p = t.add(root())
        t.run()
        assert isinstance(p.result(), StopIteration)


@pytest.mark.parametrize("what", [None, 42, "text", [print]])
def test_what_is_not_callable(what):
    with pytest.raises(TypeError, match=r"in_thread\(\) takes a function, not .*: write in_thread\(f, x\), not in_thread\(f\(x\)\)"):
        in_thread(what)


def test_it_says_in_its_repr_what_it_calls():
    assert repr(in_thread(print, "a", end="")) == "in_thread(<built-in function print>, 'a', end='')"


def test_others_go_on_meanwhile(core, go_on):
    def others():
        for n in range(3):
            log.append(n)
            yield sleep(0)
        go_on.set()

    log = []
    with core.Waiting() as t:
        p = t.add(waits(in_thread(go_on.wait, LIMIT)))
        t.add(others())
        t.run()
        assert p.result() is True
    assert log == [0, 1, 2]


def test_several_run_at_the_same_time(core):
    def meets():
        barrier.wait(LIMIT)
        return "met"

    barrier = threading.Barrier(3)
    with core.Waiting() as t:
        ps = [t.add(waits(in_thread(meets))) for _ in range(3)]
        t.run()
        assert [p.result() for p in ps] == ["met"] * 3


def test_many(core):
    def sums():
        total = 0
        for n in range(30):
            total += yield in_thread(pow, n, 2)
        return total

    with core.Waiting() as t:
        ps = [t.add(sums()) for _ in range(20)]
        t.run()
        assert {p.result() for p in ps} == {sum(n * n for n in range(30))}


def test_one_call_may_be_made_again_but_not_by_two_at_once(core, go_on):
    def twice(call):
        return [(yield call), (yield call)]

    with core.Waiting() as t:
        p = t.add(twice(in_thread(threading.get_ident)))
        t.run()
        assert len(p.result()) == 2
        shared = in_thread(go_on.wait, LIMIT)
        first, second = t.add(waits(shared)), t.add(waits(shared))
        with pytest.raises(RuntimeError, match="another pseudothread waits for this in_thread"):
            t.run()
        go_on.set()
        t.run()
        assert first.result() is True
        assert second.done


@pytest.mark.parametrize("end", ["thrown into", "closed", "timed out"])
@pytest.mark.parametrize("begun", [True, False])
def test_who_gives_up_is_not_told_any_more(core, go_on, end, begun):
    """A call that has not begun is not made; one that has runs on, and what it gives is dropped."""

    def function():
        called.append(1)
        started.set()
        go_on.wait(LIMIT)
        ended.append(1)
        raise Fault("nobody hears of it")

    def root():
        try:
            yield timeout(1, in_thread(function)) if end == "timed out" else in_thread(function)
        except (KeyError, TimeoutError) as error:
            log.append(type(error))
        finally:
            log.append("finally")

    def gives_up():
        p.throw(KeyError("thrown")) if end == "thrown into" else p.close()

    log, called, ended, started = [], [], [], threading.Event()
    reactor = Jumping()
    with core.Waiting(reactor=reactor) as t:
        if not begun:  # all threads are busy
            t._pool._max_workers = 1
            t._pool.submit(go_on.wait, LIMIT)
        p = t.add(root())
        reactor.at(0.5, lambda: started.wait(LIMIT) if begun else None)
        if end != "timed out":
            reactor.at(1, gives_up)
        t.run()
        assert p.done
        go_on.set()
        t._pool.shutdown()
        assert (called, ended) == (([1], [1]) if begun else ([], []))
        t.add(waits(sleep(0)))
        t.run()
    assert log == {"thrown into": [KeyError], "closed": [], "timed out": [TimeoutError]}[end] + ["finally"]
    reactor.close()


def test_close_lets_the_threads_go(core, go_on):
    def pool_threads():
        return {thread for thread in threading.enumerate() if thread.name.startswith("trampoline")} - before

    before = set(threading.enumerate())
    t = core.Waiting()
    ps = [t.add(waits(in_thread(go_on.wait, LIMIT))) for _ in range(100)]  # more than there are threads
    t.add(stops(t))
    t.run()
    assert pool_threads()
    t.close()
    go_on.set()
    assert all(p.done for p in ps)
    for thread in pool_threads():
        thread.join(LIMIT)
    assert pool_threads() == set()


def test_nothing_is_kept_of_what_came_back(core):
    class Token:
        """What can be watched."""

    def root():
        yield in_thread(Token)
        yield sleep(0)
        gc.collect()
        return [token for token in map(weakref.ref.__call__, tokens) if token is not None]

    tokens = []
    old = Token.__init__

    def remember(self):
        old(self)
        tokens.append(weakref.ref(self))

    Token.__init__ = remember
    with core.Waiting() as t:
        p = t.add(root())
        t.run()
        assert p.result() == []
    assert len(tokens) == 1


LEFT = """
import sys, threading, trampoline
from trampoline import in_thread, sleep

def waits():
    yield in_thread(lambda: started.set() or go_on.wait(20))

def drops():
    yield sleep(0)
    started.wait(20)
    t.stop()

started, go_on = threading.Event(), threading.Event()
t = core.Waiting()
t.add(waits())
t.add(drops())
t.run()
{drop}
go_on.set()
print("ended")
"""


@pytest.mark.parametrize("drop", ["t = None", "t.close()", "pass"])
def test_a_trampoline_that_is_let_go_while_a_thread_is_busy(core, drop):
    assert run_script(core, LEFT.format(drop=drop)) == (0, "ended\n", "")


FORK = """
import os, time, warnings
from trampoline import gather, in_thread, sleep, timeout

def waits():
    try:
        return (yield in_thread(time.sleep, 0.3))
    except RuntimeError as error:
        return error

def root():
    yield gather(in_thread(time.sleep, 0.05), in_thread(time.sleep, 0.05))  # two threads, of which one is idle when it forks
    p = t.add(waits())
    yield sleep(0.01)
    warnings.simplefilter("ignore")  # CPython warns of a fork where there are threads
    number = os.fork()
    assert (yield timeout(30, in_thread(sum, [3, 4]))) == 7
    got = yield timeout(30, p)
    if number:
        assert got is None, got
        print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))
    else:
        assert "was begun before a fork" in str(got), got
        os._exit(42)

with core.Waiting() as t:
    t.add(root())
    t.run()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() on this system")
def test_after_a_fork_the_child_has_threads_of_its_own_and_nobody_waits_for_the_parents(core):
    assert run_script(core, FORK) == (0, "42\n", "")
