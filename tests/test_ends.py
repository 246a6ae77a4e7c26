"""The end of objects at bad moments: a suspension whose `__del__` acts on its pseudothread, an overridden `schedule` that ends its own.

Each was once a crash of the C core, or a difference between the two.
"""

import collections.abc
import contextlib
import gc
import weakref

import pytest
from conftest import REFERENCE_COUNTS, let_go
from crowds import ROUNDS, THREADS, at_once

from trampoline import Suspension, _recipe


def waits(suspension, log):
    log.append((yield suspension()))
    return "end"


@pytest.mark.parametrize("act", ["close", "call"])
@pytest.mark.parametrize("go_on", ["resume", "throw", "close"])
def test_a_suspension_whose_end_acts_on_its_pseudothread(core, act, go_on):
    class Acts(core.Suspension):
        def suspend(self, pseudothread):
            self.pseudothread = pseudothread

        def __del__(self):
            try:
                self.pseudothread.close() if act == "close" else self.pseudothread()
            except RuntimeError as error:
                refused.append(str(error))

    log, refused = [], []
    t = core.Trampoline()
    p = t.add(waits(Acts, log))
    other = t.add(waits(list, log))
    t.run()
    if go_on == "resume":
        p.resume(3)
    elif go_on == "throw":
        p.throw(KeyError("thrown"))
    else:
        p.close()
    try:
        t.run()
    except KeyError:
        assert go_on == "throw"
    assert p.done
    assert other.result() is not None
    assert log in ([], [3])


@pytest.mark.parametrize("how", ["close", "close and go on"])
def test_a_schedule_that_ends_its_own_pseudothread(core, how):
    class Ends(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            if stack:
                made[0].close()
                if how == "close":
                    return None
            return super().schedule(coroutine, stack, val, *exc)

    def child():
        yield 1

    def root():
        yield child()

    t = Ends()
    made = [t.add(root())]
    assert t.run() in (None, 1)
    assert made[0].done
    assert not t.queue


def test_run_gives_no_result_where_a_schedule_made_the_last_turn_by_hand(core):
    """The recipe: the entry that called `schedule` returned None, whatever the turn within it returned."""

    class ByHand(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            made = super().schedule(coroutine, stack, val, *exc)
            if val is not None:
                given.append(self.queue.popleft()())
            return made

    def child():
        yield 1

    def root():
        got = yield child()
        return got + 1

    given = []
    t = ByHand()
    t.add(root())
    assert t.run() is None
    assert given == [2]


@pytest.mark.parametrize("after", ["raise", "run"])
def test_an_error_of_suspend_keeps_the_suspension_no_longer_than_itself(core, after):
    class Resumes(core.Suspension):
        def __del__(self):
            events.append("gone")

        def suspend(self, pseudothread):
            pseudothread.resume(1)
            if after == "raise":
                raise KeyError(1)
            with contextlib.suppress(RuntimeError):
                t.run()

    def root():
        with contextlib.suppress(KeyError):
            yield Resumes()
        events.append("next turn")
        yield

    events = []
    t = core.Trampoline()
    t.add(root())
    gc.collect()
    gc.disable()
    try:
        t.run()
    finally:
        gc.enable()
    let_go()
    assert sorted(events) == ["gone", "next turn"]


def test_what_is_let_go_at_an_error_gets_no_context(core):
    def child():
        yield

    def root():
        try:
            yield child()
        except GeneratorExit as error:
            contexts.append(error.__context__)
            raise

    def other():
        raise KeyError(1)
        yield

    contexts = []

    class Drops(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            return None if stack else super().schedule(coroutine, stack, val, *exc)

    t = Drops()
    t.add(root())
    t.run()
    t.add(root())
    t.add(other())
    with pytest.raises(KeyError):
        t.run()
    let_go()
    assert contexts == [None, None]


def test_an_error_that_is_queued_does_not_keep_the_result_of_run(core):
    class Fails(core.Suspension):
        def suspend(self, pseudothread):
            raise KeyError(1)

    class Result:
        pass

    def stops():
        t.stop()
        yield Result()

    def waits():
        yield Fails()

    t = core.Trampoline()
    t.add(waits())
    t.add(stops())
    result = t.run()
    kept = weakref.ref(result)
    del result
    let_go()
    assert kept() is None
    assert len(t.queue) == 1


def test_a_pseudothread_that_is_closed_while_it_stands_in_a_foreign_queue_that_runs(core):
    """The misuse is told where it was made, and the pseudothread ends as it would have."""

    def root():
        try:
            yield child()
        finally:
            with pytest.raises(RuntimeError, match="it is running") as raised:
                t.run()
            assert type(raised.value.__context__) is GeneratorExit

    def child():
        yield

    t = core.Trampoline()
    t.queue = collections.deque()
    p = t.add(root())
    t.queue.popleft()()
    p.close()
    with pytest.raises(RuntimeError, match="was closed"):
        p.result()


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="in which order things are let go that nobody holds is the collector's affair on PyPy")
@pytest.mark.parametrize("of", ["core", "recipe"])
@pytest.mark.parametrize("how", ["cleared", "called", "dropped"])
def test_an_entry_lets_go_in_the_order_of_the_recipes_closure(core, of, how):
    """A closure's cells go in reverse alphabetical order, val, stack, coroutine, and nested pairs from the root on."""

    class Value:
        def __del__(self):
            gone.append("value")

    def coroutine(name):
        try:
            yield
            yield child()
        finally:
            gone.append(name)

    def child():
        yield

    def primed(name):
        made = coroutine(name)
        next(made)
        return made

    class Drops(_recipe.Mended if of == "recipe" else core.Trampoline):
        drops = False

        def schedule(self, *continuation):
            return None if self.drops else super().schedule(*continuation)

    gone = []
    t = Drops()
    t.schedule(primed("innermost"), (primed("caller"), (primed("outermost"), ())), Value())
    if how == "cleared":
        t.queue.clear()
    elif how == "called":
        t.queue.popleft()()
        t.queue.clear()
    else:
        t.drops = True
        t.queue.append(lambda: gone.append("next"))
        t.run()
        assert gone.pop() == "next"
    assert gone == ["value", "outermost", "caller", "innermost"]


def test_of_those_that_many_threads_close_none_is_left(core, quick_switches):
    """Whoever is refused puts nobody back whom another has just taken out."""

    class Parked(Suspension):
        def suspend(self, pseudothread):
            pass

    def root():
        while True:
            yield Parked()

    def stops():
        yield t.stop()

    def closes():
        for p in started:
            while not p.done:
                with contextlib.suppress(RuntimeError):  # another is at it
                    p.close()

    for _ in range(5 * ROUNDS):
        t = core.Waiting()
        started = [t.add(root()) for _ in range(30)]
        t.add(stops())
        t.run()
        at_once(*[closes] * THREADS)
        t.run()  # a Deadlock, if anybody is left
