"""The queue is a deque to its user, and may be replaced by one."""

from collections import deque

import pytest
from coroutines import value
from queues import QUEUES, Foreign, two_turns, with_queue


@pytest.mark.parametrize("kind", QUEUES)
def test_a_deque_to_its_user(core, kind):
    t = with_queue(core, kind)
    assert len(t.queue) == 0
    assert not t.queue
    first, second = t.add(value(1)), t.add(value(2))
    assert bool(t.queue) is True
    assert list(t.queue) == [first, second]
    assert t.queue.popleft() is first
    t.queue.append(first)
    assert list(t.queue) == [second, first]
    assert t.queue.popleft() is second
    t.queue.append(len)
    t.queue.appendleft(second)
    assert list(t.queue) == [second, first, len]
    t.queue.clear()
    assert list(t.queue) == []
    with pytest.raises(IndexError) as raised:
        t.queue.popleft()
    assert raised.value.__context__ is None


@pytest.mark.parametrize("kind", QUEUES)
def test_to_call_an_entry_is_one_turn(core, kind):
    log = []

    def root():
        log.append(1)
        got = yield value("from the callee")
        log.append(got)
        yield "end"

    t = with_queue(core, kind)
    p = t.add(root())
    assert p is t.queue.popleft()
    assert p() is None
    assert log == [1]
    assert t.queue.popleft()() is None
    assert t.queue.popleft()() == "end"
    assert log == [1, "from the callee"]
    assert p.done
    assert len(t.queue) == 0


@pytest.mark.parametrize("kind", QUEUES)
def test_any_callable_may_be_queued(core, kind):
    log = []

    def later():
        log.append("later")
        t.queue.append(lambda: log.append("last") or "result")

    t = with_queue(core, kind)
    t.add(two_turns(1))
    t.queue.append(later)
    t.queue.appendleft(lambda: log.append("first"))
    assert t.run() == 1
    assert log == ["first", "later", "last"]
    t.queue.append(later)
    assert t.run() == "result"


def test_a_foreign_queue_decides_what_is_next(core):
    class LastFirst(Foreign):
        def popleft(self):
            return self.entries.pop()

    log = []

    def root(name):
        log.append((name, 1))
        yield value(None)
        log.append((name, 2))

    t = with_queue(core, LastFirst)
    t.add(root("a"))
    t.add(root("b"))
    t.run()
    assert log == [("b", 1), ("b", 2), ("a", 1), ("a", 2)]


@pytest.mark.parametrize("kind", [deque, Foreign])
def test_the_queue_is_replaced_while_it_runs(core, kind):
    log = []

    def root(name):
        for turn in range(3):
            log.append((name, turn))
            yield value(None)
            if (name, turn) == ("a", 1):
                t.queue = kind(t.queue)

    t = core.Trampoline()
    t.add(root("a"))
    t.add(root("b"))
    t.run()
    assert log == [(name, turn) for turn in range(3) for name in "ab"]
    assert isinstance(t.queue, kind)


def test_an_error_of_a_foreign_queue_leaves_run(core):
    class Broken(Foreign):
        def popleft(self):
            if self.broken:
                raise OSError("popleft")
            return super().popleft()

    t = with_queue(core, Broken)
    p = t.add(value(1))
    t.queue.broken = True
    with pytest.raises(OSError, match="popleft"):
        t.run()
    assert t.running is False
    t.queue.broken = False
    assert t.run() == p.result() == 1


def test_a_pseudothread_in_another_trampolines_queue_takes_its_turn_there(core):
    here, there = core.Trampoline(), core.Trampoline()
    p = here.add(two_turns(5))
    there.queue.append(here.queue.popleft())
    there.run()
    assert list(here.queue) == [p]
    assert here.run() == 5


def test_close_takes_it_out_of_another_trampolines_queue(core):
    here, there = core.Trampoline(), core.Trampoline()
    closed, left = here.add(value(1)), there.add(value(2))
    there.queue.appendleft(here.queue.popleft())
    closed.close()
    assert closed.done
    assert there.run() == 2
    assert left.done


@pytest.mark.parametrize("turns", [0, 1])
def test_close_of_what_stands_twice_in_a_foreign_queue(core, turns):
    """Its entries stay, as it cannot be taken out there, and are passed over; the result of run() is then None."""

    def root():
        try:
            yield child()
        finally:
            ended.append(len(t.queue))

    def child():
        yield

    ended = []
    t = core.Trampoline()
    t.queue = deque()
    p = t.add(root())
    for _ in range(turns):
        t.queue.popleft()()
    t.queue.append(p)
    if not turns:
        assert len(t.queue) == 2
    p.close()
    assert ended == [2] * turns
    assert p.done
    assert t.run() is None
    assert not t.queue
