"""Deadlock: when `run()` raises it and when it waits, and what it says of each pseudothread."""

import copy
import math
import pickle
import re
import threading
import time
from contextlib import suppress

import pytest
from crowds import Station, at_once, pause
from inhabitants import Object
from simulated import ByHand, Jumping
from wires import pair

import trampoline
from trampoline import Deadlock, gather, in_thread, nonblocking_read, sleep, timeout


class Lock(trampoline.Suspension):
    """What nobody ever opens."""

    def __init__(self, name):
        self.name = name

    def suspend(self, pseudothread):
        pass

    def __repr__(self):
        return f"Lock({self.name!r})"


def waits(lock):
    return (yield lock)


def calls(callee):
    return (yield callee)


async def awaits(lock):
    return await inner(lock)


async def inner(lock):
    return await lock


def line_of(function, more=1):
    """Return what Python's tracebacks say of the place where `function` stands."""
    return f'  File "{__file__}", line {function.__code__.co_firstlineno + more}, in {function.__qualname__}'


@pytest.mark.parametrize("name", ["timeout", "gather"])
def test_what_stands_in_a_wait_of_ours_shows_the_name_by_which_that_is_called(core, name):
    wait = {"timeout": lambda: timeout(math.inf, waits(Lock("a"))), "gather": lambda: gather(waits(Lock("a")))}[name]
    with core.Waiting() as t:
        t.add(calls(wait()))
        with pytest.raises(Deadlock) as caught:
            t.run()
    named = re.findall(r"^  File .*, in (\w+)$", str(caught.value), re.MULTILINE)
    assert named[:2] == ["calls", name]
    assert set(named) == {"calls", name, "waits"}


def test_it_lists_each_pseudothread_with_its_stack_and_what_it_waits_for(core):
    t = core.Waiting()
    added = [
        t.add(awaits(Lock("b"))),
        t.add(waits(Lock("c"))),
        t.add(calls(calls(waits(Lock("a")))), name="the last"),  # the longest parked comes first
    ]
    with pytest.raises(Deadlock) as caught:
        t.run()
    where = re.escape(__file__)
    lines = [
        r"3 pseudothreads wait for what nothing can wake any more",
        rf"awaits, parked for Lock\('b'\), added at {where}:\d+",
        re.escape(line_of(awaits)),
        re.escape(line_of(inner)),
        rf"waits, parked for Lock\('c'\), added at {where}:\d+",
        re.escape(line_of(waits)),
        rf"the last, parked for Lock\('a'\), added at {where}:\d+",
        *[re.escape(line_of(calls))] * 2,
        re.escape(line_of(waits)),
    ]
    assert re.fullmatch("\n".join(lines), str(caught.value)), str(caught.value)
    assert caught.value.pseudothreads == tuple(added)
    assert isinstance(caught.value, RuntimeError)
    t.close()


def test_it_is_raised_at_once_and_leaves_all_as_it_was(core):
    reactor = ByHand()
    with core.Waiting(reactor=reactor) as t:
        p = t.add(waits(Lock("a")))
        for _ in range(2):
            with pytest.raises(Deadlock, match=r"^1 pseudothread waits"):
                t.run()
            assert not [asked for asked in reactor.asked if asked.startswith("poll")]
            assert (p.state, t.running, t._thread) == ("parked", False, None)
        p.resume("opened")
        assert t.run() == "opened"


def test_a_program_that_only_waits_for_itself_makes_no_reactor(core):
    with core.Waiting() as t:
        t.add(waits(Lock("a")))
        with pytest.raises(Deadlock):
            t.run()
        assert "reactor" not in vars(t)


def test_a_coroutine_that_is_no_generator_and_a_stack_that_is_deep(core):
    def deep(levels):
        return (yield deep(levels - 1) if levels else Lock("deep"))

    t = core.Waiting()
    deepest = t.add(deep(9999))
    for _ in range(150):
        t.add(Object(waits(Lock("b"))), name="one of many")
    with pytest.raises(Deadlock) as caught:
        t.run()
    text = str(caught.value).splitlines()
    assert text[0].startswith("151 pseudothreads wait")
    assert sum(line.startswith("one of many, parked for Lock('b')") for line in text) == 100
    assert text[2] == "  in Object"
    assert text[-1] == "and 51 more"
    assert len(caught.value.pseudothreads) == 151
    for pseudothread in caught.value.pseudothreads[:150]:
        pseudothread.close()
    with pytest.raises(Deadlock) as caught:
        t.run()
    text = str(caught.value).splitlines()
    assert caught.value.pseudothreads == (deepest,)
    middle = text.index("  ... 9,960 more coroutines")
    assert text[2] == text[middle - 2] == text[middle + 1] == line_of(deep)
    assert len(text) <= 2 + 20 + 1 + 20
    t.close()


def test_what_waits_is_told_even_if_its_repr_fails(core):
    class Silent(trampoline.Suspension):
        def suspend(self, pseudothread):
            pass

        def __repr__(self):
            raise KeyError("no repr")

    with core.Waiting() as t:
        t.add(waits(Silent()))
        with pytest.raises(Deadlock, match=r"waits, parked for <.*Silent object at 0x"):
            t.run()


def test_it_is_raised_only_when_nothing_is_left_to_wait_for(core):
    """A deadline may end what is parked, though it does not."""

    def sleeps():
        yield sleep(5)
        log.append(t.reactor.now)

    log = []
    with core.Waiting(reactor=Jumping()) as t:
        p = t.add(waits(Lock("a")))
        t.add(sleeps())
        with pytest.raises(Deadlock) as caught:
            t.run()
        assert log == [5]
        assert caught.value.pseudothreads == (p,)
        t.add(sleeps())
        t.reactor.at(7, lambda: p.resume("by a deadline"))
        t.run()
        assert p.result() == "by a deadline"
        t.reactor.close()


def test_it_is_not_raised_while_a_file_is_waited_for(core):
    def reads():
        waiting.resume((yield nonblocking_read(ours)))

    ours, theirs = pair()
    with ours, theirs, core.Waiting() as t:
        waiting = t.add(waits(Lock("a")))
        t.add(reads())
        timer = threading.Timer(0.1, theirs.send, [b"data"])
        timer.start()
        t.run()
        timer.join()
        assert waiting.result() == b"data"


@pytest.mark.parametrize("how", ["a thread of the pool", "a suspension that says so"])
def test_it_is_not_raised_while_somebody_outside_may_resume(core, how):
    def outside():
        go_on.wait(20)
        return "from outside"

    class External(Lock):
        external = True

        def suspend(self, pseudothread):
            thread = threading.Thread(target=lambda: pseudothread.resume(outside()))
            threads.append(thread)
            thread.start()

    def wakes():
        got = yield in_thread(outside) if how.startswith("a thread") else External("x")
        waiting.resume(got)

    threads, go_on = [], threading.Event()
    with core.Waiting() as t:
        waiting = t.add(waits(Lock("a")))
        t.add(wakes())
        t._wait = lambda wait=t._wait: go_on.set() or wait()  # it goes on when run() has nothing left to do
        t.run()
        assert waiting.result() == "from outside"
        for thread in threads:
            thread.join()
        t.add(waits(Lock("b")))
        with pytest.raises(Deadlock, match="'b'"):
            t.run()
        del t._wait


def test_it_leaves_a_coroutine_that_can_catch_nothing_alone(core):
    """It is raised by run(), not thrown into who waits."""

    def root():
        try:
            yield Lock("a")
        except BaseException as error:
            caught.append(error)
            raise

    caught = []
    t = core.Waiting()
    t.add(root())
    with pytest.raises(Deadlock):
        t.run()
    assert caught == []
    t.close()
    assert [type(error) for error in caught] == [GeneratorExit]


def test_a_copy_of_it_is_its_text(core):
    with core.Waiting() as t:
        t.add(waits(Lock("a")))
        with pytest.raises(Deadlock) as caught:
            t.run()
    for copied in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert type(copied) is RuntimeError
        assert str(copied) == str(caught.value)


def test_one_that_another_thread_is_closing_is_no_deadlock_for_who_joins_it(core):
    station, closing, may_end, told = Station(), threading.Event(), threading.Event(), []

    def child():
        try:
            yield station
        finally:
            closing.set()
            may_end.wait()

    def joins():
        with suppress(KeyError):
            yield p
        try:
            yield p
        except RuntimeError as error:
            told.append("was closed before it had a result" in str(error))

    def closes():
        while not station.waiting or not parent.waits_for:
            pause()
        p.close()

    def looks_again():
        closing.wait()
        parent.throw(KeyError())  # after that run() finds none but who joins
        while parent.waits_for is not p:
            pause()
        time.sleep(0.01)
        may_end.set()

    def runs():
        try:
            t.run()
        finally:
            may_end.set()

    with core.Waiting() as t:
        p, parent = t.add(child()), t.add(joins())
        at_once(runs, closes, looks_again)
    assert told == [True]
