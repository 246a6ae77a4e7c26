"""What a collector counts for: threads, trampolines, the time between start and stop; and what becomes of it, its clock and what it saw."""

import sys
import threading

import pytest
from conftest import REFERENCE_COUNTS
from counting import Clock, check_laws, collecting, rows, takes

import trampoline

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_collect_returns_the_one_before(core):
    one, other = core.module.Collector(), core.module.Collector()
    assert core.module.collect(one) is None
    assert core.module.collect(other) is one
    assert core.module.collect(other) is other
    assert core.module.collect(None) is other


def test_begun_during_a_run(core, park):
    clock = Clock()
    collector = core.module.Collector(clock)

    def begins():
        clock.now += 1
        core.module.collect(collector)
        clock.now += 10
        yield takes(clock, 100)
        clock.now += 1000

    def root():
        yield begins()
        clock.now += 10_000

    t = core.Trampoline()
    parked = t.add(takes(clock, 1, park, 5))
    t.run()
    t.add(root())
    t.add(takes(clock, 2, takes(clock, 3)))
    t.run()
    assert rows(collector) == {
        "takes": {"partial": 2, "live": 1, "resumes": 1, "span": 113, "ready": 100},
        "takes/takes": {"calls": 1, "resumes": 1, "self_time": 3, "span": 13, "ready": 10},  # called before, but begun after
        "root": {"partial": 1, "resumes": 1, "self_time": 10_000, "span": 11_113},
        "root/begins": {"partial": 1, "resumes": 1, "self_time": 1010, "span": 1113},
        "root/begins/takes": {"calls": 1, "resumes": 1, "self_time": 100, "span": 103, "ready": 3},
    }
    assert (collector.loop, collector.run) == (0, 11_113)
    parked.resume()
    t.run()
    assert rows(collector)["takes"] == {"partial": 2, "resumes": 2, "self_time": 5, "span": 113 + 11_118, "ready": 100, "parked": 11_113}
    check_laws(collector)
    core.module.collect(None)


def test_ended_during_a_run(core):
    clock = Clock()
    collector = core.module.Collector(clock)

    def ends():
        clock.now += 1
        assert core.module.collect(None) is collector
        clock.now += 10
        yield takes(clock, 100)
        clock.now += 1000

    t = core.Trampoline()
    core.module.collect(collector)
    t.add(ends())
    t.add(takes(clock, 2))
    t.run()
    numbers = rows(collector)
    assert numbers == {
        "ends": {"calls": 1, "resumes": 1, "self_time": 1, "span": 1},
        "takes": {"calls": 1, "ready": 1, "span": 1},
    }
    assert (collector.loop, collector.run) == (0, 1)
    collector.settle()
    assert rows(collector) == numbers  # what is not in use stands still


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="on PyPy what nobody holds counts as live until it is collected")
def test_ended_and_begun_again(core, park):
    clock = Clock()
    collector = core.module.Collector(clock)

    def root():
        clock.now += 1
        yield park
        clock.now += 2
        yield takes(clock, 3)
        clock.now += 4

    t = core.Trampoline()
    with collecting(core, collector):
        p = t.add(root())
        t.run()
    clock.now += 10
    p.resume()
    t.queue.popleft()()
    clock.now += 100
    with collecting(core, collector):
        t.run()
    assert rows(collector)["root"] == {"calls": 1, "partial": 1, "resumes": 2, "self_time": 5, "span": 8}
    assert rows(collector)["root/takes"] == {"calls": 1, "resumes": 1, "self_time": 3, "span": 3}
    check_laws(collector)


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="on PyPy what nobody holds counts as live until it is collected")
def test_another_collector_during_a_run(core):
    clock = Clock()
    one, other = core.module.Collector(clock), core.module.Collector(clock)

    def root():
        clock.now += 1
        core.module.collect(other)
        clock.now += 2
        yield takes(clock, 4)
        clock.now += 8

    t = core.Trampoline()
    with collecting(core, one):
        t.add(root())
        t.run()
        assert core.module.collect(one) is other
    assert rows(one) == {"root": {"calls": 1, "resumes": 1, "self_time": 1, "span": 1}}
    assert rows(other) == {
        "root": {"partial": 1, "resumes": 1, "self_time": 10, "span": 14},
        "root/takes": {"calls": 1, "resumes": 1, "self_time": 4, "span": 4},
    }
    assert (one.run, other.run, one.loop, other.loop) == (1, 14, 0, 0)


def test_begun_inside_a_trampoline_inside_another(core):
    clock = Clock()
    collector = core.module.Collector(clock)

    def inner():
        core.module.collect(collector)
        clock.now += 1
        yield

    def outer():
        t = core.Trampoline()
        t.add(inner())
        t.run()
        clock.now += 10
        yield takes(clock, 100)

    t = core.Trampoline()
    t.add(outer())
    t.run()
    core.module.collect(None)
    assert rows(collector) == {
        "outer": {"partial": 1, "resumes": 1, "self_time": 10, "span": 111},
        "inner": {"partial": 1, "self_time": 1, "span": 1},
        "outer/takes": {"calls": 1, "resumes": 1, "self_time": 100, "span": 100},
    }
    assert (collector.loop, collector.run) == (0, 111)


@pytest.mark.skipif(sys.platform == "emscripten", reason="Pyodide has no threads")
def test_each_thread_has_its_own(core):
    here, made = core.module.Collector(), []
    started, go_on = threading.Barrier(3), threading.Event()

    def root():
        started.wait(60)
        go_on.wait(60)
        yield takes(Clock(), 1)

    def make():
        made.append(core.module.Collector())
        return made[-1]

    def run():
        t = core.Trampoline()
        t.add(root())
        t.run()
        t.add(takes(Clock(), 1))
        t.run()

    core.module.collect(here)
    core.module.collect_threads(make)
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    started.wait(60)
    core.module.collect_threads(None)  # what they have they keep
    go_on.set()
    for thread in threads:
        thread.join(60)
    later = threading.Thread(target=lambda: core.Trampoline().add(takes(Clock(), 1)).trampoline.run())
    later.start()
    later.join(60)
    assert core.module.collect(None) is here
    assert rows(here) == {}
    assert len(made) == 2
    for collector in made:
        assert rows(collector, "calls", "partial", "resumes") == {
            "root": {"calls": 1, "resumes": 2},
            "root/takes": {"calls": 1, "resumes": 1},
            "takes": {"calls": 1, "resumes": 1},
        }
        check_laws(collector)


def test_added_and_resumed_by_another_thread(core, park):
    collector = core.module.Collector()
    t = core.Waiting()

    class Elsewhere(trampoline.Suspension):
        external = True

        def suspend(self, pseudothread):
            def act():
                t.add(takes(Clock(), 1))
                pseudothread.resume("value")

            self.thread = threading.Thread(target=act)
            self.thread.start()

    def root():
        suspension = Elsewhere()
        got = yield suspension
        suspension.thread.join(60)
        return got

    with collecting(core, collector):
        p = t.add(root())
        t.run()
    assert p.result() == "value"
    assert rows(collector, "calls", "resumes", "live") == {"root": {"calls": 1, "resumes": 2}, "takes": {"calls": 1, "resumes": 1}}
    assert rows(collector, "parked")["root"]["parked"] > 0
    check_laws(collector)


def test_one_thread_at_a_time(core):
    collector = core.module.Collector()
    refused = []

    def elsewhere():
        t = core.Trampoline()
        t._collector = None
        for act in (lambda: core.module.collect(collector), lambda: setattr(t, "_collector", collector)):
            with pytest.raises(RuntimeError, match="counts what runs on another thread: make a Collector for each thread"):
                act()
            refused.append(act)

    def root():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(60)
        yield

    with collecting(core, collector):
        core.Trampoline().add(root()).trampoline.run()
    assert len(refused) == 2


def test_a_call_is_counted_once(core):
    """Added where one collector counts, called there once, and taken over by another each time before its first turn."""
    clock = Clock()
    first, second, third = (core.module.Collector(clock) for _ in range(3))
    t = core.Trampoline()

    def root():
        t.stop()
        yield takes(clock, 1)

    with collecting(core, first):
        t.add(root())
    with collecting(core, second):
        t.run()
    with collecting(core, third):
        t.run()
    assert rows(first, "calls", "partial", "resumes") == {"root": {"calls": 1}}
    assert rows(second, "calls", "partial", "resumes") == {"root": {"partial": 1, "resumes": 1}, "root/takes": {"calls": 1}}
    assert rows(third, "calls", "partial", "resumes") == {"root": {"partial": 1, "resumes": 1}, "root/takes": {"partial": 1, "resumes": 1}}
