"""The queue is a deque to its user and may be replaced by one; `schedule` may be called with a whole stack, and be overridden.

What a subclass sees when it overrides `schedule` is held against the mended recipe, whose `schedule` everything passes through.
"""

import contextvars
import sys
from collections import deque

import pytest

from trampoline._recipe import Mended


def value(result):
    yield result


def two_turns(result):
    got = yield value(result)
    yield got


class Foreign:
    """A queue with the methods of a deque and nothing else; it counts what is taken."""

    def __init__(self, entries=()):
        self.entries, self.taken = deque(entries), 0

    def append(self, entry):
        self.entries.append(entry)

    def appendleft(self, entry):
        self.entries.appendleft(entry)

    def popleft(self):
        self.taken += 1
        return self.entries.popleft()

    def clear(self):
        self.entries.clear()

    def __len__(self):
        return len(self.entries)

    def __iter__(self):
        return iter(self.entries)


QUEUES = [None, deque, Foreign]


def with_queue(core, kind, cls=None):
    t = (cls or core.Trampoline)()
    if kind is not None:
        t.queue = kind()
    return t


@pytest.mark.parametrize("kind", QUEUES)
def test_a_deque_to_its_user(core, kind):
    t = with_queue(core, kind)
    assert len(t.queue) == 0
    assert not t.queue
    first, second = t.add(value(1)), t.add(value(2))
    assert bool(t.queue) is True
    assert list(t.queue) == [first, second]
    assert t.queue.popleft() is first
    t.queue.append(first)
    assert list(t.queue) == [second, first]
    assert t.queue.popleft() is second
    t.queue.append(len)
    t.queue.appendleft(second)
    assert list(t.queue) == [second, first, len]
    t.queue.clear()
    assert list(t.queue) == []
    with pytest.raises(IndexError):
        t.queue.popleft()


@pytest.mark.parametrize("kind", QUEUES)
def test_to_call_an_entry_is_one_turn(core, kind):
    log = []

    def root():
        log.append(1)
        got = yield value("from the callee")
        log.append(got)
        yield "end"

    t = with_queue(core, kind)
    p = t.add(root())
    assert p is t.queue.popleft()
    assert p() is None
    assert log == [1]
    assert t.queue.popleft()() is None
    assert t.queue.popleft()() == "end"
    assert log == [1, "from the callee"]
    assert p.done
    assert len(t.queue) == 0


@pytest.mark.parametrize("kind", QUEUES)
def test_any_callable_may_be_queued(core, kind):
    log = []

    def later():
        log.append("later")
        t.queue.append(lambda: log.append("last") or "result")

    t = with_queue(core, kind)
    t.add(two_turns(1))
    t.queue.append(later)
    t.queue.appendleft(lambda: log.append("first"))
    assert t.run() == 1
    assert log == ["first", "later", "last"]
    t.queue.append(later)
    assert t.run() == "result"


def test_a_foreign_queue_decides_what_is_next(core):
    class LastFirst(Foreign):
        def popleft(self):
            return self.entries.pop()

    log = []

    def root(name):
        log.append((name, 1))
        yield value(None)
        log.append((name, 2))

    t = with_queue(core, LastFirst)
    t.add(root("a"))
    t.add(root("b"))
    t.run()
    assert log == [("b", 1), ("b", 2), ("a", 1), ("a", 2)]


@pytest.mark.parametrize("kind", [deque, Foreign])
def test_the_queue_is_replaced_while_it_runs(core, kind):
    log = []

    def root(name):
        for turn in range(3):
            log.append((name, turn))
            yield value(None)
            if (name, turn) == ("a", 1):
                t.queue = kind(t.queue)

    t = core.Trampoline()
    t.add(root("a"))
    t.add(root("b"))
    t.run()
    assert log == [(name, turn) for turn in range(3) for name in "ab"]
    assert isinstance(t.queue, kind)


def test_an_error_of_a_foreign_queue_leaves_run(core):
    class Broken(Foreign):
        def popleft(self):
            if self.broken:
                raise OSError("popleft")
            return super().popleft()

    t = with_queue(core, Broken)
    p = t.add(value(1))
    t.queue.broken = True
    with pytest.raises(OSError, match="popleft"):
        t.run()
    assert t.running is False
    t.queue.broken = False
    assert t.run() == p.result() == 1


def test_a_pseudothread_in_another_trampolines_queue_takes_its_turn_there(core):
    here, there = core.Trampoline(), core.Trampoline()
    p = here.add(two_turns(5))
    there.queue.append(here.queue.popleft())
    there.run()
    assert list(here.queue) == [p]
    assert here.run() == 5


def test_close_takes_it_out_of_another_trampolines_queue(core):
    here, there = core.Trampoline(), core.Trampoline()
    closed, left = here.add(value(1)), there.add(value(2))
    there.queue.appendleft(here.queue.popleft())
    closed.close()
    assert closed.done
    assert there.run() == 2
    assert left.done


@pytest.mark.parametrize("turns", [0, 1])
def test_close_of_what_stands_twice_in_a_foreign_queue(core, turns):
    """Its entries stay, as it cannot be taken out there, and are passed over; the result of run() is then None."""

    def root():
        try:
            yield child()
        finally:
            ended.append(len(t.queue))

    def child():
        yield

    ended = []
    t = core.Trampoline()
    t.queue = deque()
    p = t.add(root())
    for _ in range(turns):
        t.queue.popleft()()
    t.queue.append(p)
    if not turns:
        assert len(t.queue) == 2
    p.close()
    assert ended == [2] * turns
    assert p.done
    assert t.run() is None
    assert not t.queue


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
