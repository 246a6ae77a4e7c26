"""What wakes a `run()` that waits: other threads and signal handlers that add, schedule, resume, throw, close and stop; and Ctrl-C. Each is
tried when the reactor has been asked to wait, and then all of them at once, many times.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from coroutines import returned, waits
from wires import LIMIT, fill, pair, script_on

from trampoline import Reactor, Suspension, in_thread, nonblocking_read, nonblocking_write, sleep, timeout

BY_SIGNAL = pytest.param("signal", marks=pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="there are no such signals"))


class Telling(Reactor):
    """A reactor that says when it is asked to wait for long, and counts that."""

    def __init__(self):
        super().__init__()
        self.asked, self.waits = threading.Event(), 0

    def poll(self, timeout=None):
        if timeout is None and not self._due:
            self.waits += 1
            self.asked.set()
        return super().poll(timeout)


class Outside(Suspension):
    """What only somebody outside ends."""

    external = True

    def suspend(self, pseudothread):
        pass


def act(t, p, what):
    """Do what wakes `t`, in which `p` waits."""
    if what == "add":
        t.add(returned("added"))
    elif what == "schedule":
        t.schedule(returned("scheduled"))
    elif what == "append":
        t.queue.append(lambda: "appended")
    elif what == "resume":
        p.resume("resumed")
    elif what == "throw":
        p.throw(KeyError("thrown"))
    elif what == "close":
        p.close()
    elif what == "stop":
        t.stop()
    else:
        t.running = False


@pytest.fixture
def handled():
    """Have SIGUSR1 call what is appended to the list."""
    functions = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: [function() for function in functions])
    yield functions
    signal.signal(signal.SIGUSR1, before)


GIVES = {
    "add": "added",
    "schedule": "scheduled",
    "append": "appended",
    "resume": "resumed",
    "throw": "thrown",
    "close": None,
    "stop": None,
    "running": None,
}
WRONG = [("resume", "sleep"), ("resume", "read")]  # only the suspension itself knows that it need not wake anybody any more


@pytest.mark.parametrize("by", ["thread", BY_SIGNAL])
@pytest.mark.parametrize(
    ("what", "wait"), [(what, wait) for what in GIVES for wait in ("outside", "sleep", "read") if (what, wait) not in WRONG]
)
def test_each_wakes_a_run_that_waits(core, ends, request, what, by, wait):
    def wakes():
        assert reactor.asked.wait(LIMIT)
        if by == "thread":
            act(t, p, what)
        else:
            os.kill(os.getpid(), signal.SIGUSR1)

    waited_for = {"outside": Outside(), "sleep": sleep(1e6), "read": nonblocking_read(ends[0])}[wait]
    reactor = Telling()
    with core.Waiting(reactor=reactor) as t:
        p = t.add(waits(waited_for))
        if by == "signal":
            request.getfixturevalue("handled").append(lambda: act(t, p, what))
        thread = threading.Thread(target=wakes)
        thread.start()
        first = None
        if what in ("add", "schedule", "append"):
            t._wait = lambda wait=t._wait: t.stop() if reactor.waits and not t.queue else wait()
        try:
            first = t.run()
        except KeyError as error:
            first = error.args[0]
        thread.join()
        left = p.state
    assert first == GIVES[what]
    assert left == ("ended" if what in ("resume", "throw", "close") else "parked")
    assert reactor.waits == 1
    reactor.close()


def test_it_sleeps_while_another_thread_is_slow_to_resume(core):
    class Slow(Telling):
        def knock(self):
            super().knock()
            time.sleep(0.1)
            polled.append(self.polls)

        def poll(self, timeout=None):
            self.polls = getattr(self, "polls", 0) + 1
            return super().poll(timeout)

    def root():
        yield Outside()
        yield sleep(0.2)

    polled, reactor = [], Slow()
    with core.Waiting(reactor=reactor) as t:
        p = t.add(root())
        threading.Thread(target=lambda: reactor.asked.wait(LIMIT) and p.resume()).start()
        t.run()
    reactor.close()
    assert len(polled) == 1
    assert polled[0] < 500, "it took the processor from the thread"


class Chaos:
    """Many pseudothreads that wait for all sorts of things, and what happens to them from all sides."""

    def __init__(self, core, rounds):
        self.t, self.rounds, self.connections = core.Waiting(), rounds, [pair() for _ in range(8)]
        self.counts = {"ends": 0, "resumed": 0, "thrown": 0, "added": 0}
        self.added = []
        self.stopped = 0
        fill(self.connections[7][0])
        self.victims = [self.t.add(self.victim(number)) for number in range(40)]
        self.t.add(timeout(LIMIT, self.keeps_going()))
        self.going = True

    def wait_of(self, number):
        kinds = [
            Outside,
            lambda: sleep(1e6),
            lambda: timeout(1e6, sleep(1e6)),
            lambda: timeout(1e6, nonblocking_read(self.connections[number % 7][0])),
            lambda: nonblocking_write(self.connections[7][0], b"x"),
            lambda: in_thread(time.sleep, 0),
        ]
        return kinds[0 if number < 8 else number % len(kinds)]()

    def victim(self, number):
        for _ in range(self.rounds):
            with suppress(KeyError, RuntimeError):
                got = yield self.wait_of(number)
                if number % 6 == 5 and number >= 8:
                    yield Outside()
                assert got is None or got == "resumed"
        self.counts["ends"] += 1

    def keeps_going(self):
        while self.counts["ends"] < len(self.victims):
            yield sleep(0.002)
        self.going = False

    def strike(self, number):
        """Do something to one of them."""
        p = self.victims[number % len(self.victims)]
        if number % 11 == 0:
            self.added.append(self.t.add(returned(number)))
        elif number % 101 == 0:
            self.stopped += 1
            self.t.stop()
        elif type(p.waits_for) is Outside and number % 2:
            with suppress(RuntimeError):  # another was quicker
                p.resume("resumed")
        else:
            with suppress(RuntimeError):
                p.throw(KeyError(number))

    def run(self):
        while self.going:
            self.t.run()

    def check(self):
        t = self.t
        t.run()
        assert self.counts["ends"] == len(self.victims)
        assert all(p.done for p in (*self.victims, *self.added))
        assert t._all_parked() == []
        assert not t._limits
        assert not t.reactor.waiting, "nothing is waited for that nobody wants"
        assert not t.reactor._files or not any(w.reading or w.writing for w in t.reactor._files.values())
        t.close()
        for connection in self.connections:
            for sock in connection:
                sock.close()


@pytest.mark.usefixtures("quick_switches")
def test_many_threads_at_once(core):
    def strikes(first):
        number = first
        while chaos.going:
            number += 7
            chaos.strike(number)
            while len(chaos.t.queue) > 100 and chaos.going:  # else they might add faster than one thread can run
                time.sleep(0.0005)

    chaos = Chaos(core, rounds=12)
    errors, threads = [], []
    for first in range(4):

        def body(first=first):
            try:
                strikes(first)
            except BaseException as error:
                errors.append(error)
                chaos.going = False
                chaos.t.stop()

        threads.append(threading.Thread(target=body))
    for thread in threads:
        thread.start()
    try:
        chaos.run()
    finally:
        chaos.going = False
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    chaos.check()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that sends a signal")
def test_many_signals(core):
    def strikes(signum, frame):
        number[0] += 7
        for more in range(5):
            chaos.strike(number[0] + more)

    number, chaos = [0], Chaos(core, rounds=6)
    before = signal.signal(signal.SIGALRM, strikes)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        chaos.run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    chaos.check()


IDLE = """
import signal, socket, trampoline
from trampoline import in_thread, nonblocking_read, sleep, timeout

class Outside(trampoline.Suspension):
    external = True
    def suspend(self, pseudothread):
        pass

def root():
    try:
        yield {wait}
    finally:
        print("finally", flush=True)

def others():
    yield sleep(0)
    return "run again"

ours, theirs = socket.socketpair()
signal.signal(signal.SIGINT, signal.default_int_handler)
with core.Waiting() as t:
    p = t.add(root())
    t._wait = lambda wait=t._wait: print("idle", flush=True) or wait()
    try:
        t.run()
    except KeyboardInterrupt:
        print("KeyboardInterrupt", p.state, t.running, flush=True)
    del t._wait
    {then}
print(p.done, t.running)
ours.close()
theirs.close()
"""
WAITS = {
    "sleep": "sleep(1e6)",
    "timeout": "timeout(1e6, sleep(1e6))",
    "file": "nonblocking_read(ours)",
    "outside": "Outside()",
}
THEN = {
    "closed": ("pass", []),
    "run again": ("t.add(others()); p.close(); print(t.run())", ["run again"]),
}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for one process")
@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_ends_an_idle_run_at_once(core, wait, then):
    """At once: nothing else would ever end it."""
    script, said = THEN[then]
    with subprocess.Popen(
        script_on(core, IDLE.format(wait=WAITS[wait], then=script)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(LIMIT, process.kill)
        watchdog.start()
        try:
            assert process.stdout.readline() == "idle\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate()
        finally:
            watchdog.cancel()
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert out.split("\n") == ["KeyboardInterrupt parked False", "finally", *said, "True False", ""]
