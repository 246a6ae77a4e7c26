"""Joining beside the rest: timeouts, threads, an overridden `schedule`, turns made by hand; and what is left afterwards."""

import contextlib
import gc
import sys
import threading
import time
import traceback
import weakref
from collections import deque

import pytest
from conftest import Park, collect, let_go
from test_together import Mishap, fails, gives, joins, parks, run

import trampoline
from trampoline import gather, in_thread, sleep, timeout


def test_timeout_of_a_join_leaves_the_pseudothread_running(core):
    def waits_until(may_end):
        while not may_end:
            yield sleep(0.001)
        return "ended"

    def root(may_end):
        p = yield core.spawn(waits_until(may_end))
        with pytest.raises(TimeoutError):
            yield timeout(0.001, p)
        assert not p.done
        may_end.append(True)
        return (yield timeout(60, p))

    assert run(core, root([])) == "ended"


@pytest.mark.parametrize("how", ["schedule", "queue"])
def test_where_schedule_or_queue_are_replaced(core, how):
    class Overriding(core.Waiting):
        def schedule(self, *continuation):
            return super().schedule(*continuation)

    def root():
        p = yield core.spawn(gives(1, 1))
        q = yield core.spawn(fails(Mishap("mine")))
        found = [(yield p), (yield p)]
        for _ in range(2):
            try:
                yield q
            except Mishap as error:
                found.append([entry.name for entry in traceback.extract_tb(error.__traceback__)])
        return found + (yield gather(gives(2, 3), gives(3)))

    t = Overriding() if how == "schedule" else core.Waiting()
    if how == "queue":
        t.queue = deque()
    p = t.add(root())
    t.run()
    assert p.result() == [1, 1, ["root", "fails"], ["root", "fails"], 2, 3]


def test_turns_made_by_hand(core):
    t = core.Waiting()
    p = t.spawn(fails(Mishap("kept")))
    joiner = t.spawn(joins(p))
    while t.queue:
        t.queue.popleft()()
    for failed in (p, joiner):
        with pytest.raises(Mishap):
            failed.result()


def test_a_thread_throws_into_who_joins(core):
    def throws():
        while joiner.waits_for is not p:
            time.sleep(0.001)
        joiner.throw(Mishap("by a thread"))

    t = core.Waiting()
    p = t.add(joins_thread(throws))
    joiner = t.spawn(joins(p))
    t.run()
    with pytest.raises(Mishap, match="by a thread"):
        joiner.result()


def joins_thread(act):
    yield in_thread(act)
    yield in_thread(threading.get_ident)


def test_nothing_is_kept_alive(core):
    class Token:
        pass

    def fails_with(token):
        yield gives(None)
        raise Mishap(token)

    def root(token):
        with contextlib.suppress(Mishap):
            yield (yield core.spawn(fails_with(token)))
        yield (yield core.spawn(gives(token)))
        yield gather(gives(token), gives(token, 2))
        with contextlib.suppress(Mishap):
            yield gather(fails_with(token), gives(token, 3))

    gc.collect()
    gc.disable()
    try:
        token = Token()
        watched = weakref.ref(token)
        run(core, root(token))
        del token
        if sys.version_info >= (3, 11):
            let_go()
            assert watched() is None
        gc.collect()
        let_go()
        assert watched() is None
    finally:
        gc.enable()


def test_a_long_chain_of_joins_ends_and_is_freed(core):
    def link(before):
        return (yield before) + 1 if before is not None else 0

    t, p = core.Waiting(), None
    for _ in range(100_000):
        p = t.spawn(link(p))
    assert t.run() == 99_999
    park, t = Park(), core.Trampoline()
    p = t.add(parks(park))
    watched = weakref.ref(p)
    for _ in range(100_000):
        p = t.spawn(link(p))
    t.run()
    assert len(t._all_parked()) == 100_001
    del t, p, park
    collect()
    assert watched() is None


def test_public_names():
    assert trampoline.spawn is trampoline._core.core.spawn
    assert {"spawn", "gather", "first"} <= set(trampoline.__all__)


@pytest.mark.parametrize("name", [None, "named"])
def test_a_join_in_a_cycle_is_collected_whenever_the_collector_ran_before(core, name):
    """What the C core notes beside a pseudothread is a tuple, which CPython's collector stops looking at while there is only text in it."""

    def joins(other):
        return (yield other)

    t, park = core.Trampoline(), Park()
    p = t.add(parks(park), name=name)
    collect()
    watched = [weakref.ref(p), weakref.ref(t.add(joins(p)))]
    t.run()
    assert len(t._all_parked()) == 2
    del t, p, park
    collect()
    assert [ref() for ref in watched] == [None, None]
