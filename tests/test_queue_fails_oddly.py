"""A queue or a `schedule` of the user's that fails in an odd way: it has taken what it refuses, or says that it is empty when it is not."""

import threading
from collections import deque

import pytest
from conftest import REFERENCE_COUNTS
from coroutines import value, waits
from queues import Foreign, Refused, Shown, two_turns, with_queue


class SaysEmpty(Foreign):
    """A queue that is not empty, and raises IndexError as one that is."""

    times = ()

    def popleft(self):
        self.taken += 1
        if self.taken in self.times:
            raise IndexError("of the user's own")
        return self.entries.popleft()


@pytest.mark.parametrize("turn", range(1, 7))
def test_an_index_error_of_its_own_leaves_run_and_loses_nothing(core, turn):
    t = with_queue(core, SaysEmpty)
    t.queue.times = [turn]
    ps = [t.add(two_turns(name)) for name in "ab"]
    with pytest.raises(IndexError, match="of the user's own"):
        t.run()
    t.run()
    assert [p.result() for p in ps] == ["a", "b"]


def test_an_index_error_of_its_own_leaves_close_and_loses_nothing(core):
    t, closed = with_queue(core, SaysEmpty), []

    def closes():
        try:
            yield value(1)
        finally:
            closed.append(1)

    t.add(closes())
    t.queue.append(t.queue.popleft())
    t.queue.taken, t.queue.times = 0, [1]
    with pytest.raises(IndexError, match="of the user's own"):
        t.close()
    assert len(t.queue) == 1
    t.close()
    assert not t.queue


class Calls(Shown):
    """A queue that makes the turn at once, and refuses the entry then."""

    calls = False

    def append(self, entry):
        if not self.calls:
            return super().append(entry)
        self.calls = False
        entry()
        raise Refused("after its turn")


@pytest.mark.parametrize("turns", [1, 2])
def test_a_queue_that_has_made_the_turn_before_it_fails(core, park, turns):
    """Nothing is ended or parked because of the failure: what has had its turn is where that left it."""

    def root():
        got.append((yield park))
        if turns == 2:
            got.append((yield park))
        return "value"

    got, t = [], core.Trampoline()
    t.queue = Calls()
    p = t.add(root())
    t.run()
    t.queue.calls = True
    with pytest.raises(Refused):
        p.resume("first")
    assert got == ["first"]
    if turns == 2:
        assert p.waits_for is park
        p.resume("second")
        t.run()
        assert got == ["first", "second"]
    assert p.result() == "value"


def test_a_schedule_that_drops_one_and_refuses_who_joins_it(core):
    """The one ends, for nobody has its continuation; the error for the other leaves run()."""

    class Drops(core.Trampoline):
        dropped, refuses = None, False

        def schedule(self, coroutine, *continuation):
            if coroutine is self.dropped:
                self.dropped, self.refuses = None, True
                return None
            if self.refuses:
                self.refuses = False
                raise Refused("the joiner")
            return super().schedule(coroutine, *continuation)

    t, dropped = Drops(), two_turns("dropped")
    p = t.add(dropped)
    joiner = t.add(waits(p))
    t.queue.popleft()()  # it calls
    t.dropped = dropped
    with pytest.raises(Refused, match="the joiner"):
        t.run()
    t.run()
    assert p.done
    assert joiner.done


@pytest.mark.parametrize("passed", [True, False])
def test_two_threads_that_are_shown_a_continuation_at_the_same_time(core, park, passed):
    """Who passes it on goes on, whoever was first; who does not has ended it."""

    class Slow(core.Trampoline):
        slow = ()

        def schedule(self, coroutine, *continuation):
            made = super().schedule(coroutine, *continuation) if passes else None
            if coroutine in self.slow:
                place = self.slow.index(coroutine)
                inside[place].set()
                assert may_go[place].wait(30)
            return made

    inside, may_go = [[threading.Event(), threading.Event()] for _ in range(2)]
    passes, t, slow = True, Slow(), (waits(park), waits(park))
    ps = [t.add(coroutine) for coroutine in slow]
    t.run()
    t.slow, passes = slow, passed
    threads = [threading.Thread(target=p.resume, args=[number]) for number, p in enumerate(ps)]
    for number, thread in enumerate(threads):
        thread.start()
        assert inside[number].wait(30)
    for number, thread in enumerate(threads):
        may_go[number].set()
        thread.join()
    t.run()
    assert [p.state for p in ps] == ["ended"] * 2
    if passed:
        assert [p.result() for p in ps] == [0, 1]


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="on PyPy the collector lets go, later")
@pytest.mark.parametrize("queue", [None, Foreign, deque])
@pytest.mark.parametrize("ahead", [0, 1])
def test_what_is_let_go_closes_the_one_that_has_just_been_taken(core, queue, ahead):
    """A `finally` of a callee that gave its result by a yield runs when the next entry has been taken."""
    log, t = [], with_queue(core, queue)

    def callee():
        try:
            yield "result"
        finally:
            log.append(other.state)
            try:
                other.close()
            except RuntimeError as error:
                log.append(str(error).partition(">: ")[2])

    def root():
        for _ in range(ahead):
            yield value(1)
        log.append((yield callee()))
        return "root"

    def victim():
        try:
            for _ in range(5):
                yield value(2)
            log.append("went on")
        finally:
            log.append("closed")

    first = t.add(root())
    other = t.add(victim())
    t.run()
    assert first.result() == "root"
    assert other.done
    assert log == (["running", "it is running", "result", "went on", "closed"] if queue is None else ["queued", "closed", "result"])
