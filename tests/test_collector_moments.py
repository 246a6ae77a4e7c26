"""A collector that is set, settled or taken away at an odd moment: in the middle of a turn that is the last, or between two."""

import threading
from collections.abc import Generator

import pytest
from coroutines import Mishap, value, waits
from counting import check_laws, collecting, rows, takes

from trampoline import nonblocking_read, sleep

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.parametrize("end", ["stop", "error", "return"])
def test_set_in_the_last_turn(core, clock, end):
    """It counts that turn from then on, and nothing after it."""
    collector = core.module.Collector(clock)

    def root():
        clock.now += 1
        core.module.collect(collector)
        clock.now += 10
        if end == "stop":
            t.stop()
            yield value(1)
        elif end == "error":
            raise Mishap
        return
        yield

    t = core.Trampoline()
    t.add(root())
    try:
        t.run()
    except Mishap:
        assert end == "error"
    clock.now += 100
    assert core.module.collect(None) is collector
    collector.settle()
    assert rows(collector, "self_time", "partial", "exceptions")["root"]["self_time"] == 10
    assert collector.run == 10
    check_laws(collector)


def test_settled_between_what_resumes_one_and_its_turn(core, clock, collector, park):
    """What was waited for is told apart at that moment, and no time is counted twice."""

    def other():
        clock.now += 1
        yield value(1)
        clock.now += 10
        park.last.resume()
        clock.now += 100
        collector.settle()
        seen.append(rows(collector, "parked", "ready")["waits"])
        clock.now += 1000

    seen, t = [], core.Trampoline()
    t.add(waits(park))
    t.add(other())
    t.run()
    assert seen == [{"parked": 11, "ready": 100}]
    assert rows(collector, "parked", "ready")["waits"] == {"parked": 11, "ready": 1100}
    check_laws(collector)


def test_one_collector_is_not_for_two_threads_at_once(core, clock):
    collector, errors = core.module.Collector(clock), []

    def elsewhere():
        try:
            other.run()
        except RuntimeError as error:
            errors.append(str(error))

    def root():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return "value"
        yield

    t, other = core.Trampoline(), core.Trampoline()
    t._collector = other._collector = collector
    t.add(root())
    other.add(value("other"))
    assert t.run() == "value"
    assert len(errors) == 1
    assert errors[0].endswith(" counts what runs on another thread: make a Collector for each thread")
    assert other.run() == "other"
    assert rows(collector, "calls") == {"root": {"calls": 1}, "value": {"calls": 1}}


class Wrapped(Generator):
    """A generator of a class of the user's, which returns with a StopIteration of its own class."""

    class Ends(StopIteration):
        pass

    def __init__(self, generator):
        self.generator = generator

    def send(self, value):
        try:
            return self.generator.send(value)
        except StopIteration as stop:
            raise self.Ends(stop.value) from None

    def throw(self, *error):
        return self.generator.throw(*error)


def test_a_coroutine_that_returns_with_a_stop_iteration_of_its_own_class(core, clock, collector):
    def root():
        got.append((yield Wrapped(takes(clock, 1))))
        clock.now += 10
        got.append((yield takes(clock, 100)))

    got, t = [], core.Trampoline()
    t.add(root())
    t.run()
    assert got == [None, None]
    found = rows(collector, "calls", "self_time")
    assert found["root"] == {"calls": 1, "self_time": 10}
    assert found["root/takes"] == {"calls": 1, "self_time": 100}
    assert found["root/Wrapped"] == {"calls": 1, "self_time": 1}
    check_laws(collector)


@pytest.mark.parametrize("begun", [False, True])
def test_one_that_is_older_and_of_a_class_of_the_users_counts_as_begun(core, clock, begun):
    """Of its own generators Python says whether they have begun; of others nobody knows."""
    collector, t = core.module.Collector(clock), core.Trampoline()
    t.add(Wrapped(takes(clock, 1)))
    t.add(takes(clock, 2))
    with collecting(core, collector):
        t.run()
    assert rows(collector, "calls", "partial") == {"Wrapped": {"partial": 1}, "takes": {"calls": 1}}


def test_set_in_a_turn_that_ends_by_a_tail_call(core, clock):
    collector = core.module.Collector(clock)

    def root():
        core.module.collect(collector)
        clock.now += 1
        raise core.TailCall(instead())
        yield

    def instead():
        clock.now += 10
        yield takes(clock, 100)
        clock.now += 1000

    t = core.Trampoline()
    t.add(root())
    t.run()
    core.module.collect(None)
    assert rows(collector, "self_time") == {
        "root": {"self_time": 1},
        "instead": {"self_time": 1010},
        "instead/takes": {"self_time": 100},
    }
    check_laws(collector)


def test_an_entry_that_was_taken_before_is_counted_when_it_is_called(core, clock):
    """It stood nowhere when the collector was set."""
    first, second, t = core.module.Collector(clock), core.module.Collector(clock), core.Trampoline()

    def root():
        yield takes(clock, 1)

    with collecting(core, first):
        t.add(root())
        t.queue.popleft()()
        entry = t.queue.popleft()
        with collecting(core, second):
            entry()
            t.run()
    assert rows(first, "calls", "partial", "self_time") == {"root": {"calls": 1}, "root/takes": {"calls": 1}}
    assert rows(second, "partial", "self_time") == {"root": {"partial": 1}, "root/takes": {"partial": 1, "self_time": 1}}
    check_laws(second)


def test_an_entry_that_was_taken_while_it_was_counted_is_called_when_nothing_is(core, clock):
    collector, t = core.module.Collector(clock), core.Trampoline()
    with collecting(core, collector):
        t.add(takes(clock, 1, takes(clock, 10), 100))
        t.queue.popleft()()
        entry = t.queue.popleft()
    entry()
    t.run()
    assert clock.now == 1111
    assert rows(collector, "calls", "self_time") == {"takes": {"calls": 1, "self_time": 1}, "takes/takes": {"calls": 1}}


def test_set_in_a_turn_by_hand_that_is_the_last(core, clock):
    """Nothing holds the pseudothread after it, nor the turn: the next run counts from its own begin."""
    collector, t = core.module.Collector(clock), core.Trampoline()

    def root():
        core.module.collect(collector)
        return "value"
        yield

    t.add(root())
    assert t.queue.popleft()() == "value"
    clock.now += 1000
    t.add(takes(clock, 1))
    t.run()
    assert core.module.collect(None) is collector
    assert rows(collector, "calls", "self_time")["takes"] == {"calls": 1, "self_time": 1}
    check_laws(collector)


def test_reads_that_are_waited_for(core, clock, collector, ends):
    """The first of a socket, and one after it."""
    (ours, theirs), got = ends, []

    def reads():
        for _ in range(2):
            got.append((yield nonblocking_read(ours)))

    def other():
        for count, moment in enumerate((10, 100)):
            while len(got) < count:
                yield sleep(0)
            clock.now += moment
            theirs.send(b"data")

    with core.Waiting() as t:
        t.add(reads())
        t.add(other())
        t.run()
    assert got == [b"data"] * 2
    assert rows(collector, "parked", "resumes")["reads"] == {"parked": 110, "resumes": 3}
    check_laws(collector)


def test_a_schedule_that_adds_others_while_it_is_shown_a_continuation(core, clock, collector):
    """They are new, and not the one that it is just shown, whether as deep or not."""

    class Adds(core.Trampoline):
        left = 6

        def schedule(self, coroutine, *continuation):
            if self.left and t.running:
                self.left -= 1
                super().schedule(added())
            return super().schedule(coroutine, *continuation)

    def added():
        clock.now += 1
        yield takes(clock, 10)

    def root():
        yield takes(clock, 100)
        clock.now += 1000

    t = Adds()
    t.add(root())
    t.run()
    assert rows(collector, "calls", "self_time") == {
        "root": {"calls": 1, "self_time": 1000},
        "root/takes": {"calls": 1, "self_time": 100},
        "added": {"calls": 6, "self_time": 6},
        "added/takes": {"calls": 6, "self_time": 60},
    }
    check_laws(collector)
