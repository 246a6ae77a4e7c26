"""What a collector counts, with a clock that the coroutines move: every number here was worked out by hand."""

import gc

import pytest
from conftest import REFERENCE_COUNTS
from counting import check_laws, nodes, path, rows, takes


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
    gc.collect()
    collector.settle()
    assert {where: (row["calls"], row.get("closed", 0), row.get("live", 0)) for where, row in rows(collector).items()} == {
        "takes": (3, 2, 0),
        "takes/takes": (1, 1, 0),
    }
