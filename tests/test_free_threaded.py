"""Many threads at one trampoline: nothing is lost, nothing comes twice, and whoever looks may. In free-threaded CPython they do it at once,
elsewhere they take turns as quickly as they can; and there `import trampoline` leaves the lock of the interpreter off."""

import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress

import pytest
from crowds import FREE, ROUNDS, THREADS, Server, Station, at_once, pause

import trampoline


@pytest.fixture(autouse=True)
def _quickly(quick_switches):
    pass


@pytest.mark.skipif(not FREE, reason="this CPython has the lock always")
def test_the_lock_stays_off():
    asked = "import sys, trampoline, trampoline.aio; print(sys._is_gil_enabled(), trampoline.accelerated)"
    told = subprocess.run([sys.executable, "-W", "error", "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", str(trampoline.accelerated)]


def test_what_is_added_by_many_threads_runs_once(core):
    ran = []

    def root(n):
        ran.append((yield leaf(n)))

    def leaf(n):
        yield n

    def adds(first):
        for n in range(first, first + ROUNDS):
            (t.add, t.schedule, t.spawn)[n % 3](root(n))

    with Server(core) as t:
        at_once(*(lambda first=first: adds(first) for first in range(0, THREADS * ROUNDS, ROUNDS)))
    assert sorted(ran) == list(range(THREADS * ROUNDS))


def test_of_those_that_resume_one_succeeds(core):
    station, got, refused = Station(), [], Counter()

    def waits():
        for _ in range(ROUNDS):
            try:
                got.append((yield station))
            except KeyError as error:
                got.append(error.args[0])

    def wakes(number):
        turn = 0
        while not all(p.done for p in waiting):
            for p in waiting:
                try:
                    p.throw(KeyError((number, turn))) if turn % 2 else p.resume((number, turn))
                    given.append((number, turn))
                except RuntimeError:
                    refused[number] += 1
                turn += 1
            pause()

    given = []
    with Server(core) as t:
        waiting = [t.add(waits()) for _ in range(3)]
        at_once(*(lambda number=number: wakes(number) for number in range(THREADS)))
    assert len(got) == 3 * ROUNDS
    assert Counter(got) == Counter(given)


def test_a_deadline_and_those_that_throw_give_one_outcome(core):
    outcomes = Counter()

    def sleeps(n):
        try:
            yield trampoline.sleep(0.0005 if n % 2 else 0.001)
            outcomes[n, "slept"] += 1
        except KeyError:
            outcomes[n, "thrown"] += 1
        with suppress(KeyError):  # from a thread that is late
            yield trampoline.sleep(0)
        outcomes[n, "done"] += 1

    def throws():
        for p in started:
            with suppress(RuntimeError):
                p.throw(KeyError("now"))

    with Server(core) as t:
        for batch in range(ROUNDS // 10):
            started = [t.add(sleeps(n)) for n in range(batch * 20, batch * 20 + 20)]
            at_once(*[throws] * THREADS)
        while not t.running or any(not p.done for p in started):
            pause()
    for n in range(ROUNDS // 10 * 20):
        assert outcomes[n, "slept"] + outcomes[n, "thrown"] <= 1
    assert max(outcomes.values()) == 1
    assert not t._limits
    assert len(t._timers) == 0


def test_each_is_closed_once(core):
    station, ended, errors = Station(), Counter(), Counter()

    def waits(n):
        try:
            yield inner(n)
        finally:
            ended[n] += 1

    def inner(n):
        begun.append(n)
        try:
            while True:
                yield station if n % 3 else trampoline.sleep(0)
        finally:
            ended[n, "inner"] += 1

    def closes():
        for p in started:
            while not p.done:
                try:
                    p.close()
                except RuntimeError:  # it is running
                    errors[p] += 1
                    pause()

    with Server(core) as t:
        for batch in range(ROUNDS // 10):
            begun = []
            started = [t.add(waits(n)) for n in range(batch * 10, batch * 10 + 10)]
            while len(begun) < 10:
                pause()
            at_once(*[closes] * THREADS)
    assert set(ended.values()) == {1}
    assert len(ended) == 2 * 10 * (ROUNDS // 10)


def test_who_joins_is_told_though_others_close_or_throw(core):
    told = Counter()

    def child(n):
        while True:
            yield trampoline.sleep(0)

    def joins(n):
        while True:
            try:
                yield started[n]
            except KeyError:  # from a thread
                continue
            except RuntimeError:  # closed before it had a result
                told[n] += 1
                return

    def gathers():
        with suppress(RuntimeError):
            yield trampoline.gather(*(joins(n) for n in range(10)))
        told["all"] += 1

    def closes():
        for p in started:
            while not p.done:
                with suppress(RuntimeError):  # it is running
                    p.close()
            for parent in parents:
                with suppress(RuntimeError):
                    parent.throw(KeyError("now"))

    with Server(core) as t:
        for _ in range(ROUNDS // 10):
            told.clear()
            started = [t.add(child(n)) for n in range(10)]
            parents = [t.add(joins(n)) for n in range(10) for _ in range(2)]
            gathering = t.add(gathers())
            at_once(*[closes] * THREADS)
            while not all(p.done for p in (*parents, gathering)):
                pause()
            assert told == {"all": 1, **dict.fromkeys(range(10), 3)}


def test_whoever_looks_may(core):
    seen = Counter()

    def deep(n):
        return (yield deep(n - 1)) + 1 if n else (yield trampoline.sleep(0)) or 0

    def busy():
        while len(looked) < THREADS:
            assert (yield deep(50)) == 50
            child = yield core.spawn(deep(5))
            assert (yield child) == 5

    def looks():
        try:
            for _ in range(ROUNDS // 4):
                look()
        finally:
            looked.append(True)

    def look():
        for p in t.pseudothreads():
            seen[p.state] += 1
            assert p.name == "busy" or p.name.endswith(("turn", "deep"))
            repr(p), p.stack, p.added, p.age, p.waits_for, p.done
        for shot in t.snapshot(locals=True):
            assert shot.state in ("queued", "running", "parked", "ended")
        len(t.queue), list(t.queue), repr(t.queue), t._turn, core.module._live()

    looked = []
    with Server(core) as t:
        for _ in range(10):
            t.add(busy(), name="busy")
        at_once(*[looks] * THREADS)
    assert seen["queued"]
    assert seen["parked"]


def test_what_a_channel_holds_is_had_once(core):
    """While others throw into whoever waits at it."""
    channel, had, put = core.Channel(2), [], []

    def puts(first):
        for n in range(first, first + ROUNDS):
            while True:
                with suppress(KeyError):
                    yield channel.put(n)
                    break
            put.append(n)

    def gets():
        while True:
            try:
                n = yield channel.get(None)
            except KeyError:
                continue
            if n is None:
                return
            had.append(n)

    def throws():
        while not all(p.done for p in putters):
            for p in (*putters, *getters):
                with suppress(RuntimeError):
                    p.throw(KeyError("now"))
            pause()

    with Server(core) as t:
        getters = [t.add(gets()) for _ in range(3)]
        putters = [t.add(puts(first)) for first in range(0, 3 * ROUNDS, ROUNDS)]
        at_once(*[throws] * THREADS)
        closing = t.add(closes(channel))
        while not closing.done:
            pause()
    assert sorted(put) == list(range(3 * ROUNDS))
    assert sorted(had) == sorted(put)


def closes(channel):
    channel.close()
    yield


def test_stopped_and_run_again_nothing_is_lost(core):
    counted = [0] * 20
    over = threading.Event()

    def counts(n):
        for _ in range(ROUNDS * 5):
            counted[n] += 1
            yield trampoline.sleep(0)

    def stops():
        while not over.is_set():
            t.stop()
            pause()

    def runs():
        while not all(p.done for p in started):
            t.run()
        over.set()

    with core.Waiting() as t:
        started = [t.add(counts(n)) for n in range(20)]
        at_once(runs, *[stops] * (THREADS - 1))
    assert counted == [ROUNDS * 5] * 20


def test_of_those_that_run_it_one_does(core):
    inside, most, refused = [], [], Counter()

    def counts():
        inside.append(threading.get_ident())
        most.append(len(set(inside)))
        yield trampoline.sleep(0)
        inside.remove(threading.get_ident())

    def runs():
        for _ in range(ROUNDS):
            t.add(counts())
            try:
                t.run()
            except RuntimeError as error:
                refused["by a second thread" in str(error)] += 1

    with core.Waiting() as t:
        at_once(*[runs] * THREADS)
        t.run()
    assert (len(inside), len(most), refused[False]) == (0, THREADS * ROUNDS, 0)


def test_entries_that_many_threads_put_in_and_take_out(core):
    called = []

    def moves(number):
        for n in range(ROUNDS):
            t.queue.append(lambda entry=(number, n): called.append(entry))
            t.queue.appendleft(p_of[number].pop() if p_of[number] else int)
            if n % 2:
                with suppress(IndexError, RuntimeError):
                    t.queue.popleft()()

    def root(n):
        called.append(n)
        yield

    with Server(core) as t:
        p_of = [[] for _ in range(THREADS)]
        at_once(*(lambda number=number: moves(number) for number in range(THREADS)))
    while t.queue:
        t.queue.popleft()()
    assert sorted(called) == sorted((number, n) for number in range(THREADS) for n in range(ROUNDS))


def test_turns_by_hand_in_other_threads_while_it_runs(core):
    """What they begin to wait for the run loop knows of, and nobody's turn is taken twice."""
    turns, called, given = Counter(), [], []

    def sleeps(n):
        for turn in range(ROUNDS // 2):
            turns[n] += 1
            yield trampoline.sleep(0 if turn % 3 else 0.0003)
        return n

    def makes_turns(number):
        turn = 0
        while not all(p.done for p in started):
            turn += 1
            given.append((number, turn))
            t.queue.append(lambda entry=(number, turn): called.append(entry))
            for _ in range(3):
                with suppress(IndexError):
                    entry = t.queue.popleft()
                    entry()
            pause()

    with Server(core) as t:
        started = [t.add(sleeps(n)) for n in range(12)]
        at_once(*(lambda number=number: makes_turns(number) for number in range(THREADS - 1)))
    assert [p.result() for p in started] == list(range(12))
    assert turns == dict.fromkeys(range(12), ROUNDS // 2)
    assert sorted(called) == sorted(given)


def test_one_trampoline_a_thread(core):
    def fib(n):
        return n if n < 2 else (yield fib(n - 1)) + (yield fib(n - 2))

    def runs():
        t = core.Trampoline()
        for n in range(12):
            t.add(fib(n))
        results.append(t.run())

    results = []
    at_once(*[runs] * THREADS)
    assert results == [89] * THREADS
