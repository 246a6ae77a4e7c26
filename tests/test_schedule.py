"""`schedule` may be called with a whole stack, and be overridden.

What a subclass sees when it overrides it is held against the mended recipe, whose `schedule` everything passes through.
"""

import contextvars
import sys
from collections import deque

import pytest
from conftest import REFERENCE_COUNTS, let_go
from coroutines import value
from queues import QUEUES, Counted, Stack, two_turns, with_queue

from trampoline._recipe import Mended


@pytest.mark.parametrize("kind", QUEUES)
def test_schedule_takes_a_stack_and_a_value(core, kind):
    def level(name):
        got = yield value("started")
        while True:
            got = yield f"{name}({got})"

    t = with_queue(core, kind)
    root, middle, top = [level(name) for name in ("root", "middle", "top")]
    for coroutine in (root, middle, top):
        next(coroutine)
    p = t.schedule(top, (middle, (root, ())), 42)
    assert isinstance(p, core.Pseudothread)
    assert p.stack == (root, middle, top)
    assert p.name.endswith("level")
    assert t.run() == "root(middle(top(42)))"
    assert p.done


def test_schedule_needs_no_stack(core):
    def root():
        got = yield value(1)
        yield got

    started = root()
    next(started)
    t = core.Trampoline()
    t.schedule(started, (), "sent")
    assert t.run() == "sent"
    t.schedule(value(2))
    assert t.run() == 2
    t.schedule(coroutine=value(3), stack=(), val=None)
    assert t.run() == 3


def forms_of(error):
    try:
        raise error
    except type(error):
        return {"sys.exc_info()": sys.exc_info(), "instance alone": (error, None, None), "instance, two values": (error, None)}


@pytest.mark.parametrize("form", ["sys.exc_info()", "instance alone", "instance, two values"])
@pytest.mark.parametrize("stacked", [False, True])
def test_schedule_throws_an_error_in_either_form(core, form, stacked):
    error, log = KeyError("it"), []

    def catching():
        try:
            yield value(1)
        except KeyError as caught:
            log.append(caught)
            raise

    inner, outer = catching(), catching()
    next(inner), next(outer)
    t = core.Trampoline()
    t.schedule(inner, (outer, ()) if stacked else (), *forms_of(error)[form])
    with pytest.raises(KeyError) as raised:
        t.run()
    assert raised.value is error
    assert log == [error] * (1 + stacked)


@pytest.mark.parametrize(
    ("exc", "args"),
    [
        ((KeyError, None, None), ()),
        ((KeyError, "text"), ("text",)),
        ((OSError, (2, "name"), None), (2, "name")),
        ((KeyError, KeyError("made"), None), ("made",)),
    ],
)
def test_schedule_makes_the_error_as_throw_does(core, exc, args):
    t = core.Trampoline()
    t.schedule(value(1), (), *exc)
    with pytest.raises(LookupError if exc[0] is KeyError else OSError) as raised:
        t.run()
    assert raised.value.args == args


def overridden(base):
    class Seen(base):
        def __init__(self):
            super().__init__()
            self.log = []

        def schedule(self, coroutine, stack=(), val=None, *exc):
            names, rest = [], stack
            while rest:
                caller, rest = rest
                names.append(caller.__name__)
            self.log.append((coroutine.__name__, names, val if not exc else (val, exc[0].args, type(exc[1]).__name__)))
            return super().schedule(coroutine, stack, val, *exc)

    return Seen


def failing(text):
    raise ValueError(text)
    yield


def middle():
    got = yield value(1)
    try:
        yield failing("deep")
    except ValueError:
        got += yield value(2)
    yield got


def root():
    got = yield middle()
    yield failing(str(got))


@pytest.mark.parametrize("kind", QUEUES)
def test_an_overridden_schedule_sees_every_continuation(core, kind):
    t, recipe = with_queue(core, kind, overridden(core.Trampoline)), overridden(Mended)()
    for trampoline in (t, recipe):
        trampoline.add(root())
        trampoline.add(two_turns("other"))
        with pytest.raises(ValueError, match="3"):
            trampoline.run()
    assert t.log == recipe.log
    assert len(t.log) > 9


def test_an_overridden_schedule_keeps_name_context_and_result(core):
    variable = contextvars.ContextVar("variable", default="outside")
    context = contextvars.copy_context()
    context.run(variable.set, "inside")

    def reader():
        got = yield value(1)
        yield got, variable.get()

    t = overridden(core.Trampoline)()
    p = t.add(reader(), name="reader", context=context)
    assert isinstance(p, core.Pseudothread)
    assert t.run() == p.result() == (1, "inside")
    assert p.name == "reader"


def test_a_schedule_that_adds_others_mixes_nothing_up(core):
    class Adding(core.Trampoline):
        left = 3

        def schedule(self, coroutine, stack=(), val=None, *exc):
            if self.left:
                self.left -= 1
                self.add(value("another"))
            return super().schedule(coroutine, stack, val, *exc)

    t = Adding()
    p = t.add(two_turns(5), name="mine")
    t.run()
    assert (p.done, p.result(), p.name) == (True, 5, "mine")


def test_a_schedule_that_drops_a_continuation_ends_it(core):
    class Dropping(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            if val != "drop":
                super().schedule(coroutine, stack, val, *exc)

    t = Dropping()
    dropped, kept = t.add(two_turns("drop")), t.add(two_turns("keep"))
    assert t.run() == "keep"
    assert kept.result() == "keep"
    assert dropped.done


def test_a_schedule_that_fails_leaves_run_and_all_else_stays(core):
    class Failing(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            if val == "bad":
                raise OSError("no")
            return super().schedule(coroutine, stack, val, *exc)

    t = Failing()
    t.add(two_turns("bad"))
    good = t.add(two_turns("good"))
    with pytest.raises(OSError, match="no"):
        t.run()
    assert not t.running
    assert t.run() == good.result() == "good"


def test_schedule_may_be_overridden_on_an_instance(core):
    t = core.Trampoline()
    log = []

    def schedule(coroutine, stack=(), val=None, *exc):
        log.append(val)
        return type(t).schedule(t, coroutine, stack, val, *exc)

    t.schedule = schedule
    t.add(two_turns("seen"))
    assert t.run() == "seen"
    assert log == [None, None, "seen"]


@pytest.mark.parametrize("number", [1, 3])
def test_schedule_may_be_overridden_on_an_instance_while_it_runs(core, park, number):
    """As with the recipe, which asks for it at each continuation."""

    def child():
        yield 1

    def root(first):
        for turn in range(3):
            yield child()
            if first and turn == 0:
                t.schedule = schedule
            elif first and turn == 1:
                del t.schedule
        return 2

    def schedule(*continuation):
        seen.append(len(continuation))
        return type(t).schedule(t, *continuation)

    counts = []
    for base in (core.Trampoline, Mended):
        seen = []
        t = base()
        for first in range(number):
            t.add(root(first == 0))
        assert t.run() == 2
        counts.append(list(seen))
    assert len(counts[0]) == len(counts[1]) > 0

    t = core.Trampoline()
    seen = []

    def waits():
        yield park

    p = t.add(waits())
    t.run()
    t.schedule = schedule
    p.resume()
    assert len(seen) == 1


def passed_on(base):
    class Passing(base):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            log.append(("schedule", coroutine.__name__))
            return super().schedule(coroutine, stack, val, *exc)

    log = []
    return Passing, log


@pytest.mark.parametrize("kind", [*QUEUES, Stack])
@pytest.mark.parametrize("passing", [False, True])
def test_turns_have_the_order_of_the_recipe(core, kind, passing):
    """Whatever the queue, who stands in it besides, and who looks on."""

    def caller(n):
        log.append((n, "begins"))
        got = yield two_turns(n)
        t.queue.append(lambda: log.append((n, "called")))
        try:
            yield failing(str(got))
        except ValueError as error:
            log.append((n, error.args))
        for turn in range(3):
            log.append((n, turn, (yield value(turn))))
        yield n

    logs = []
    for base in (core.Trampoline, Mended):
        cls, log = passed_on(base) if passing else (base, [])
        t = cls()
        if kind is not None:
            t.queue = kind()
        for n in range(3):
            t.add(caller(n))
        log.append(t.run())
        logs.append((log, getattr(t.queue, "appended", None) if passing else None))
    assert logs[0] == logs[1]
    assert len(logs[0][0]) > 15


@pytest.mark.parametrize("kind", [deque, Counted, Stack])
def test_a_queue_that_is_replaced_while_it_runs(core, kind):
    def caller(n):
        for turn in range(4):
            log.append((n, turn, (yield value(turn))))
            if n == turn == 1:
                t.queue = kind(t.queue)

    logs = []
    for base in (core.Trampoline, Mended):
        log, t = [], base()
        for n in range(3):
            t.add(caller(n))
        t.run()
        logs.append(log)
    assert logs[0] == logs[1]
    assert len(logs[0]) == 12


def test_two_trampolines_with_one_queue(core):
    """Each takes what stands there, whosoever it is."""
    first, second, log = core.Trampoline(), core.Trampoline(), []

    def caller(name):
        for turn in range(3):
            log.append((name, turn, (yield value(turn))))

    second.queue = first.queue
    ps = [t.add(caller(name)) for t, name in ((first, "a"), (second, "b"), (first, "c"))]
    first.run()
    assert [p.state for p in ps] == ["ended"] * 3
    assert [entry[:2] for entry in log] == [(name, turn) for turn in range(3) for name in "abc"]


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="who is let go ends when the collector runs")
def test_a_callee_is_let_go_in_time_where_schedule_queues_the_pseudothread_itself(core):
    class Queues(core.Trampoline):
        itself = None

        def schedule(self, *continuation):
            if self.itself is None:
                return super().schedule(*continuation)
            self.itself, itself = None, self.itself
            self.queue.append(itself)
            return itself

    def callee():
        t.itself = p
        try:
            yield "lost"
        finally:
            log.append("let go")

    def caller():
        log.append((yield callee()))

    def other():
        for _ in range(3):
            log.append("other")
            yield value(1)

    log, t = [], Queues()
    p = t.add(caller())
    t.add(other())
    t.run()
    let_go()
    assert log == ["other", "let go", None, "other", "other"]


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="who is let go ends when the collector runs")
def test_an_error_of_schedule_does_not_keep_the_coroutines(core, park):
    def callee():
        try:
            yield park
        finally:
            log.append("let go")

    def caller():
        yield callee()

    log, t = [], core.Trampoline()
    p = t.add(caller())
    t.run()
    t.schedule = int  # it has no frame that would keep them
    with pytest.raises(TypeError) as caught:
        p.resume()
    assert p.done
    assert log == ["let go"]
    assert caught.value.__traceback__ is not None
