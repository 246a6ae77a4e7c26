"""Files that are closed under those who wait for them: whoever closes them, by whatever way, and whatever else goes on, they are told."""

import errno
import os
import select
import signal
import socket
import threading
from contextlib import suppress

import pytest
from wires import LIMIT, error_of, pair, run_script

from trampoline import ConnectionLost, nonblocking_read, nonblocking_write, readable, sleep, timeout

ON_EPOLL = pytest.mark.skipif(not hasattr(select, "epoll"), reason="poll() tells of closed files, and not of two files of one number")


def told(wait, tells):
    error = yield error_of(timeout(LIMIT, wait))
    assert error.errno == errno.EBADF, error
    tells.append(error)


def test_by_another_thread_while_run_is_idle(core):
    ours, theirs = pair()
    with theirs, core.Waiting() as t:
        tells = []
        t.add(told(nonblocking_read(ours), tells))
        thread = threading.Timer(0.2, ours.close)
        thread.start()
        t.run()
        thread.join()
        assert len(tells) == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no such signals here")
def test_by_a_signal_handler_while_run_is_idle(core):
    ours, theirs = pair()
    before = signal.signal(signal.SIGALRM, lambda *_: ours.close())
    try:
        with theirs, core.Waiting() as t:
            tells = []
            t.add(told(nonblocking_read(ours), tells))
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            t.run()
            assert len(tells) == 1
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("busy", ["with short sleeps", "with traffic", "with turns"])
def test_while_run_is_never_idle(core, busy):
    def closes():
        waiter = yield core.spawn(told(nonblocking_read(ours), tells))
        yield sleep(0.01)
        ours.close()
        yield waiter

    def sleeps():
        while not tells:
            yield sleep(0.005)

    def echoes():
        with one:
            while not tells:
                yield nonblocking_write(one, b"x")
                yield nonblocking_read(one)

    def answers():
        with suppress(ConnectionLost):
            while True:
                yield nonblocking_read(other)
                yield nonblocking_write(other, b"x")

    def turns():
        def callee():
            yield None

        while not tells:
            yield callee()

    ours, theirs = pair()
    one, other = pair()
    tells = []
    with theirs, one, other, core.Waiting() as t:
        t.add(timeout(LIMIT, closes()))
        kinds = {"with short sleeps": [sleeps], "with traffic": [echoes, answers], "with turns": [turns]}
        for kind in kinds[busy]:
            t.add(timeout(LIMIT, kind()))
        t.run()
        assert len(tells) == 1


def test_where_each_turn_is_followed_by_a_wait(core):
    """And so few turns are made that the look between turns comes too late."""
    ticks, tells = [], []

    def closes():
        waiter = yield core.spawn(told(nonblocking_read(ours), tells))
        yield sleep(0.01)
        ours.close()
        while not tells:
            ticks.append(len(ticks))
            yield sleep(0.04)
        yield waiter

    ours, theirs = pair()
    with theirs, core.Waiting() as t:
        t.add(timeout(LIMIT, closes()))
        t.run()
        assert len(tells) == 1
        assert len(ticks) < 25  # 31 and more by the looks between turns alone


@ON_EPOLL
@pytest.mark.parametrize("everywhere", [False, True])
def test_each_of_many_is_looked_at_and_few_at_a_time(core, monkeypatch, everywhere):
    """Or, in an idle moment, at all."""

    def asked(watched):
        looks[-1] += 1
        return is_closed(watched)

    def sweeps(reactor, idle=False):
        looks.append(0)
        return sweep(reactor, idle and everywhere)

    from trampoline._reactor import Reactor, is_closed

    looks, sweep, tells = [0], Reactor._sweep, []
    monkeypatch.setattr("trampoline._reactor._LONGEST", 0.01)
    monkeypatch.setattr("trampoline._reactor._SOME", 3)
    monkeypatch.setattr("trampoline._reactor.is_closed", asked)
    monkeypatch.setattr(Reactor, "_sweep", sweeps)
    pairs = [pair() for _ in range(10)]
    with core.Waiting() as t:
        waiting = [t.add(told(nonblocking_read(ours), tells)) for ours, _ in pairs]

        def closes():
            while any(p.state != "parked" for p in waiting):
                yield sleep(0)
            yield sleep(0.01)
            for ours, _ in pairs:
                ours.close()

        t.add(closes())
        t.run()
    for _, theirs in pairs:
        theirs.close()
    assert len(tells) == 10
    assert max(looks) == (10 if everywhere else 3)


def test_by_its_number(core):
    ours, theirs = pair()
    with theirs, core.Waiting() as t:

        def closes():
            waiter = yield core.spawn(told(nonblocking_read(ours), tells))
            yield sleep(0.01)
            os.close(ours.fileno())
            yield waiter

        tells = []
        t.add(closes())
        t.run()
        assert len(tells) == 1
    ours.detach()


@ON_EPOLL
def test_by_its_number_which_another_has_then(core):
    """And what comes to the other is not read by who waits for the first."""
    ours, theirs = pair()
    one, other = pair()
    with theirs, one, other, core.Waiting() as t:

        def closes():
            waiter = yield core.spawn(told(nonblocking_read(ours), tells))
            yield sleep(0.01)
            os.dup2(one.fileno(), ours.fileno())
            yield waiter
            other.send(b"for the other")
            return (yield timeout(LIMIT, nonblocking_read(one)))

        tells = []
        p = t.add(closes())
        t.run()
        assert (len(tells), p.result()) == (1, b"for the other")
    ours.close()


@ON_EPOLL
@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="there are no eventfds")
def test_a_number_used_again_by_a_file_of_the_same_inode(core):
    """All that is an inotify, eventfd, timerfd, ... has one inode."""

    def closes():
        number = os.eventfd(0)
        waiter = yield core.spawn(told(readable(number), tells))
        yield sleep(0.01)
        os.close(number)
        again = os.eventfd(1)
        assert again == number
        yield timeout(LIMIT, readable(again))
        yield waiter
        os.close(again)

    tells = []
    with core.Waiting() as t:
        t.add(closes())
        t.run()
        assert len(tells) == 1
        assert not t.reactor.waiting


@ON_EPOLL
def test_what_comes_for_a_copy_is_no_readiness_of_the_next_file_of_that_number(core):
    def waits():
        theirs.send(b"first")
        yield nonblocking_read(ours)
        number, copy = ours.fileno(), ours.dup()
        ours.close()
        inlet, outlet = os.pipe()
        theirs.send(b"for the copy")
        with copy:
            assert number in (inlet, outlet)
            error = yield error_of(timeout(0.1, readable(inlet)))
        os.write(outlet, b"x")
        yield timeout(LIMIT, readable(inlet))
        os.close(inlet)
        os.close(outlet)
        return error

    ours, theirs = socket.socketpair()
    with theirs, core.Waiting() as t:
        p = t.add(waits())
        t.run()
        assert isinstance(p.result(), TimeoutError)


@ON_EPOLL
def test_copies_are_not_polled_for_while_others_are_busy(core, monkeypatch):
    def waits():
        theirs.send(b"first")
        yield nonblocking_read(ours)
        with ours.dup():
            ours.close()
            theirs.send(b"for the copy")
            for _ in range(200):
                one.send(b"x")
                yield nonblocking_read(other)
            return t.reactor._selector.poll(0)

    monkeypatch.setattr("trampoline._reactor._VAIN", 20)
    ours, theirs = socket.socketpair()
    one, other = pair()
    with theirs, one, other, core.Waiting() as t:
        p = t.add(waits())
        t.run()
        assert p.result() == []


def test_sleeps_after_close(core):
    def sleeps():
        yield sleep(0.01)
        return "slept"

    with core.Waiting() as t:
        for _ in range(2):
            p = t.add(sleeps())
            t.run()
            assert p.result() == "slept"
            t.close()
        p = t.add(sleeps())
        while t.step(LIMIT) is not None:  # its budget of 5 ms may be over between two turns
            pass
        assert p.result() == "slept"


NO_DESCRIPTOR = """
import os, resource
from trampoline import Reactor, readable, sleep

def root():
    fds = []
    try:
        while True:
            fds.append(os.dup(0))
    except OSError:
        pass
    try:
        yield readable(0)
    except OSError as error:
        print(type(error).__name__, error.errno)
    for fd in fds:
        os.close(fd)
    yield sleep(0.01)
    print("slept")

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
with core.Waiting() as t:
    t.add(root())
    t.run()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no such limit")
def test_sleeps_where_no_reactor_could_be_made(core):
    assert run_script(core, NO_DESCRIPTOR) == (0, f"OSError {errno.EMFILE}\nslept\n", "")
