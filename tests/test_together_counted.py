"""What a collector counts of those that wait for the ends of others: parked until the end, ready from then to their turn."""

import pytest
from counting import Clock, check_laws, rows

from trampoline import gather


@pytest.mark.parametrize("how", ["join", "gather"])
def test_parked_until_the_end_and_ready_from_then_on(core, how):
    clock = Clock()
    collector = core.module.Collector(clock)

    def worker():
        clock.now += 10
        return 1
        yield

    def other():
        clock.now += 5
        return 2
        yield

    def root(p):
        clock.now += 1
        if how == "join":
            yield p
        else:
            yield gather(worker(), other())  # the second ends last
        clock.now += 2

    assert core.module.collect(collector) is None
    try:
        t = core.Trampoline()
        joined = t.add(worker()) if how == "join" else None
        t.add(root(joined))
        if how == "join":
            t.queue.append(t.queue.popleft())  # the root has the first turn, then who is joined, then another
            t.add(other())
        t.run()
    finally:
        core.module.collect(None)
    found = rows(collector)
    waits = found[next(where for where in found if where.endswith("gather" if how == "gather" else "root"))]
    assert waits["parked"] == (10 if how == "join" else 15)
    assert waits.get("ready", 0) == (5 if how == "join" else 0)
    check_laws(collector)
