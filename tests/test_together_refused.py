"""Joining and spawning: what is refused, and what a deadlock says of who joins whom."""

import traceback

import pytest
from conftest import CORES, Park, load
from test_together import Mishap, gives, joins, parks, run

from trampoline import Deadlock, gather


def test_to_join_oneself(core):
    def root(found):
        try:
            yield found[0]
        except RuntimeError as error:
            return str(error)

    t, found = core.Waiting(), []
    found.append(t.add(root(found), name="me"))
    assert "cannot join itself" in t.run()
    assert "'me'" in found[0].result()


def test_a_circle_is_named_by_the_deadlock(core):
    t, found = core.Waiting(), []

    def joins_next(number):
        yield found[number]

    def through_gather():
        yield gather(gives(1), found[0])

    found += [t.add(joins_next(1), name="a"), t.add(joins_next(2), name="b"), t.add(through_gather(), name="c")]
    outside = t.add(joins_next(0), name="outside")
    with pytest.raises(Deadlock, match="they join one another in a circle: 'a' joins 'b' joins 'c' joins 'join of a' joins 'a'") as caught:
        t.run()
    assert outside in caught.value.pseudothreads
    assert "outside, parked for <Pseudothread 'a' parked for the end of 'b' at " in str(caught.value)
    t.close()
    assert all(p.done for p in found)


def test_a_deadlock_without_a_circle_names_none(core):
    t = core.Waiting()
    t.add(joins(t.add(parks(Park()))))
    with pytest.raises(Deadlock) as caught:
        t.run()
    assert "circle" not in str(caught.value)
    t.close()


@pytest.mark.parametrize("other", CORES)
def test_of_another_trampoline(core, other):
    theirs = load(other).Waiting()
    p = theirs.add(gives(1))
    for _ in range(2):  # before its end and after
        with pytest.raises(RuntimeError, match=r"cannot join .*: it belongs to another trampoline, .*resume\(\) or throw\(\)"):
            run(core, joins(p))
        assert theirs.run() in (1, None)


@pytest.mark.skipif(len(CORES) < 2, reason="there is one core only")
def test_spawn_of_the_other_core(core):
    (other,) = (name for name in CORES if name != core.name)

    def root():
        yield load(other).spawn(gives(1))

    with pytest.raises(RuntimeError, match=r"^spawn\(.*\) was made with the other core"):
        run(core, root())


def test_one_that_was_never_added(core):
    with pytest.raises(RuntimeError, match="never added"):
        run(core, joins(core.Pseudothread.__new__(core.Pseudothread)))


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_one_closed_early(core, when):
    t = core.Waiting()
    p = t.add(gives(1, 3), name="closed")
    if when == "before":
        p.close()
    joiners = [t.spawn(joins(p)) for _ in range(2)]
    if when == "meanwhile":
        for _ in range(3):
            t.queue.popleft()()
        assert [joiner.waits_for for joiner in joiners] == [p, p]
        p.close()
    t.run()
    for joiner in joiners:
        with pytest.raises(RuntimeError, match="<Pseudothread 'closed' ended> was closed before it had a result"):
            joiner.result()


def test_one_whose_finally_raises_as_it_is_closed(core):
    def stubborn():
        try:
            yield Park()
        finally:
            raise Mishap("in finally")

    t = core.Trampoline()
    p = t.add(stubborn())
    joiner = t.spawn(joins(p))
    t.run()
    with pytest.raises(Mishap):
        p.close()
    t.run()
    with pytest.raises(RuntimeError, match="was closed before"):
        joiner.result()


@pytest.mark.parametrize("wrong", [None, 5, gives, len, Park()])
def test_spawn_of_what_is_no_coroutine(core, wrong):
    t = core.Waiting()
    for spawn in (core.spawn, t.spawn):
        with pytest.raises(TypeError, match=r"spawn\(\) takes a coroutine"):
            spawn(wrong)
        with pytest.raises(TypeError, match=r"spawn\(\) takes a contextvars.Context"):
            spawn(gives(1), context=5)
    with pytest.raises(TypeError, match=r"write it in a coroutine, yield spawn\("):
        t.add(core.spawn(gives(1)))
    assert not t.queue


def test_one_spawn_starts_one_pseudothread(core):
    def root():
        start = core.spawn(gives(1))
        yield start
        try:
            yield start
        except RuntimeError as error:
            return repr(start), str(error), [entry.name for entry in traceback.extract_tb(error.__traceback__)]

    assert run(core, root()) == (
        "spawn() that was yielded already",
        "this spawn() was yielded already: write another one for each coroutine that it shall start",
        ["root"],
    )


def test_what_spawn_returns_is_made_by_it_alone(core):
    with pytest.raises(TypeError, match=r"write yield spawn\(coroutine\)"):
        type(core.spawn(gives(1)))(gives(1))
