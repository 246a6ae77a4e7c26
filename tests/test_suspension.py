"""The suspensions that park a pseudothread: every way to yield one, every odd thing that its `suspend` does."""

import pytest
from coroutines import value, waits


def plain_way(suspension):
    try:
        got = yield suspension
    except KeyError as error:
        got = error
    yield got


def delegating_way(suspension):
    try:
        got = yield from suspension
    except KeyError as error:
        got = error
    yield got


async def native_way(suspension):
    try:
        return await suspension
    except KeyError as error:
        return error


WAYS = {"yield": plain_way, "yield from": delegating_way, "await": native_way}


@pytest.mark.parametrize("way", WAYS)
def test_yield_await_and_yield_from_are_the_same(core, park, way):
    t = core.Trampoline()
    error = KeyError("thrown")
    resumed, thrown = t.add(WAYS[way](park)), t.add(WAYS[way](park))
    t.run()
    assert (resumed.waits_for, thrown.waits_for) == (park, park)
    resumed.resume(5)
    thrown.throw(error)
    t.run()
    assert resumed.result() == 5
    assert thrown.result() is error


def suspension_of(core, act):
    class Odd(core.Suspension):
        def suspend(self, pseudothread):
            return act(pseudothread)

    return Odd()


def fail(error):
    raise error


@pytest.mark.parametrize("way", WAYS)
def test_an_error_of_suspend_arrives_at_the_yield(core, way):
    error = KeyError("suspend")
    t = core.Trampoline()
    t.add(WAYS[way](suspension_of(core, lambda p: fail(error))))
    assert t.run() is error


@pytest.mark.parametrize("way", WAYS)
def test_suspend_may_resume_at_once(core, way):
    t = core.Trampoline()
    t.add(WAYS[way](suspension_of(core, lambda p: p.resume("at once"))))
    assert t.run() == "at once"
    t.add(WAYS[way](suspension_of(core, lambda p: p.throw(KeyError("at once")))))
    assert isinstance(t.run(), KeyError)


def test_a_second_resume_is_an_error_at_the_yield(core):
    def twice(p):
        p.resume(1)
        p.resume(2)

    def root():
        with pytest.raises(RuntimeError, match=r"cannot resume <Pseudothread .* queued at .* is queued"):
            yield suspension_of(core, twice)
        yield "caught"

    t = core.Trampoline()
    t.add(root())
    left = t.add(value("left"))
    assert t.run() == "caught"
    assert left.result() == "left"


def test_a_suspension_without_suspend_says_so(core):
    class Empty(core.Suspension):
        pass

    t = core.Trampoline()
    t.add(waits(Empty()))
    with pytest.raises(NotImplementedError, match=r"Empty does not say how to wait: define suspend\(self, pseudothread\)"):
        t.run()


def test_suspend_may_add_stop_and_close(core):
    t = core.Trampoline()
    p = t.add(waits(suspension_of(core, lambda p: (t.add(value("added")), t.stop()))))
    assert t.run() is None
    assert len(t.queue) == 1
    assert t.run() == "added"
    assert p.state == "parked"
    q = t.add(waits(suspension_of(core, lambda p: p.close())))
    assert t.run() is None
    assert q.done


def test_parked_at_any_depth_and_resumed_in_any_order(core, park):
    def down(n):
        return (yield down(n - 1) if n else park)

    t = core.Trampoline()
    parked = [t.add(down(i % 5)) for i in range(50)]
    t.run()
    assert [len(p.stack) for p in parked] == [i % 5 + 1 for i in range(50)]
    for i in range(0, 50, 7):
        parked[i].resume(i)
    for i in range(1, 50, 7):
        parked[i].close()
    t.run()
    assert [parked[i].result() for i in range(0, 50, 7)] == list(range(0, 50, 7))
    left = [p for p in parked if p.state == "parked"]
    assert [len(p.stack) for p in left] == [i % 5 + 1 for i in range(50) if i % 7 > 1]
    t.close()
    assert all(p.done for p in left)
