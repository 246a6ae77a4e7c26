"""What becomes of a collector, of its clock and of what it saw: errors, bad arguments, and what is kept alive."""

import contextlib
import gc
import sys
import weakref

import pytest
from counting import Clock, collecting, nodes, rows, takes

pytestmark = pytest.mark.usefixtures("nothing_left")


class BadClock:
    """A clock that fails when it is told to."""

    def __init__(self):
        self.error = None

    def __call__(self):
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return 0


@pytest.mark.parametrize("error", [ValueError("the clock"), KeyboardInterrupt()])
def test_a_clock_that_fails(core, error):
    clock = BadClock()
    collector = core.module.Collector(clock)

    def root(log):
        log.append(1)
        clock.error = error
        got = yield leaf(log)
        log.append(got)

    def leaf(log):
        log.append(2)
        yield 3

    log = []
    with collecting(core, collector):
        t = core.Trampoline()
        t.add(root(log))
        with pytest.raises(type(error)) as caught:
            t.run()
        assert caught.value is error
        assert log == [1]
        assert len(t.queue) == 1
        t.run()
        assert log == [1, 2, 3]
        clock.error = error
        with pytest.raises(type(error)):
            collector.settle()
    assert rows(collector, "calls", "resumes") == {"root": {"calls": 1, "resumes": 2}, "root/leaf": {"calls": 1, "resumes": 1}}


def test_a_clock_that_gives_no_integer(core):
    collector = core.module.Collector(lambda: 1.5)
    with collecting(core, core.module.Collector(lambda: 0)):
        pass
    core.module.collect(collector)
    with pytest.raises(TypeError, match="float"):
        core.Trampoline().add(takes(Clock(), 1))
    core.module.collect(None)


@pytest.mark.parametrize("wrong", [5, "text", (), object])
def test_what_is_no_collector(core, wrong):
    for act, said in (
        (lambda: core.module.collect(wrong), r"collect\(\) takes a Collector or None, not "),
        (lambda: setattr(core.Trampoline(), "_collector", wrong), "the collector of a trampoline is a Collector or None, not "),
    ):
        with pytest.raises(TypeError, match=said):
            act()


def test_bad_arguments(core):
    with pytest.raises(TypeError, match=r"Collector\(\) takes a clock that is called for integer nanoseconds, not 5"):
        core.module.Collector(5)
    with pytest.raises(ValueError, match=r"Collector\(\) takes how many events its timeline keeps, not -1"):
        core.module.Collector(timeline=-1)
    with pytest.raises(TypeError):
        core.module.Collector(timeline="many")
    with pytest.raises(TypeError, match=r"collect_threads\(\) takes a function that returns a Collector, or None, not 5"):
        core.module.collect_threads(5)


def test_a_maker_that_makes_nothing_of_use(core):
    t = core.Trampoline()
    p = t.add(takes(Clock(), 1))
    core.module.collect_threads(lambda: 5)
    with pytest.raises(TypeError, match=r"the function that collect_threads\(\) was given returned a Collector or None, not 5"):
        t.run()
    core.module.collect_threads(None)
    assert not t.running
    t.run()
    assert p.done


class Kept:
    """Something whose end can be seen."""


def test_nothing_is_kept_but_nodes_and_code(core, park):
    collector = core.module.Collector()
    seen = []

    def leaf(value):
        seen.append(weakref.ref(value))
        yield value

    def root(value):
        yield leaf(value)
        with contextlib.suppress(KeyError):
            yield fails(value)
        yield park

    def fails(value):
        raise KeyError(value)
        yield

    with collecting(core, collector):
        t = core.Trampoline()
        t.add(root(Kept()))
        p = t.add(root(Kept()))
        t.run()
        seen += [weakref.ref(found) for found in (t, p, *p.stack)]
        park.parked.pop(0).resume()
        t.run()
        park.parked.clear()
        del t, p
        gc.collect()
        assert [ref() for ref in seen] == [None] * len(seen)
    assert all(not node.live for node in nodes(collector))


def test_a_collector_is_let_go(core, park):
    clock = Clock()
    collector = core.module.Collector(clock)
    t = core.Trampoline()
    clock.cycle = t, collector  # through what only the garbage collector sees
    t._collector = collector
    t.add(takes(clock, 1, takes(clock, 2, park)))
    t.run()
    refs = [weakref.ref(what) for what in (clock, collector, collector.root, *nodes(collector), t)]
    leaf = collector.root.children[0].children[0]
    park.parked.clear()
    del clock, collector, t
    gc.collect()
    assert [ref() is None for ref in refs] == [True, True, False, False, False, True]  # a node keeps its callers
    assert leaf.parent.parent.parent is None
    del leaf
    gc.collect()
    assert [ref() for ref in refs] == [None] * len(refs)


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="counts of references")
def test_code_is_not_kept_after_the_collector(core):
    def root():
        yield leaf()

    def leaf():
        yield

    codes = root.__code__, leaf.__code__
    before = [sys.getrefcount(code) for code in codes]
    for _ in range(3):
        with collecting(core, core.module.Collector(timeline=10)):
            core.Trampoline().add(root()).trampoline.run()
    gc.collect()
    assert [sys.getrefcount(code) for code in codes] == before
