"""The order of things: what a program written against PEP 342's recipe sees, it sees here, turn by turn.

Each program runs on the core and on the mended recipe and must log the same; what the recipe does not have (native coroutines, classes
that are coroutines, suspensions) is held against the words of the contract: a yield calls, parks or gives a result; an error goes into
the caller once; `run()` returns what the last entry returned.
"""

import sys

import pytest
from coroutines import Mishap, failing, returned, value

from trampoline._recipe import Mended, Verbatim

ON_CPYTHON = sys.implementation.name == "cpython"

ENDINGS = [KeyboardInterrupt, SystemExit, GeneratorExit]


def errors_and_finally(t, log):
    def level(name, n):
        try:
            if not n:
                raise KeyError(name)
            yield level(name, n - 1)
        except KeyError as error:
            log("passes", name, n, str(error))
            if n == 2:
                raise ValueError(name) from error
            raise
        finally:
            log("finally", name, n)

    def root(name, depth):
        try:
            yield level(name, depth)
        except (KeyError, ValueError) as error:
            log("caught", name, type(error).__name__)
        log("goes on", name, (yield value(1)))

    t.add(root("a", 3))
    t.add(root("b", 1))


def a_coroutine_is_called_again(t, log):
    def counter():
        n = 0
        while True:
            n += 1
            yield n

    def root():
        shared = counter()
        for _ in range(3):
            log("shared", (yield shared))
        log("finished ones give None", (yield returned(3)), (yield value(4)))

    t.add(root())
    t.add(root())


def what_finally_adds_comes_behind(t, log):
    def child(name):
        try:
            yield name
        finally:
            log("released", name, len(t.queue), t.running)
            t.add(late(name))

    def late(name):
        log("late", name)
        yield None

    def root(name):
        log("got", (yield child(name)))
        log("got", (yield child(name * 2)))
        yield child(name * 3)

    t.add(root("a"))
    t.add(root("b"))


def the_last_is_released_when_run_ended(t, log):
    def root():
        try:
            yield "result"
        finally:
            log("released", len(t.queue), t.running)

    t.add(root())


def an_error_leaves_in_the_middle(t, log):
    def root(name, fails):
        log(name, 1, (yield value(1)))
        if fails:
            yield failing(OSError(name))
        log(name, 2, (yield value(2)))

    for name in "abcd":
        t.add(root(name, name in "bd"))


def plain_callables_between(t, log):
    def root():
        log("root", (yield value(1)))
        t.queue.append(lambda: log("callable again"))
        log("root", (yield value(2)))

    t.queue.append(lambda: log("callable"))
    t.add(root())
    t.queue.append(lambda: 5)


PROGRAMS = [
    errors_and_finally,
    a_coroutine_is_called_again,
    an_error_leaves_in_the_middle,
    plain_callables_between,
    *([what_finally_adds_comes_behind, the_last_is_released_when_run_ended] if ON_CPYTHON else []),
]


def record(program, t):
    logged = []
    program(t, lambda *what: logged.append(what))
    for _ in range(9):
        try:
            logged.append(("run", t.run()))
        except Exception as error:
            logged.append(("run raised", type(error), str(error)))
        logged.append(("left", len(t.queue), t.running))
    return logged


@pytest.mark.parametrize("program", PROGRAMS)
def test_same_order_as_the_recipe(core, program):
    assert record(program, core.Trampoline()) == record(program, Mended())


def test_a_result_lets_go_and_does_not_close(core):
    log = []

    def child():
        try:
            log.append((yield 1))
            log.append((yield 2))
        finally:
            log.append("closed")

    def root():
        kept = child()
        got = [(yield kept), (yield kept)]
        log.append("still there")
        got.append((yield kept))
        yield got

    t = core.Trampoline()
    t.add(root())
    assert t.run() == [1, 2, None]
    assert log == [None, "still there", None, "closed"]


def test_an_error_goes_into_the_caller_once(core):
    log = []

    def level(n):
        try:
            yield level(n - 1) if n else failing(KeyError(1))
        except KeyError:
            log.append(n)
            raise

    def root():
        try:
            yield level(100)
        except KeyError:
            log.append("root")
        yield "end"

    t = core.Trampoline()
    t.add(root())
    turns = 0
    while t.queue:
        last = t.queue.popleft()()
        turns += 1
    assert last == "end"
    assert log == [*range(101), "root"]
    assert turns == 1 + 101 + 1 + 101 + 1


@pytest.mark.parametrize("kind", [ValueError, StopAsyncIteration, *ENDINGS])
def test_every_error_travels_the_same_way(core, kind):
    error, log = kind("deep"), []

    def middle():
        try:
            yield failing(error)
        except kind as caught:
            log.append(caught is error)
            raise
        finally:
            log.append("finally")

    def root():
        try:
            yield middle()
        except kind as caught:
            log.append(caught is error)
            yield "caught"

    t = core.Trampoline()
    t.add(root())
    assert t.run() == "caught"
    assert log == [True, "finally", True]


@pytest.mark.parametrize("kind", [ValueError, *ENDINGS])
def test_an_error_out_of_a_root_leaves_run_and_all_else_stays(core, kind):
    error = kind("out")
    t = core.Trampoline()
    first, bad, last = t.add(value(1)), t.add(failing(error)), t.add(value(3))
    with pytest.raises(kind) as caught:
        t.run()
    assert caught.value is error
    assert (first.done, bad.done, last.done) == (True, True, False)
    assert list(t.queue) == [last]
    assert t.running is False
    assert t.run() == 3


def test_run_returns_what_the_last_entry_returned(core):
    t = core.Trampoline()
    assert t.run() is None
    t.add(value(1))
    t.add(returned(2))
    assert t.run() == 2
    t.add(value(1))
    t.queue.append(lambda: "callable")
    assert t.run() == "callable"
    t.queue.append(lambda: "callable")
    t.add(returned(None))
    assert t.run() is None


@pytest.mark.parametrize("parked", [False, True])
@pytest.mark.parametrize("many", [2, 3])
def test_turns_are_taken_in_order_however_many_there_are(core, park, many, parked):
    """Now and then the run loop looks at the clock: not in the middle of a round."""

    def takes_turns(name):
        for _ in range(2500):
            log.append(name)
            yield value(name)

    def waits():
        yield park

    log, t = [], core.Trampoline()
    if parked:
        t.add(waits())
    for name in range(many):
        t.add(takes_turns(name))
    t.run()
    assert log == [*range(many)] * 2500


def test_stop_ends_run_after_the_turn_and_keeps_the_queue(core):
    log = []

    def root(name):
        for turn in range(3):
            log.append((name, turn))
            if (name, turn) == ("a", 1):
                t.stop()
                assert not t.running
            yield value(None)

    t = core.Trampoline()
    t.stop()
    t.add(root("a"))
    t.add(root("b"))
    assert t.run() is None
    assert log == [("a", 0), ("b", 0), ("a", 1)]
    assert len(t.queue) == 2
    t.run()
    assert log[3:] == [("b", 1), ("a", 2), ("b", 2)]


@pytest.mark.parametrize("repeats", [False, True])
def test_running_is_a_class_attribute_and_setting_it_false_stops(core, repeats):
    """In a subclass that repeats the recipe's own line, too."""
    seen = []

    def root():
        seen.append(t.running)
        t.running = False
        yield value(1)
        seen.append("second run")

    kind = type("Mine", (core.Trampoline,), {"running": False}) if repeats else core.Trampoline
    assert kind.running is False
    t = kind()
    assert t.running is False
    t.add(root())
    t.run()
    assert seen == [True]
    assert t.running is False
    t.run()
    assert seen == [True, "second run"]


def test_it_is_subclassed_freely_and_takes_attributes(core):
    class Mixin:
        def both(self):
            return self.extra

    class Own(Mixin, core.Trampoline):
        def __init__(self, extra, *, more):
            super().__init__()
            self.extra, self.more = extra, more
            self.stopped = 0

        def stop(self):
            self.stopped += 1
            super().stop()

        def add(self, coroutine, **options):
            self.more.append(coroutine)
            return super().add(coroutine, **options)

    t = Own(1, more=[])
    t.anything = "else"
    t.add(value(5))
    assert t.run() == 5
    t.stop()
    assert (t.both(), len(t.more), t.stopped, t.anything) == (1, 1, 1, "else")


@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature of throw:DeprecationWarning")
def test_the_recipe_as_it_is_printed_loses_a_call_after_an_error():
    """What it is mended for: it resumes a caller twice, and a root's end leaves `run()` as StopIteration."""

    def caller():
        try:
            yield failing(Mishap())
        except Mishap:
            log.append((yield value("result")))

    log, recipe = [], Verbatim()
    recipe.add(caller())
    with pytest.raises(StopIteration):
        recipe.run()
    assert log == [None]
    log, mended = [], Mended()
    mended.add(caller())
    mended.run()
    assert log == ["result"]
