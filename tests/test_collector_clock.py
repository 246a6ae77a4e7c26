"""What a collector without a clock of the test's measures: it is the system's time, however a core reads it."""

import itertools
import time

TOLERANCE = 1e-3


def test_the_time_is_the_monotonic_clocks(core):
    inside = []

    def busy(seconds):
        start = time.monotonic_ns()
        while time.monotonic_ns() < start + seconds * 1e9:
            pass
        inside.append(time.monotonic_ns() - start)
        yield

    collector = core.module.Collector()
    t = core.Trampoline()
    t.add(busy(0.05))
    old = core.module.collect(collector)
    try:
        start = time.monotonic_ns()
        t.run()
        outside = time.monotonic_ns() - start
    finally:
        core.module.collect(old)
    (node,) = collector.root.children
    assert inside[0] * (1 - TOLERANCE) <= node.self_time <= collector.run <= outside * (1 + TOLERANCE)


def test_it_never_goes_back(core):
    def turns(count):
        for _ in range(count):
            yield turns(0)

    collector = core.module.Collector(timeline=20_000)
    t = core.Trampoline()
    t.add(turns(3_000))
    t.add(turns(3_000))
    old = core.module.collect(collector)
    try:
        t.run()
    finally:
        core.module.collect(old)
    runs = sorted(event[3:] for event in collector.timeline if event[0] == "run")
    assert len(runs) > 6_000
    assert all(length >= 0 for _, length in runs)
    assert all(start + length <= later for (start, length), (later, _) in itertools.pairwise(runs))
