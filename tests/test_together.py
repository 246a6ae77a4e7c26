"""Joining and spawning, by example: what each who joins is given, whom an error reaches, and what is refused."""

import contextvars
import gc
import sys
import traceback

import pytest
from conftest import REFERENCE_COUNTS
from coroutines import Mishap

from trampoline import gather, sleep


def gives(value, turns=0):
    for _ in range(turns):
        yield sleep(0)
    return value


def fails(error, turns=0):
    yield gives(None, turns)
    raise error


@pytest.fixture
def unraised(monkeypatch):
    """What is told to sys.unraisablehook, a list."""
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    return told


def parks(park):
    yield park


def run(core, coroutine, **options):
    t = core.Waiting()
    p = t.add(coroutine, **options)
    t.run()
    return p.result()


HOWS = ["yield", "yield from", "await"]


def joins(p, how="yield"):
    """Return a coroutine that joins `p`."""
    if how == "await":

        async def root():
            return await p
    elif how == "yield":

        def root():
            return (yield p)
    else:

        def root():
            return (yield from p)

    return root()


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("turns", [0, 3])
def test_to_yield_a_pseudothread_gives_its_result(core, how, turns):
    t = core.Waiting()
    p = t.add(gives("result", turns))
    before = t.add(joins(p, how))
    t.run()
    after = t.add(joins(p, how))
    t.run()
    assert (before.result(), after.result(), p.result()) == ("result", "result", "result")


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("started", ["add", "spawn"])
def test_each_who_joins_gets_the_error_and_it_does_not_leave_run(core, how, started):
    t = core.Waiting()
    error = Mishap("once")
    p = getattr(t, started)(fails(error, 1))
    joiners = [t.spawn(joins(p, how)) for _ in range(3)]
    assert t.run() is None
    joiners.append(t.spawn(joins(p, how)))
    t.run()
    for joiner in joiners:
        with pytest.raises(Mishap) as caught:
            joiner.result()
        assert caught.value is error


def test_an_error_is_given_as_it_left_the_root(core):
    def joiner(p, word, seen):
        try:
            raise KeyError(word)
        except KeyError as mine:
            try:
                yield p
            except Mishap as error:
                seen.append(
                    [error.__context__ is mine or not REFERENCE_COUNTS, [entry.name for entry in traceback.extract_tb(error.__traceback__)]]
                )

    t, seen = core.Waiting(), []
    p = t.spawn(fails(Mishap()))
    for word in "abc":
        t.add(joiner(p, word, seen))
    t.run()
    t.add(joiner(p, "d", seen))
    t.run()
    assert seen == [[True, ["joiner", "fails"]]] * 4
    with pytest.raises(Mishap) as caught:
        p.result()
    assert caught.value.__context__ is None


def test_an_error_that_nobody_joins_leaves_run(core):
    t = core.Waiting()
    p = t.add(fails(Mishap("alone")))
    with pytest.raises(Mishap, match="alone"):
        t.run()
    q = t.spawn(joins(p))
    t.run()
    with pytest.raises(Mishap):
        q.result()


@pytest.mark.parametrize("way", ["close", "throw", "resume"])
def test_who_waits_no_longer_does_not_get_it(core, way):
    t = core.Waiting()
    p = t.add(fails(Mishap("to run()"), 3))
    joiner = t.spawn(joins(p))
    t.queue.popleft()()
    t.queue.popleft()()
    assert joiner.waits_for is p
    if way == "close":
        joiner.close()
    elif way == "throw":
        joiner.throw(KeyError("thrown"))
    else:
        joiner.resume("by hand")
    with pytest.raises(Mishap, match=r"to run\(\)"):
        t.run()
    t.run()
    if way == "resume":
        assert joiner.result() == "by hand"
    elif way == "throw":
        with pytest.raises(KeyError):
            joiner.result()


def test_one_of_many_who_join_may_leave(core):
    t = core.Waiting()
    p = t.add(gives(5, 3), name="named")
    joiners = [t.add(joins(p)) for _ in range(4)]
    for _ in range(5):
        t.queue.popleft()()
    joiners[1].close()
    joiners[0].close()
    t.run()
    assert [joiner.result() for joiner in joiners[2:]] == [5, 5]


def test_spawn_gives_the_pseudothread_and_goes_on_at_once(core):
    order = []

    def child(number):
        order.append(number)
        return number
        yield

    def root():
        first = yield core.spawn(child(1), name="first")
        second = yield core.spawn(child(2))
        order.append("root")
        assert type(first) is core.Pseudothread
        assert (first.name, second.name) == ("first", "test_spawn_gives_the_pseudothread_and_goes_on_at_once.<locals>.child")
        assert first.added == (__file__, root.__code__.co_firstlineno + 1)
        return (yield second), (yield first)

    async def native():
        p = await core.spawn(gives(3))
        return await p

    assert run(core, root()) == (2, 1)
    assert order == [1, 2, "root"]
    assert run(core, native()) == 3


def test_spawn_from_outside(core):
    t = core.Waiting()
    p = t.spawn(gives(4, 2), name="outside")
    assert p.name == "outside"
    assert p.added == (__file__, test_spawn_from_outside.__code__.co_firstlineno + 2)
    assert t.run() == 4


def test_what_is_spawned_has_a_copy_of_the_context(core):
    word = contextvars.ContextVar("word", default="none")

    def child(new):
        found = word.get()
        word.set(new)
        return found
        yield

    def root():
        word.set("root")
        p = yield core.spawn(child("p"))
        mine = contextvars.Context()
        q = yield core.spawn(child("q"), context=mine)
        found = [(yield p), (yield q), word.get(), mine[word]]
        return found + (yield gather(child("g"), child("h"))) + [word.get()]

    assert run(core, root(), context=contextvars.Context()) == ["root", "none", "root", "q", "root", "root", "root"]
    assert word.get() == "none"


def test_an_error_that_nobody_takes_is_reported_when_it_is_let_go(core, unraised):
    def root():
        p = yield core.spawn(fails(Mishap("lost")), name="worker")
        yield sleep(0)
        yield sleep(0)
        assert p.done
        assert unraised == []
        del p
        return "went on"

    assert run(core, root()) == "went on"
    gc.collect()
    (told,) = unraised
    assert told.exc_type is Mishap
    assert str(told.exc_value) == "lost"
    assert [entry.name for entry in traceback.extract_tb(told.exc_traceback)] == ["fails"]
    assert told.err_msg == f"Nobody joined pseudothread 'worker', spawned at {__file__}:{root.__code__.co_firstlineno + 1}, which failed"


@pytest.mark.parametrize("how", ["joined", "result", "joined later"])
def test_an_error_that_somebody_takes_is_not_reported(core, unraised, how):
    t = core.Waiting()
    p = t.spawn(fails(Mishap()))
    joiner = t.add(joins(p)) if how == "joined" else None
    if joiner is not None:
        with pytest.raises(Mishap):
            t.run()
    else:
        t.run()
        joiner = t.add(joins(p)) if how == "joined later" else None
        with pytest.raises(Mishap):
            p.result() if joiner is None else t.run()
    del p, joiner
    gc.collect()
    assert unraised == []


def test_pythons_own_hook_writes_the_stack(core, monkeypatch, capsys):
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    t = core.Waiting()
    t.spawn(fails(Mishap("written")), name="worker")
    t.run()
    t.close()
    gc.collect()
    written = capsys.readouterr().err
    assert written.startswith("Nobody joined pseudothread 'worker', spawned at ")
    assert "in fails" in written
    assert written.rstrip().endswith("Mishap: written")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_shall_end_the_program_does(core, kind):
    t = core.Waiting()
    p = t.spawn(fails(kind("now")))
    with pytest.raises(kind):
        t.run()
    joiner = t.spawn(joins(p))  # later: it gets it too
    with pytest.raises(kind):
        t.run()
    assert joiner.done


def test_a_pseudothread_with_nobody_who_joins_it_ends_as_ever(core):
    t = core.Waiting()
    t.spawn(gives(1))
    assert t.run() == 1
