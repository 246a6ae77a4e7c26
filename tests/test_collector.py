"""What a collector counts, with a clock that the coroutines move: every number here was worked out by hand."""

import collections
import contextvars
import copy
import pickle

import pytest
from conftest import REFERENCE_COUNTS, Park
from counting import Clock, check_laws, nodes, path, rows


@pytest.fixture
def clock():
    """A clock that goes on only when it is told to."""
    return Clock()


@pytest.fixture
def collector(core, clock):
    """The collector of this thread."""
    collector = core.module.Collector(clock)
    assert core.module.collect(collector) is None
    yield collector
    core.module.collect(None)


def takes(clock, before, callee=None, after=0):
    """Take some time, call, and take some more."""
    clock.now += before
    got = (yield callee) if callee is not None else None
    clock.now += after
    return got


def test_a_call_and_its_result(core, clock, collector):
    def leaf(time):
        clock.now += time
        yield time  # a result
        raise AssertionError("it is called once")

    def caller():
        clock.now += 1
        first = yield leaf(10)
        clock.now += 2
        second = yield leaf(20)
        clock.now += 4
        return first + second

    t = core.Trampoline()
    t.add(caller())
    assert t.run() == 30
    assert rows(collector) == {
        "caller": {"calls": 1, "resumes": 3, "self_time": 7, "span": 37},
        "caller/leaf": {"calls": 2, "resumes": 2, "self_time": 30, "span": 30},
    }
    assert (collector.loop, collector.run) == (0, 37)
    (caller_node,) = collector.root.children
    (leaf_node,) = caller_node.children
    assert leaf_node.parent is caller_node
    assert caller_node.parent is collector.root
    assert (caller_node.code, leaf_node.code) == (caller.__code__, leaf.__code__)
    assert repr(leaf_node).endswith(": 2 calls, 2 resumes, 30 ns>")
    check_laws(collector)


def test_who_waits_while_others_run(core, clock, collector):
    t = core.Trampoline()
    t.add(takes(clock, 1, takes(clock, 10), 100))
    t.add(takes(clock, 2, takes(clock, 20), 200))
    t.run()
    # The turns: 1, 2, 10, 20, 100, 200. Each waits for the other between its own.
    assert rows(collector) == {
        "takes": {"calls": 2, "resumes": 4, "self_time": 303, "span": 133 + 333, "ready": 1 + 20 + 100},
        "takes/takes": {"calls": 2, "resumes": 2, "self_time": 30, "span": 12 + 30, "ready": 2 + 10},
    }
    assert (collector.loop, collector.run) == (0, 333)


def test_children_stand_in_the_order_of_their_first_calls(core, clock, collector):
    def b():
        yield

    def a():
        yield

    def c():
        yield from ()

    def caller():
        for called in (b, c, a, c, b):
            yield called()

    core.Trampoline().add(caller()).trampoline.run()
    assert [path(node) for node in nodes(collector)] == ["caller", "caller/b", "caller/c", "caller/a"]


def test_recursion_folds_where_a_code_is_on_the_path_twice(core, clock, collector):
    def even(n):
        clock.now += 1
        return n == 0 or (yield odd(n - 1))

    def odd(n):
        clock.now += 10
        return n != 0 and (yield even(n - 1))

    t = core.Trampoline()
    t.add(even(9))
    assert t.run() is False
    assert {where: (numbers["calls"], numbers["resumes"], numbers["self_time"]) for where, numbers in rows(collector).items()} == {
        "even": (1, 2, 1),
        "even/odd": (1, 2, 10),
        "even/odd/even": (4, 8, 4),
        "even/odd/even/odd": (4, 7, 40),
    }
    check_laws(collector)


def test_the_tree_does_not_grow_with_the_run(core, clock, collector):
    def deep(n):
        return (yield deep(n - 1)) if n else 0

    t = core.Trampoline()
    for _ in range(3):
        t.add(deep(1000))
        t.run()
    assert [(path(node), node.calls) for node in nodes(collector)] == [("deep", 3), ("deep/deep", 3000)]
    assert all(not node.live for node in nodes(collector))


def test_parked_and_ready(core, clock, collector, park):
    def waits():
        clock.now += 1
        got = yield park
        clock.now += 2
        return got

    def resumes():
        clock.now += 10
        park.last.resume(5)
        clock.now += 100
        yield

    t = core.Trampoline()
    p = t.add(waits())
    t.run()
    clock.now += 1000  # nothing runs, but it is parked
    t.add(resumes())
    t.run()
    assert p.result() == 5
    assert rows(collector) == {
        "waits": {"calls": 1, "resumes": 2, "self_time": 3, "span": 1 + 1000 + 110 + 2, "parked": 1010, "ready": 100},
        "resumes": {"calls": 1, "resumes": 1, "self_time": 110, "span": 110},
    }
    assert (collector.loop, collector.run) == (0, 113)


def test_what_a_suspension_takes_is_the_loops(core, clock, collector):
    class Slow(core.Suspension):
        def suspend(self, pseudothread):
            clock.now += 50
            pseudothread.resume()
            clock.now += 5

    t = core.Trampoline()
    t.add(takes(clock, 1, Slow(), 2))
    t.run()
    assert rows(collector) == {"takes": {"calls": 1, "resumes": 2, "self_time": 3, "span": 58, "parked": 50, "ready": 5}}
    assert (collector.loop, collector.run) == (55, 58)


def test_a_suspension_that_fails(core, clock, collector):
    class Fails(core.Suspension):
        def suspend(self, pseudothread):
            clock.now += 50
            raise KeyError("no")

    def root():
        with pytest.raises(KeyError):
            yield Fails()
        clock.now += 1

    core.Trampoline().add(root()).trampoline.run()
    assert rows(collector) == {"root": {"calls": 1, "resumes": 2, "self_time": 1, "span": 51, "parked": 50}}


def test_queued_outside_of_run_is_not_waiting(core, clock, collector):
    t = core.Trampoline()
    t.add(takes(clock, 1))
    clock.now += 1000
    t.run()
    assert rows(collector) == {"takes": {"calls": 1, "resumes": 1, "self_time": 1, "span": 1001}}
    assert (collector.loop, collector.run) == (0, 1)


def test_stopped_and_run_again(core, clock, collector):
    def stops():
        clock.now += 10
        t.stop()
        yield takes(clock, 1)

    t = core.Trampoline()
    t.add(stops())
    t.run()
    collector.settle()
    assert rows(collector)["stops/takes"] == {"calls": 1, "live": 1}
    clock.now += 1000
    t.run()
    assert rows(collector) == {
        "stops": {"calls": 1, "resumes": 2, "self_time": 10, "span": 1011},
        "stops/takes": {"calls": 1, "resumes": 1, "self_time": 1, "span": 1001},
    }
    assert collector.run == 11


def test_errors(core, clock, collector):
    def fails():
        clock.now += 1
        raise KeyError(1)
        yield

    def passes():
        clock.now += 10
        yield fails()

    def catches():
        with pytest.raises(KeyError):
            yield passes()
        clock.now += 100

    def returns():
        yield from ()
        return 5

    def root():
        yield catches()
        yield returns()
        yield passes()

    t = core.Trampoline()
    t.add(root())
    with pytest.raises(KeyError):
        t.run()
    assert rows(collector, "calls", "resumes", "exceptions", "self_time") == {
        "root": {"calls": 1, "resumes": 4, "exceptions": 1},
        "root/catches": {"calls": 1, "resumes": 2, "self_time": 100},
        "root/catches/passes": {"calls": 1, "resumes": 2, "exceptions": 1, "self_time": 10},
        "root/catches/passes/fails": {"calls": 1, "resumes": 1, "exceptions": 1, "self_time": 1},
        "root/returns": {"calls": 1, "resumes": 1},
        "root/passes": {"calls": 1, "resumes": 2, "exceptions": 1, "self_time": 10},
        "root/passes/fails": {"calls": 1, "resumes": 1, "exceptions": 1, "self_time": 1},
    }
    check_laws(collector)


def test_a_tail_call_takes_the_place(core, clock, collector):
    def last():
        clock.now += 100
        yield "value"

    def middle():
        clock.now += 10
        raise core.TailCall(last())
        yield

    def root():
        clock.now += 1
        return (yield middle())

    t = core.Trampoline()
    t.add(root())
    assert t.run() == "value"
    assert rows(collector) == {
        "root": {"calls": 1, "resumes": 2, "self_time": 1, "span": 111},
        "root/middle": {"calls": 1, "resumes": 1, "self_time": 10, "span": 10},
        "root/last": {"calls": 1, "resumes": 1, "self_time": 100, "span": 100},
    }


def test_one_that_gave_its_result_by_a_yield_is_called_again(core, clock, collector):
    def gives():
        for number in range(3):
            clock.now += 1
            yield number

    def root():
        given = gives()
        numbers = []
        for _ in range(3):
            numbers.append((yield given))
            clock.now += 10
        return numbers

    t = core.Trampoline()
    t.add(root())
    assert t.run() == [0, 1, 2]
    assert rows(collector) == {
        "root": {"calls": 1, "resumes": 4, "self_time": 30, "span": 33},
        "root/gives": {"calls": 3, "resumes": 3, "self_time": 3, "span": 3},
    }


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="on PyPy the collector lets go, later")
def test_what_letting_go_takes_is_the_loops(core, clock, collector):
    def gives():
        try:
            yield 1
        finally:
            clock.now += 1000

    def calls():
        clock.now += 1
        yield gives()
        clock.now += 10

    t = core.Trampoline()
    t.add(calls())
    t.add(takes(clock, 2, takes(clock, 3), 20))
    t.run()
    assert sum(node.self_time for node in nodes(collector)) == 36
    assert (collector.loop, collector.run) == (1000, 1036)


def test_close(core, clock, collector, park):
    def waits():
        try:
            yield park
        finally:
            clock.now += 10

    def root():
        try:
            yield waits()
        finally:
            clock.now += 100
            raise KeyError("closing")

    t = core.Trampoline()
    p = t.add(root())
    t.run()
    clock.now += 1000
    with pytest.raises(KeyError):
        p.close()
    assert rows(collector) == {
        "root": {"calls": 1, "resumes": 1, "self_time": 100, "span": 1110, "closed": 1, "exceptions": 1},
        "root/waits": {"calls": 1, "resumes": 1, "self_time": 10, "span": 1010, "closed": 1, "parked": 1000},
    }
    assert (collector.loop, collector.run) == (0, 110)
    check_laws(collector)


def test_let_go_before_its_end(core, clock, collector, park):
    t = core.Trampoline()
    t.add(takes(clock, 1, takes(clock, 10, park)))
    t.add(takes(clock, 2))
    t.run()
    t.add(takes(clock, 1))
    park.parked.clear()
    del t
    import gc

    gc.collect()
    collector.settle()
    assert {where: (row["calls"], row.get("closed", 0), row.get("live", 0)) for where, row in rows(collector).items()} == {
        "takes": (3, 2, 0),
        "takes/takes": (1, 1, 0),
    }


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
