"""Other threads and signal handlers may throw into a pseudothread at any moment: while its wait is being arranged, too, and during the
attempt that would have ended it. Here the parts that the wait consists of do so themselves, at each of these moments.

The error arrives, once; and nothing is waited for any more that nobody wants.
"""

import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import let_go, load
from coroutines import value
from wires import fill, pair

from trampoline import (
    Reactor,
    in_thread,
    listening_socket,
    nonblocking_accept,
    nonblocking_read,
    nonblocking_sendto,
    nonblocking_write,
    readable,
    sleep,
    timeout,
)


class Moment:
    """Throws into the pseudothread when the moment `name` comes for the first time."""

    def __init__(self, name):
        self.name, self.pseudothread, self.came = name, None, []

    def __call__(self, name):
        if name == self.name and self.pseudothread.state == "parked":
            self.came.append(name)
            self.name = None
            self.pseudothread.throw(KeyError("thrown"))


class Struck(Reactor):
    """A reactor in which the moments are."""

    def __init__(self, moment):
        self.moment = moment
        super().__init__(self.now)

    def now(self):
        self.moment("the clock is asked")
        return 1.0

    def at(self, when, ready):
        self.moment("before at()")
        deadline = super().at(when, ready)
        self.moment("after at()")
        return deadline

    def watch(self, file, writing, ready):
        self.moment("before watch()")
        watched = super().watch(file, writing, ready)
        self.moment("after watch()")
        return watched


class Sock(socket.socket):
    """A socket in which the moments are."""

    __slots__ = ("moment",)

    def recv(self, *arguments):
        data = super().recv(*arguments)
        self.moment("during the attempt")
        return data

    def send(self, *arguments):
        self.moment("during the attempt")
        return super().send(*arguments)

    def sendto(self, *arguments):
        self.moment("during the attempt")
        return super().sendto(*arguments)

    def accept(self):
        accepted = super().accept()
        self.moment("during the attempt")
        return accepted


class Pool(ThreadPoolExecutor):
    """A pool in which the moment is."""

    def submit(self, *arguments, **more):
        self.moment("before submit()")
        future = super().submit(*arguments, **more)
        self.moment("after submit()")
        return future


IN_TIME = ["the clock is asked", "before at()", "after at()"]
IN_FILES = ["before watch()", "after watch()"]
MOMENTS = {
    "sleep": IN_TIME,
    "timeout": IN_TIME,
    "timeout around a read": [*IN_TIME, *IN_FILES],
    "read": [*IN_FILES, "during the attempt"],
    "accept": [*IN_FILES, "during the attempt"],
    "readable": IN_FILES,
    "write after a hundred": ["during the attempt"],  # the first hundred are done before the pseudothread is parked
    "write to a full one": IN_FILES,
    "write to a full one after a hundred": ["during the attempt", *IN_FILES],
    "sendto": ["during the attempt"],
    "in_thread": ["before submit()", "after submit()"],
}


@pytest.fixture
def things():
    """What is waited for: two connected sockets, a listener, and a caller."""
    ours, theirs = pair()
    ours = Sock(fileno=ours.detach())
    listener = listening_socket("127.0.0.1", 0)
    listener = Sock(listener.family, listener.type, fileno=listener.detach())
    with ours, theirs, listener, socket.create_connection(listener.getsockname()) as caller:
        for sock in (ours, listener):
            sock.setblocking(False)
        theirs.send(b"data")
        yield ours, theirs, listener, caller


def wait_of(name, ours, listener, moment):
    if name.startswith("write to a full one"):
        moment.name, later = None, moment.name
        fill(ours)
        moment.name = later
    if name.startswith("write"):
        return nonblocking_write(ours, b"data")
    return {
        "sleep": lambda: sleep(1e6),
        "timeout": lambda: timeout(1e6, sleep(1e6)),
        "timeout around a read": lambda: timeout(1e6, nonblocking_read(ours)),
        "read": lambda: nonblocking_read(ours),
        "accept": lambda: nonblocking_accept(listener),
        "readable": lambda: readable(ours),
        "sendto": lambda: nonblocking_sendto(ours, b"data", None),
        "in_thread": lambda: in_thread(os.getpid),
    }[name]()


@pytest.mark.parametrize(("name", "moment"), [(name, moment) for name in MOMENTS for moment in MOMENTS[name]])
def test_thrown_into_at_a_bad_moment(core, things, name, moment):
    def waits():
        wait = wait_of(name, ours, listener, strike)
        for _ in range(100 if name.endswith("hundred") else 0):
            yield nonblocking_write(theirs, b".")
        try:
            yield wait
        except KeyError as error:
            caught.append(error)
        yield sleep(0)
        return "went on"

    ours, theirs, listener, caller = things
    strike, caught = Moment(moment), []
    ours.moment = listener.moment = strike
    reactor = Struck(strike)
    with core.Waiting(reactor=reactor) as t:
        with Pool(1) as t._pool:
            t._pool.moment = strike
            p = strike.pseudothread = t.add(waits())
            assert t.run() == "went on"
        assert strike.came == [moment]
        assert [(error.args, error.__context__) for error in caught] == [(("thrown",), None)]
        assert p.done
        assert t._all_parked() == []
        assert not t._limits
        assert not reactor.waiting
        if name.startswith("write to a full one"):  # nobody writes to it any more
            theirs.setblocking(False)
            while fill_is_left(theirs):
                pass
            q = t.add(nonblocking_write(ours, b"again").__iter__())
            t.run()
            assert q.result() == 5
        if name == "accept" and moment == "during the attempt":
            assert caller.recv(1) == b"", "what nobody takes is closed"
    reactor.close()


def fill_is_left(sock):
    try:
        return sock.recv(1 << 20)
    except BlockingIOError:
        return b""


def test_what_is_dropped_when_suspend_has_raised_goes_after_run(core):
    class Dropping(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            return None if exc else super().schedule(coroutine, stack, val)

    class Failing(core.Suspension):
        def suspend(self, pseudothread):
            raise KeyError("suspend")

    def waits():
        yield Failing()

    def root():
        try:
            yield waits()
        finally:
            ended.append(t.running)

    ended = []
    t = Dropping()
    t.add(root())
    t.run()
    let_go()
    assert ended == [False]


def test_what_fails_as_it_takes_back_what_run_shows_it_leaves_nobody_half_queued():
    """As where Ctrl-C strikes there in the core in Python: run() sees that nobody has taken it, and it ends; all else goes on."""
    core = load("python")

    class Differently(core.Trampoline):
        def schedule(self, coroutine, stack=(), *rest):
            return super().schedule(coroutine, stack or [], *rest)

        def _append(self, p):
            if failing:
                raise failing.pop()
            super()._append(p)

    def root(name):
        yield value(name)
        failing.extend([KeyboardInterrupt()] * (name == "struck"))
        yield value(name)
        return name

    failing, t = [], Differently()
    struck, other = t.add(root("struck")), t.add(root("other"))
    with pytest.raises(KeyboardInterrupt):
        t.run()
    t.run()
    assert other.result() == "other"
    assert struck.done
    assert not t.queue
    assert t.pseudothreads() == []
