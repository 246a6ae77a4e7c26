"""Joining and spawning, by example: what each who joins is given, whom an error reaches, and what is refused."""

import contextlib
import contextvars
import gc
import sys
import threading
import time
import traceback
import weakref
from collections import deque

import pytest
from conftest import CORES, Park, load

import trampoline
from trampoline import Deadlock, gather, in_thread, sleep, timeout


class Mishap(Exception):
    """What fails."""


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
                seen.append([error.__context__ is mine, [entry.name for entry in traceback.extract_tb(error.__traceback__)]])

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


# What is refused.


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
    with pytest.raises(
        Deadlock, match="they join one another in a circle: 'a' joins 'b' joins 'c' joins 'Pseudothread' joins 'a'"
    ) as caught:
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


def parks(park):
    yield park


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


# With the rest.


def test_timeout_of_a_join_leaves_the_pseudothread_running(core):
    def root(p):
        try:
            yield timeout(0.001, p)
        except TimeoutError:
            return p.done, (yield timeout(20, p))

    t = core.Waiting()
    p = t.add(slow())
    root = t.add(root(p))
    t.run()
    assert root.result() == (False, "slow")


def slow():
    yield sleep(0.05)
    return "slow"


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
            assert watched() is None
        gc.collect()
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
    gc.collect()
    assert watched() is None


def test_public_names():
    assert trampoline.spawn is trampoline._core.core.spawn
    assert {"spawn", "gather", "first"} <= set(trampoline.__all__)
