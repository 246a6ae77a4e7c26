"""The reactor under `run()`: what is asked of one that is the user's own, what becomes of its errors, what `run()` looks at while it is
busy, and fork().
"""

import collections
import gc
import os
import selectors
import socket
import time
import warnings

import pytest
from conftest import collect
from coroutines import returned
from simulated import ByHand, Jumping
from wires import LIMIT, Counting, pair, run_script

from trampoline import Reactor, VirtualClock, nonblocking_read, nonblocking_write, readable, sleep, timeout


def sleeps(seconds, log):
    yield sleep(seconds)
    log.append(seconds)


def test_a_program_that_does_not_wait_makes_none_and_asks_for_none(core):
    reactor = ByHand()
    with core.Waiting() as ours, core.Waiting(reactor=reactor) as theirs:
        reactor.asked.clear()  # whether it has all its names
        for t in (ours, theirs):
            t.add(returned("result"))
            assert t.run() == "result"
        assert "reactor" not in vars(ours)
        assert reactor.asked == []


@pytest.mark.parametrize("generation", [0, 1])
def test_the_collector_ends_one_that_was_not_closed_without_a_warning_whatever_it_ends_first(core, generation, monkeypatch):
    paired = socket.socketpair

    def older():  # what there is now comes behind the sockets in the collector's list, if it comes between
        gc.collect(generation)
        return paired()

    def left():
        t = core.Waiting()
        t.myself = t
        return t.reactor.fileno()

    monkeypatch.setattr(socket, "socketpair", older)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fd = left()
        collect()
    assert seen == []
    if fd is not None:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_the_least_that_a_reactor_is(core):
    """`ByHand` has no files and its own clock; it is not closed with the trampoline, for it is the user's."""
    log, reactor = [], ByHand()
    with core.Waiting(reactor=reactor) as t:
        for seconds in (3, 1, 2):
            t.add(sleeps(seconds, log))
        t.add(timeout(1.5, sleeps(9, log)))
        with pytest.raises(TimeoutError):
            t.run()
        t.run()
    assert log == [1, 2, 3]
    assert reactor.now == 103
    assert reactor.deadlines == []
    assert "close" not in reactor.asked


@pytest.mark.parametrize("missing", ["clock", "waiting", "watch", "unwatch", "at", "cancel", "poll", "dispatch", "knock", "close"])
def test_what_is_no_reactor_is_refused_and_told_what_it_lacks(core, missing):
    names = dict.fromkeys(["clock", "waiting", "watch", "unwatch", "at", "cancel", "poll", "dispatch", "knock", "close"])
    del names[missing]
    with pytest.raises(TypeError, match=rf"a reactor has .*, but .* has no {missing}$"):
        core.Waiting(reactor=type("Nearly", (), names)())


@pytest.mark.parametrize("given", [{"reactor": Reactor}, {"clock": VirtualClock}], ids=["reactor", "clock"])
def test_a_class_is_not_what_it_makes(core, given):
    (made,) = given.values()
    with pytest.raises(TypeError, match=rf": write (clock=)?{made.__name__}\(\)$"):
        core.Waiting(**given)


def test_a_reactor_or_a_clock(core):
    with pytest.raises(TypeError, match="a reactor or a clock, not both"):
        core.Waiting(reactor=ByHand(), clock=time.monotonic)
    with pytest.raises(TypeError, match="a clock that is called for seconds, not 5"):
        core.Waiting(clock=5)


class Failing(Jumping):
    """Whose `where` raises, as often as there are errors."""

    def __init__(self, where, *errors):
        super().__init__()
        self.where, self.errors = where, list(errors)

    def check(self, where):
        if where == self.where and self.errors:
            raise self.errors.pop(0)

    def poll(self, timeout=None):
        self.check("poll")
        return super().poll(timeout)

    def dispatch(self, events):
        self.check("dispatch")
        super().dispatch(events)


@pytest.mark.parametrize("where", ["poll", "dispatch"])
@pytest.mark.parametrize("error", [OSError(5, "no more"), KeyboardInterrupt(), ValueError("broken")])
def test_a_reactor_that_raises_ends_run_and_loses_nothing(core, where, error):
    log, reactor = [], Failing(where, error, error)
    with core.Waiting(reactor=reactor) as t:
        for seconds in (1, 2):
            t.add(sleeps(seconds, log))
        for _ in range(2):
            with pytest.raises(type(error)) as caught:
                t.run()
            assert caught.value is error
            assert caught.value.__context__ is None
            assert (t.running, t._waker, log) == (False, None, [])
        t.run()
        assert log == [1, 2]
    reactor.close()


def test_a_reactor_that_raises_while_pseudothreads_are_busy(core):
    def busy():
        while not log:
            yield returned(None)
            reactor.now += 0.1

    log, reactor = [], Failing("poll", OSError(5, "no more"))
    with core.Waiting(reactor=reactor) as t:
        t.add(sleeps(1, log))
        t.add(busy())
        with pytest.raises(OSError, match="no more"):
            t.run()
        t.run()
        assert log == [1]
    reactor.close()


@pytest.mark.parametrize("by", ["at", "watch"])
def test_a_function_that_raises_when_it_is_called_leaves_the_others_due(core, by):
    def fails():
        raise KeyError("mine")

    log, (ours, theirs) = [], pair()
    with ours, theirs, core.Waiting() as t:
        t.add(sleeps(0.02, log))
        theirs.send(b"x")
        if by == "at":
            t.reactor.at(t.reactor.clock() + 0.01, fails)
        else:
            t.reactor.watch(ours, False, fails)
        with pytest.raises(KeyError, match="mine"):
            t.run()
        t.run()
        assert log == [0.02]
        assert not t.reactor.waiting


def test_knocks_before_during_and_after_a_wait_and_after_close():
    reactor = Reactor()
    for _ in range(3):
        reactor.knock()
        reactor.dispatch(reactor.poll(LIMIT))  # at once
    for _ in range(100_000):
        reactor.knock()  # more than the door holds
    reactor.dispatch(reactor.poll(LIMIT))
    reactor.close()
    reactor.knock()


def test_deadlines_in_order_and_cancelled_ones_not():
    log, reactor = [], Jumping()
    deadlines = {when: reactor.at(when, lambda when=when: log.append(when)) for when in (5, 1, 4, 2, 3)}
    reactor.cancel(deadlines[2])
    reactor.cancel(deadlines[2])
    while reactor.waiting:
        reactor.dispatch(reactor.poll())
    assert log == [1, 3, 4, 5]
    reactor.cancel(deadlines[1])
    assert not reactor.waiting
    with pytest.raises(ValueError, match="a deadline is a number of seconds, not nan"):
        reactor.at(float("nan"), log.clear)
    reactor.close()


def talks(sock, first, times):
    for _ in range(times):
        if first:
            yield nonblocking_write(sock, b"ping")
        yield nonblocking_read(sock)
        if not first:
            yield nonblocking_write(sock, b"pong")


def test_without_epoll(core, monkeypatch):
    """Where there is none, `selectors` does it."""
    monkeypatch.delattr("select.epoll", raising=False)
    if hasattr(selectors, "EpollSelector"):
        monkeypatch.setattr(selectors, "DefaultSelector", selectors.PollSelector)
    ours, theirs = pair()
    with ours, theirs, core.Waiting() as t:
        both = [t.add(timeout(LIMIT, talks(ours, True, 20))), t.add(timeout(LIMIT, talks(theirs, False, 20)))]
        t.run()
        assert [p.result() for p in both] == [None, None]
        assert not t.reactor.waiting


QUEUES = ["own", "deque", "overridden schedule"]


def trampoline_with(core, queue, reactor=None):
    class Own(core.Waiting):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            return super().schedule(coroutine, stack, val, *exc)

    t = (Own if queue == "overridden schedule" else core.Waiting)(reactor=reactor)
    if queue == "deque":
        t.queue = collections.deque()
    return t


@pytest.mark.parametrize("queue", QUEUES)
def test_busy_pseudothreads_do_not_starve_files_and_deadlines(core, queue):
    def busy():
        turns = 0
        while len(ended) < 3:
            turns += 1
            yield returned(turns)
            assert time.monotonic() < started + LIMIT, "what waits is starved"
        return turns

    def told(coroutine):
        yield coroutine
        ended.append("talked")

    def naps():
        for _ in range(10):
            yield sleep(0.001)
        ended.append("slept")

    ended, started = [], time.monotonic()
    ours, theirs = pair()
    with ours, theirs, trampoline_with(core, queue) as t:
        both = [t.add(busy()) for _ in range(2)]
        for each in (told(talks(ours, True, 30)), told(talks(theirs, False, 30)), naps()):
            t.add(each)
        t.run()
        assert sorted(ended) == ["slept", "talked", "talked"]
        assert all(p.result() > 40 for p in both), "nor do these starve the busy ones"


@pytest.mark.parametrize("queue", QUEUES)
def test_so_many_turns_at_most_between_two_looks(core, queue):
    def busy():
        """Take longer for each turn than the time that passes between two looks."""
        while not log:
            time.sleep(0.002)
            if reactor.clock() > due:
                late.append(1)
            yield returned(None)

    log, late, reactor = [], [], Counting()
    with trampoline_with(core, queue, reactor) as t:
        due = reactor.clock() + 0.01
        t.add(sleeps(0.01, log))
        t.add(busy())
        t.run()
    assert log == [0.01]
    assert len(late) <= 70, "32 looks of a busy pseudothread have two turns each"
    reactor.close()


FORK = """
import os, socket, sys, trampoline
from wires import LIMIT, descriptors
from trampoline import in_thread, nonblocking_read, nonblocking_write, readable, sleep, timeout

def reads(sock):
    got = []
    try:
        while True:
            got.append((yield nonblocking_read(sock, 4)))
            yield nonblocking_write(sock, b"seen")
    except trampoline.ConnectionLost:
        return got

def talks(sock, word):
    for _ in range(50):
        yield nonblocking_write(sock, word)
        assert (yield nonblocking_read(sock)) == b"seen"
        yield sleep(0.0005)
    assert (yield in_thread(lambda: 42)) == 42
    sock.close()

def forks():
    yield sleep(0.01)
    assert all(p.state == "parked" for p in readers)
    number = os.fork()
    mine, other = (0, 1) if number else (1, 0)
    readers[other].close()
    pairs[other][0].close()
    pairs[other][1].close()
    yield talks(pairs[mine][1], b"%04d" % mine)
    return number, mine

def sees(number, inlet):
    yield readable(inlet)
    said = os.read(inlet, 100)
    return said, os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])

pairs = [socket.socketpair() for _ in range(2)]
inlet, outlet = os.pipe()
t = core.Waiting()
readers = [t.add(reads(pair[0])) for pair in pairs]
p = t.add({begins})
t.run()
number, mine = p.result()
got = readers[mine].result()
assert got == [b"%04d" % mine] * 50, got
assert not t.reactor.waiting
if not number:
    t.close()
    os.write(outlet, b"the child has ended well")
    os._exit(0)
q = t.add(timeout(LIMIT, sees(number, inlet)))
t.run()
print(q.result())
t.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() on this system")
def test_after_a_fork_both_go_on_and_neither_disturbs_the_other(core):
    status, out, err = run_script(core, FORK.format(begins="timeout(LIMIT, forks())"))
    assert (status, err) == (0, "")
    assert out == "(b'the child has ended well', 0)\n"


FORK_IDLE = """
import os, socket
from trampoline import nonblocking_read, sleep

def reads(sock):
    return (yield nonblocking_read(sock))

def stops():
    yield sleep(0.001)
    t.stop()

ours, theirs = socket.socketpair()
t = core.Waiting()
p = t.add(reads(ours))
t.add(stops())
t.run()
number = os.fork()
if not number:  # closes what it inherits
    t.close()
    ours.close()
    os._exit(0)
assert os.waitpid(number, 0)[1] == 0
theirs.send(b"for the parent")
print(t.run(), p.state)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() on this system")
def test_a_child_that_closes_its_trampoline_leaves_the_parents_alone(core):
    assert run_script(core, FORK_IDLE) == (0, "b'for the parent' ended\n", "")


def test_a_file_that_is_always_ready_is_refused(core):
    def waits(file):
        yield readable(file)

    with open(__file__) as file, core.Waiting() as t:
        t.add(waits(file))
        with pytest.raises(PermissionError, match="always ready, as regular files are"):
            t.run()
        assert not t.reactor.waiting
