"""What a collector counts however a turn is made: by hand, nested, overridden, at once; and its timeline. Worked out by hand."""

import collections
import contextvars
import copy
import pickle

import pytest
from conftest import Park
from counting import Clock, check_laws, path, rows, takes


def test_settle_while_it_runs(core, clock, collector, park):
    seen = []

    def look():
        clock.now += 3
        collector.settle()
        seen.append(rows(collector))
        check_laws(collector)
        clock.now += 4
        yield

    def root():
        clock.now += 1
        yield look()

    t = core.Trampoline()
    t.add(takes(clock, 10, park))
    t.add(root())
    t.run()
    assert seen == [
        {
            "takes": {"calls": 1, "live": 1, "resumes": 1, "self_time": 10, "span": 14, "parked": 4},
            "root": {"calls": 1, "live": 1, "resumes": 1, "self_time": 1, "span": 14, "ready": 10},
            "root/look": {"calls": 1, "live": 1, "resumes": 1, "self_time": 3, "span": 3},
        }
    ]
    clock.now += 5
    collector.settle()
    assert rows(collector)["takes"] == {"calls": 1, "live": 1, "resumes": 1, "self_time": 10, "span": 23, "parked": 13}
    assert rows(collector)["root"] == {"calls": 1, "resumes": 2, "self_time": 1, "span": 18, "ready": 10}
    assert collector.run == 18


def test_calls_by_hand(core, clock, collector):
    t = core.Trampoline()
    p = t.add(takes(clock, 1, takes(clock, 10), 100))
    while t.queue:
        assert t.queue.popleft() is p
        clock.now += 5  # nothing runs
        p()
    assert rows(collector) == {
        "takes": {"calls": 1, "resumes": 2, "self_time": 101, "span": 126},
        "takes/takes": {"calls": 1, "resumes": 1, "self_time": 10, "span": 15},
    }
    assert (collector.loop, collector.run) == (0, 111)


def test_by_hand_inside_a_turn(core, clock, collector):
    def root():
        clock.now += 1
        t.queue.popleft()()
        clock.now += 2
        yield

    t = core.Trampoline()
    t.add(root())
    t.add(takes(clock, 10))
    t.run()
    assert rows(collector) == {
        "root": {"calls": 1, "resumes": 1, "self_time": 3, "span": 13},
        "takes": {"calls": 1, "resumes": 1, "self_time": 10, "span": 11, "ready": 1},
    }
    assert (collector.loop, collector.run) == (0, 13)


def test_by_hand_inside_a_later_turn(core, clock, collector):
    def root():
        yield takes(clock, 100)
        clock.now += 1
        t.queue.popleft()()
        clock.now += 2

    t = core.Trampoline()
    t.add(root())
    t.add(takes(clock, 20, takes(clock, 10)))
    t.run()
    assert {where: row["self_time"] for where, row in rows(collector).items()} == {
        "root": 3,
        "root/takes": 100,
        "takes": 20,
        "takes/takes": 10,
    }
    assert (collector.loop, collector.run) == (0, 133)


def test_a_trampoline_inside_another(core, clock, collector):
    def root(inner):
        clock.now += 1
        inner.add(takes(clock, 10, takes(clock, 20), 40))
        inner.queue.append(lambda: setattr(clock, "now", clock.now + 5))
        inner.run()
        clock.now += 2
        yield

    t = core.Trampoline()
    t.add(root(core.Trampoline()))
    t.run()
    assert rows(collector) == {
        "root": {"calls": 1, "resumes": 1, "self_time": 3, "span": 78},
        "takes": {"calls": 1, "resumes": 2, "self_time": 50, "span": 75},
        "takes/takes": {"calls": 1, "resumes": 1, "self_time": 20, "span": 25, "ready": 5},
    }
    assert (collector.loop, collector.run) == (5, 78)


def test_a_collector_of_its_own_comes_first(core, clock, collector):
    own, inner = core.module.Collector(clock), core.Trampoline()
    inner._collector = own
    assert inner._collector is own

    def root():
        clock.now += 1
        inner.add(takes(clock, 10))
        inner.run()
        clock.now += 2
        yield

    t = core.Trampoline()
    t.add(root())
    t.run()
    assert rows(collector) == {"root": {"calls": 1, "resumes": 1, "self_time": 13, "span": 13}}
    assert rows(own) == {"takes": {"calls": 1, "resumes": 1, "self_time": 10, "span": 10}}
    inner._collector = None
    inner.add(takes(clock, 100))
    inner.run()
    assert rows(collector)["takes"] == {"calls": 1, "resumes": 1, "self_time": 100, "span": 100}
    assert own.run == 10


def test_entries_a_foreign_queue_and_an_overridden_schedule(core, clock, collector):
    class Slow(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            clock.now += 100
            return super().schedule(coroutine, stack, val, *exc)

    t = Slow()
    t.queue = collections.deque()
    t.add(takes(clock, 1, takes(clock, 10), 2))
    t.queue.append(lambda: setattr(clock, "now", clock.now + 1000))
    t.run()
    assert {where: row["self_time"] for where, row in rows(collector).items()} == {"takes": 3, "takes/takes": 10}
    assert (collector.loop, collector.run) == (1200, 1213)
    check_laws(collector)


def test_a_schedule_that_passes_the_stack_on_in_pairs_of_its_own(core, clock, collector):
    class Copies(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            return super().schedule(coroutine, (stack[0], stack[1]) if stack else (), val, *exc)

    t = Copies()
    t.add(takes(clock, 1, takes(clock, 10, takes(clock, 100)), 2))
    t.run()
    assert rows(collector, "calls", "resumes", "closed", "live") == {
        "takes": {"calls": 1, "resumes": 2},
        "takes/takes": {"calls": 2, "resumes": 3},
    }


def test_what_need_not_be_waited_for_is_one_turn(core, clock, collector):
    channel = core.module.Channel(1)

    class AtOnce(core.Suspension):
        def at_once(self, pseudothread):
            clock.now += 1000
            return 3

    def root():
        clock.now += 1
        yield channel.put(2)
        clock.now += 2
        got = yield channel.get()
        clock.now += 4
        return got + (yield AtOnce())

    t = core.Trampoline()
    t.add(root())
    assert t.run() == 5
    assert rows(collector) == {"root": {"calls": 1, "resumes": 1, "self_time": 7, "span": 1007}}
    assert (collector.loop, collector.run) == (1000, 1007)


def test_a_channel_hands_over(core, clock, collector):
    def gets(channel):
        clock.now += 1
        got = yield channel.get()
        clock.now += 2
        return got

    def puts(channel):
        clock.now += 10
        yield channel.put("value")
        clock.now += 20

    t, channel = core.Trampoline(), core.module.Channel(0)
    p = t.add(gets(channel))
    t.add(puts(channel))
    t.run()
    assert p.result() == "value"
    assert rows(collector) == {
        "gets": {"calls": 1, "resumes": 2, "self_time": 3, "span": 33, "parked": 10, "ready": 20},
        "puts": {"calls": 1, "resumes": 1, "self_time": 30, "span": 31, "ready": 1},
    }


def test_who_waits_for_the_end_of_another(core, clock, collector):
    def root(t):
        clock.now += 1
        child = t.add(takes(clock, 10))
        t.add(other())
        yield child
        clock.now += 2

    def other():
        clock.now += 100
        yield

    t = core.Trampoline()
    t.add(root(t))
    t.run()
    assert rows(collector) == {
        "root": {"calls": 1, "resumes": 2, "self_time": 3, "span": 113, "parked": 10, "ready": 100},
        "takes": {"calls": 1, "resumes": 1, "self_time": 10, "span": 10},
        "other": {"calls": 1, "resumes": 1, "self_time": 100, "span": 110, "ready": 10},
    }


def test_contexts_native_coroutines_and_what_has_no_code(core, clock, collector):
    class Object(collections.abc.Generator):
        def send(self, value):
            clock.now += 5
            raise StopIteration(7)

        def throw(self, *error):
            raise error[0]

    async def native():
        clock.now += 1
        return await core.call(Object())

    t = core.Trampoline()
    p = t.add(native(), context=contextvars.copy_context())
    t.run()
    assert p.result() == 7
    (node,) = collector.root.children
    assert (node.code, node.children[0].code) == (native.__code__, Object)
    assert "Object" in repr(node.children[0])
    assert [node.self_time, node.children[0].self_time] == [1, 5]


def test_the_timeline(core, clock):
    collector = core.module.Collector(clock, timeline=6)
    t = core.Trampoline()
    t._collector = collector
    start = clock.now
    t.add(takes(clock, 1, takes(clock, 10), 100))
    t.add(takes(clock, 2))
    t.run()
    events = [(kind, number, path(node), at - start, duration) for kind, number, node, at, duration in collector.timeline]
    assert events == [
        ("run", 1, "takes", 0, 1),
        ("wait", 2, "takes", 0, 1),
        ("run", 2, "takes", 1, 2),
        ("wait", 1, "takes/takes", 1, 2),
        ("run", 1, "takes/takes", 3, 10),
        ("run", 1, "takes", 13, 100),
    ]
    assert collector.timeline_dropped == 0
    t.add(takes(clock, 1))
    t.run()
    assert len(collector.timeline) == 6
    assert collector.timeline_dropped == 1
    assert core.module.Collector().timeline is None


def test_the_systems_clock(core):
    collector = core.module.Collector()
    core.module.collect(collector)
    t = core.Trampoline()
    t.add(takes(Clock(), 1, takes(Clock(), 10), 100))
    t.run()
    assert core.module.collect(None) is collector
    assert collector.run > 0
    check_laws(collector)


def test_no_copies_and_none_of_ones_own(core, clock, collector):
    t = core.Trampoline()
    t.add(takes(clock, 1))
    t.run()
    (node,) = collector.root.children
    for what in (collector, node):
        for act in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot copy or pickle"):
                act(what)
        with pytest.raises(AttributeError):
            what.mine = 1
    with pytest.raises(TypeError, match="a Node is made by a Collector"):
        core.module.Node()
    assert isinstance(Park(), core.Suspension)
