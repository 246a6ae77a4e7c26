"""What is wrong to ask, line by line: each is an error of the right type, in the right place, whose text names the value and the likely
mistake; and everything else stays queued and runs afterwards. What could crash the interpreter runs in one of its own."""

import os
import subprocess
import sys
from collections import deque
from concurrent.futures import Future
from functools import partial

import pytest
from conftest import Park
from coroutines import native, value, waits

import trampoline


def call_in_run(t, act):
    """Let `run()` call `act` before all else."""
    t.queue.appendleft(act)
    t.run()


async def gives_many():
    yield


class Shop:
    def generator_method(self):
        yield


ADD = {
    "generator function": (value, "value is a generator function that was not called: write value(...)"),
    "coroutine function": (native, "native is a coroutine function that was not called: write native(...)"),
    "method": (Shop().generator_method, "Shop.generator_method is a generator function that was not called"),
    "plain function": (len, "not <built-in function len>"),
    "lambda": (lambda: 1, ": call it, if it returns one"),
    "number": (42, "not 42"),
    "none": (None, "not None"),
    "text": ("text", "not 'text'"),
    "iterator": (iter((1,)), f"not <{type(iter((1,))).__name__} object"),
    "list": ([1, 2], "not [1, 2]"),
    "class": (Shop, "not <class "),
    "long": ("x" * 1000, "not '" + "x" * 100),
    "partial": (partial(len, 5), "not functools.partial("),
    "partial of a generator function": (partial(value, 5), "is a generator function that was not called: call it"),
    "async generator function": (gives_many, "an async generator is none: `async for` it in one, not <function gives_many"),
    "async generator": (gives_many(), "an async generator is none: `async for` it in one, not <async"),
    "sleep": (trampoline.sleep, ": call it, sleep(...)"),
    "future": (Future(), ": write it in a coroutine, yield <Future at"),
    "consumer": (trampoline.consumer(value), "value is a generator function that was not called: write value(...)"),
}
HOW = ["add", "schedule", "trampoline", "call", "stack"]


@pytest.mark.parametrize("what", ADD)
@pytest.mark.parametrize("how", HOW)
def test_what_is_no_coroutine(core, how, what):
    wrong, text = ADD[what]
    t = core.Trampoline()
    left = t.add(value("left"))
    acts = {
        "add": lambda: t.add(wrong, name="wrong"),
        "schedule": lambda: t.schedule(wrong),
        "trampoline": lambda: trampoline.trampoline(wrong),
        "call": lambda: next(core.call(wrong)),
        "stack": lambda: t.schedule(value(1), (wrong, ())),
    }
    with pytest.raises(TypeError) as raised:
        acts[how]()
    assert str(raised.value).startswith({"stack": "the stack of schedule()"}.get(how, how + "()") + " takes a coroutine")
    assert text in str(raised.value)
    assert len(str(raised.value)) < 300
    assert list(t.queue) == [left]
    assert t.run() == "left"


# What is done wrong; the type of the error; what its text says. `t` has other pseudothreads queued.
MISUSES = {
    "stack is no pair": (lambda t, p: t.schedule(value(1), 5), TypeError, r"schedule\(\) takes its stack in nested pairs, .*, not 5$"),
    "stack is a list": (lambda t, p: t.schedule(value(1), [value(2), ()]), TypeError, r"nested pairs, .*, not \[<generator"),
    "stack ends in a number": (lambda t, p: t.schedule(value(1), (value(2), 7)), TypeError, r"nested pairs, .*, not 7$"),
    "error of no exception": (lambda t, p: t.schedule(value(1), (), 1, 2), TypeError, r"schedule\(\) takes an exception, .*, not 1$"),
    "error twice": (lambda t, p: t.schedule(value(1), (), KeyError(1), 5), TypeError, r"no second value .* already: 5$"),
    "append": (lambda t, p: t.queue.append(42), TypeError, r"but 42 is not callable: add\(\) takes coroutines"),
    "append a coroutine": (lambda t, p: t.queue.append(value(1)), TypeError, r"but <generator .* is not callable: add\(\) takes"),
    "append twice": (lambda t, p: t.queue.append(p), RuntimeError, "cannot queue <Pseudothread 'parked' .*"),
    "queue is none": (lambda t, p: setattr(t, "queue", None), TypeError, "but None has no append"),
    "queue is a list": (lambda t, p: setattr(t, "queue", [1]), TypeError, r"but \[1\] has no popleft"),
    "context": (lambda t, p: t.add(value(1), context={}), TypeError, r"takes a contextvars.Context as its context, not \{\}"),
    "throw text": (lambda t, p: p.throw("text"), TypeError, r"throw\(\) takes an exception, or a class of them, not 'text'"),
    "throw a class": (lambda t, p: p.throw(int), TypeError, r"throw\(\) takes an exception, or a class of them, not <class 'int'>"),
    "call parked": (lambda t, p: p(), RuntimeError, r"cannot call <Pseudothread 'parked' parked .*only resume\(\), throw\(\)"),
    "result of parked": (lambda t, p: p.result(), RuntimeError, "<Pseudothread 'parked' parked for .* has no result yet"),
    "resume queued": (lambda t, p: next(iter(t.queue)).resume(), RuntimeError, "cannot resume <Pseudothread .* is queued: it will take"),
    "call queued": (lambda t, p: next(iter(t.queue))(), RuntimeError, r"cannot call <Pseudothread .*take it out with popleft\(\)"),
    "run inside run": (lambda t, p: call_in_run(t, t.run), RuntimeError, r"run\(\) of <.*Trampoline object at .* was called inside itself"),
    "close inside run": (lambda t, p: call_in_run(t, t.close), RuntimeError, r"cannot close <.*Trampoline object at .* inside run\(\)"),
    "make one": (lambda t, p: type(p)(), TypeError, r"a Pseudothread is made by Trampoline.add\(\) or Trampoline.schedule\(\)"),
}


@pytest.mark.parametrize("what", MISUSES)
def test_misuse(core, what):
    act, kind, text = MISUSES[what]
    t = core.Trampoline()
    p = t.add(waits(Park()), name="parked")
    t.run()
    first, last = t.add(value("first")), t.add(value("last"))
    before = list(t.queue)
    with pytest.raises(kind, match=text):
        act(t, p)
    assert list(t.queue) == before
    assert not t.running
    p.resume("resumed")
    assert t.run() == "resumed"
    assert (first.result(), last.result()) == ("first", "last")


def test_what_is_not_callable_in_a_foreign_queue(core):
    t = core.Trampoline()
    t.queue = deque([42])
    last = t.add(value("last"))
    with pytest.raises(TypeError, match=r"called without arguments, but 42 is not callable: add\(\) takes coroutines"):
        t.run()
    assert list(t.queue) == [last]
    assert t.run() == "last"


def test_a_callable_that_raises(core):
    error = KeyError("callable")

    def callable_entry():
        raise error

    t = core.Trampoline()
    t.queue.append(callable_entry)
    last = t.add(value("last"))
    with pytest.raises(KeyError) as raised:
        t.run()
    assert raised.value is error
    assert list(t.queue) == [last]
    assert t.run() == "last"


def test_a_coroutine_that_is_running(core):
    def me():
        other = core.Trampoline()
        other.add(calling(running))
        yield other.run()

    def calling(coroutine):
        with pytest.raises(ValueError, match="already executing"):
            yield coroutine
        yield "the caller has it"

    running = me()
    t = core.Trampoline()
    t.add(running)
    left = t.add(value("left"))
    t.run()
    assert left.result() == "left"
    assert next(running, "ended") == "ended"


def test_a_coroutine_that_has_ended(core):
    def root(coroutine):
        yield [(yield coroutine)]

    ended = value(1)
    list(ended)
    t = core.Trampoline()
    t.add(root(ended))
    assert t.run() == [None]
    used = native(1)
    t.add(used)
    assert t.run() == 1
    t.add(used)
    left = t.add(value("left"))
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        t.run()
    assert list(t.queue) == [left]


def stubborn(park, log):
    try:
        yield park
    except GeneratorExit:
        log.append("ignored")
    yield "still here"


def caller_of(callee, log):
    try:
        yield callee
    except BaseException as error:
        log.append(error)
        raise
    finally:
        log.append("finally")


def test_a_coroutine_that_ignores_generator_exit(core, park):
    log = []
    t = core.Trampoline()
    p = t.add(caller_of(stubborn(park, log), log))
    t.run()
    left = t.add(value("left"))
    with pytest.raises(RuntimeError, match=r"in stubborn ignored GeneratorExit: it yielded 'still here', but .* must not yield") as raised:
        p.close()
    assert log == ["ignored", raised.value, "finally"]
    assert p.done
    assert list(t.queue) == [left]
    assert t.run() == "left"


def unruly(park, error, log):
    try:
        yield park
    finally:
        log.append("unruly")
        raise error


def test_an_error_in_a_finally_goes_on_into_the_caller(core, park):
    log, error = [], KeyError("finally")
    t = core.Trampoline()
    p = t.add(caller_of(unruly(park, error, log), log))
    t.run()
    with pytest.raises(KeyError) as raised:
        p.close()
    assert raised.value is error
    assert log == ["unruly", error, "finally"]
    assert p.done


def test_an_error_in_a_finally_may_be_caught_and_close_goes_on(core, park):
    log = []

    def catching():
        try:
            yield unruly(park, KeyError("finally"), log)
        except KeyError:
            log.append("caught")

    t = core.Trampoline()
    p = t.add(caller_of(catching(), log))
    t.run()
    p.close()
    assert log[:2] == ["unruly", "caught"]
    assert isinstance(log[2], GeneratorExit)
    assert p.done


def test_close_closes_all_whatever_they_raise(core, park):
    log = []
    errors = [KeyError("one"), OSError("two")]
    t = core.Trampoline()
    ps = [t.add(unruly(park, error, log)) for error in errors] + [t.add(caller_of(value(1), log))]
    t.queue.append(t.queue.popleft())
    t.run()
    t.add(value(1))
    with pytest.raises(Exception, match=r"errors while 2 pseudothreads|one|two") as raised:
        t.close()
    if sys.version_info >= (3, 11):
        assert isinstance(raised.value, BaseExceptionGroup)  # noqa: F821
        assert set(raised.value.exceptions) == set(errors)
    else:
        assert raised.value in errors
    assert all(p.done for p in ps)
    assert len(t.queue) == 0
    assert log.count("unruly") == 2


def run_script(core, script):
    """Run `script` in an interpreter of its own, where `core` is the core and `value` a coroutine function, and return what it prints."""
    path = [os.path.dirname(__file__), os.path.dirname(os.path.dirname(trampoline.__file__))]
    head = f"import sys\nsys.path[:0] = {path!r}\nfrom conftest import load, Park\ncore = load({core.name!r})\n"
    head += "def value(result):\n    got = yield\n    yield result\n"
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", head + script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


SUSPEND_CLOSES_AND_RAISES = """
class Odd(core.Suspension):
    def suspend(self, pseudothread):
        pseudothread.close()
        raise KeyError("after close")

def root():
    yield Odd()

t = core.Trampoline()
p, left = t.add(root()), t.add(value("left"))
try:
    t.run()
except KeyError as error:
    print(error.args, p.state, len(t.queue))
t.run()
print(left.state)
"""


def test_a_suspend_that_closes_and_raises(core):
    assert run_script(core, SUSPEND_CLOSES_AND_RAISES) == "('after close',) ended 1\nended\n"


ENDED_IN_A_QUEUE = """
def root():
    for n in range(3):
        yield value_of(n)

def value_of(n):
    yield n

def build():
    t = core.Trampoline()
    return t, [t.add(root()) for _ in range(3)]

t, ps = build()
own = t.queue
t.queue = type(own)()
ps[1].close()
t.queue = own
t.run()
print([p.state for p in ps])

t, ps = build()
other = type(t.queue)()
while t.queue:
    other.append(t.queue.popleft())
ps[1].close()
t.queue = other
t.run()
print([p.state for p in ps])
"""


def test_an_ended_pseudothread_in_the_queue_is_harmless(core):
    assert run_script(core, ENDED_IN_A_QUEUE) == "['ended', 'ended', 'ended']\n" * 2


NO_MEMORY = """
import gc
from _testcapi import remove_mem_hooks, set_nomemory

def level(n, callees):
    yield 5 if not n else (yield callees[n - 1])

def main():
    bad = set()
    for failing in range(60):
        callees = []
        for n in range(40):
            callees.append(level(n, callees))
        t = core.Trampoline()
        p, q = t.add(callees[-1]), t.add(value("left"))
        gc.disable()
        error, used_up = None, [(n,) * size for size in (1, 2, 3, 4) for n in range(2100)]
        set_nomemory(failing, failing + 1)
        try:
            t.run()
        except MemoryError as raised:
            error = raised
        finally:
            remove_mem_hooks()
        try:
            t.run()
        except MemoryError:
            pass
        state = (p.state, q.state, len(t.queue), t.running)
        if state != ("ended", "ended", 0, False):
            bad.add((failing, *state))
        del error, used_up
        gc.enable()
    print(sorted(bad))

sys.unraisablehook = lambda unraisable: None
main()
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="set_nomemory is CPython's")
def test_no_memory_at_any_allocation_leaves_all_queued_or_ended(core):
    pytest.importorskip("_testcapi")
    assert run_script(core, NO_MEMORY) == "[]\n"
