"""Host loops: `fileno()`. A host is woken by what it has to step for, and by nothing else."""

import math
import select
import selectors
import threading
import time
from collections import deque

import pytest
from coroutines import returned, waits
from hosts import Host, fails, spins
from simulated import ByHand
from wires import LIMIT, pair

from trampoline import in_thread, nonblocking_read, nonblocking_write, sleep, timeout

WATCHED = pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no descriptor to watch")


@pytest.fixture
def t(core):
    """A trampoline with a step() that waits for no host."""
    with core.Waiting() as made:
        yield made
    assert made._limits == 0


@WATCHED
def test_a_host_is_woken_by_files_and_deadlines_and_by_nothing_else(t):
    def naps(n):
        for _ in range(n):
            yield sleep(0.003)

    def talks(sock, first, n):
        for _ in range(n):
            if first:
                yield sleep(0.002)
                yield nonblocking_write(sock, b"ping")
            assert (yield nonblocking_read(sock))
            if not first:
                yield nonblocking_write(sock, b"pong")

    def blocks(n):
        for number in range(n):
            assert (yield in_thread(lambda number=number: number)) == number

    ours, theirs = pair()
    with ours, theirs:
        for coroutine in (naps(20), talks(ours, True, 10), talks(theirs, False, 10), blocks(10)):
            t.add(coroutine)
        host = Host(t)
        host.run()
    assert host.reasons["deadline"] <= 2 * (20 + 10) + 20, "so many sleeps; the clock of select() may be early by a little"
    assert host.reasons["file"] <= 2 * (1 + 20 + 10) + 20, "the add() before it, what is read, and what a thread has done"
    assert host.reasons["more"] <= 100, "now and then, where something came in late in a step"


@WATCHED
def test_nothing_can_be_read_while_nothing_is_ready(t):
    ours, theirs = pair()
    with ours, theirs:
        t.add(waits(nonblocking_read(ours)))
        t.add(waits(sleep(1000)))
        t.fileno()
        assert select.select([t], [], [], LIMIT)[0], "something is queued"
        t.step(budget=LIMIT)
        assert not select.select([t], [], [], 0)[0]
        theirs.send(b"x")
        assert select.select([t], [], [], LIMIT)[0]
        t.step()
        assert not select.select([t], [], [], 0)[0]


@WATCHED
@pytest.mark.parametrize("what", ["add", "resume", "throw", "append", "thread"])
def test_what_is_queued_between_two_steps_makes_it_readable(t, park, what):
    t.add(waits(park))
    t.fileno()
    t.step()
    assert not select.select([t], [], [], 0)[0]
    if what == "add":
        t.add(returned(1))
        t.add(returned(2))  # the bell rings once
    elif what == "resume":
        park.last.resume()
    elif what == "throw":
        park.last.throw(GeneratorExit())
    elif what == "append":
        t.queue.append(int)
    else:
        thread = threading.Thread(target=park.last.resume)
        thread.start()
    assert select.select([t], [], [], LIMIT)[0]
    if what == "thread":
        thread.join()
    if what == "throw":
        with pytest.raises(GeneratorExit):
            t.step()
    t.step()
    assert not select.select([t], [], [], 0)[0]


@WATCHED
def test_what_a_step_leaves_queued_makes_it_readable(t):
    t.add(fails(KeyError()))
    t.add(spins())
    t.fileno()
    with pytest.raises(KeyError):
        t.step()
    assert select.select([t], [], [], 0)[0]
    assert t.step() == 0
    assert select.select([t], [], [], 0)[0]


@WATCHED
def test_it_can_be_given_to_selectors(t):
    with selectors.DefaultSelector() as selector:
        selector.register(t, selectors.EVENT_READ)
        p = t.add(in_thread(lambda: 42).__iter__())
        end = time.monotonic() + LIMIT
        while t.step() is not None:
            assert selector.select(LIMIT)
            assert time.monotonic() < end
        assert p.result() == 42


@WATCHED
def test_run_after_steps_and_after_close(t):
    t.fileno()
    t.add(waits(sleep(0.01)))
    t.step()
    t.run()
    assert t.step() is None
    t.close()
    assert t._waker is None
    assert "_host" not in vars(t)
    t.add(waits(sleep(0.01)))
    t.fileno()
    assert select.select([t], [], [], LIMIT)[0]
    assert t.step() > 0


@WATCHED
def test_fileno_inside_a_step(t):
    p = t.add(returned(None))
    t.queue.append(t.fileno)
    t.step()
    assert p.done
    t.add(returned(None))
    assert select.select([t], [], [], 0)[0]


def test_without_a_descriptor_it_says_what_to_do(core, monkeypatch):
    monkeypatch.delattr("select.epoll", raising=False)
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    with core.Waiting() as t, pytest.raises(OSError, match=r"has no descriptor to watch on this system: call step\(\) every few milli"):
        t.fileno()
    with core.Waiting(reactor=ByHand()) as t, pytest.raises(OSError, match=r"ByHand .* has no descriptor to watch"):
        t.fileno()


def test_without_epoll_steps_do(core, monkeypatch):
    monkeypatch.delattr("select.epoll", raising=False)
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    ours, theirs = pair()
    with ours, theirs, core.Waiting() as t:
        p = t.add(timeout(LIMIT, nonblocking_read(ours)))
        assert t.step(LIMIT) > 0
        theirs.send(b"x")
        assert t.step(LIMIT) is None
        assert p.result() == b"x"


def test_a_file_that_is_closed_is_found(t):
    ours, theirs = pair()
    with theirs:
        p = t.add(waits(nonblocking_read(ours)))
        assert t.step(LIMIT) == math.inf
        ours.close()
        t.reactor._sweep_at = 0  # as if a moment had passed
        with pytest.raises(OSError, match="closed"):
            t.step(LIMIT)
        assert p.done


@WATCHED
def test_a_queue_of_ones_own_wakes_the_host_too(t, park):
    """A plain deque, and what is queued in it between two steps and during one."""

    def root():
        yield park
        for _ in range(5):
            yield returned(None)
        return "value"

    t.queue = deque()
    p, host = t.add(root()), Host(t)
    assert t.step() == math.inf
    assert not select.select([t], [], [], 0)[0]
    p.resume()
    assert select.select([t], [], [], LIMIT)[0]
    host.run()
    assert p.result() == "value"


@WATCHED
def test_a_host_that_asks_inside_a_step_with_a_queue_of_its_own(t):
    def root():
        numbers.append(t.fileno())
        for _ in range(5):
            yield returned(None)
        return "value"

    numbers = []
    t.queue = deque()
    p, other = t.add(root()), t.add(root())
    while t.step() is not None:
        pass
    assert (p.result(), other.result()) == ("value", "value")
    assert numbers == [t.fileno()] * 2
