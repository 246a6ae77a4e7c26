"""Errors whose classes refuse attributes, as a frozen dataclass does, or have one of a name that an error has: nothing of them is lost."""

import asyncio
import sys
from dataclasses import dataclass
from queue import SimpleQueue

import pytest
from conftest import Park, let_go
from test_tracebacks import frames_of

from trampoline import aio, consumer, gather, in_thread, timeout, trampoline


@dataclass(frozen=True)
class NotFound(Exception):
    key: str


class HasItsOwn(Exception):
    def with_traceback(self, traceback):
        raise LookupError("with_traceback")

    @property
    def __traceback__(self):
        raise LookupError("traceback")

    @property
    def __context__(self):
        raise LookupError("context")

    @property
    def key(self):
        return self.args[0]


KINDS = [
    NotFound,
    pytest.param(
        HasItsOwn, marks=pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy itself asks such a class when it is raised")
    ),
]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def look(kind, key):
    raise kind(key)
    yield


def calls(kind, key):
    yield look(kind, key)


def catches(kind, waits):
    try:
        yield waits
    except kind as error:
        return error.key


class Throws(Park):
    def __init__(self, error):
        self.error = error

    def suspend(self, pseudothread):
        pseudothread.throw(self.error)


class Raises(Throws):
    def suspend(self, pseudothread):
        raise self.error


def raises(kind):
    raise kind("thread")


WAYS = {
    "a call": lambda core, kind: calls(kind, "a"),
    "a call with its type": lambda core, kind: core.call(look(kind, "a")),
    "gather": lambda core, kind: gather(look(kind, "a"), look(kind, "b")),
    "timeout": lambda core, kind: timeout(5, look(kind, "a")),
    "throw": lambda core, kind: Throws(kind("a")),
    "suspend": lambda core, kind: Raises(kind("a")),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("overridden", [False, True])
def test_it_arrives(core, kind, way, overridden):
    class Own(core.Waiting):
        def schedule(self, *args):
            return super().schedule(*args)

    t = (Own if overridden else core.Waiting)()
    t.add(catches(kind, WAYS[way](core, kind)))
    try:
        got = t.run()
    except BaseException as error:  # of two at once there is a group
        assert way == "gather"
        got = error.exceptions[0].key
    assert got == "a"
    t.close()


def test_it_arrives_from_a_thread_and_a_spawned_one(core, kind):
    def joins():
        return (yield from catches(kind, (yield core.spawn(look(kind, "spawned")))))

    t = core.Waiting()
    t.add(catches(kind, in_thread(raises, kind)))
    assert t.run() == "thread"
    t.add(joins())
    assert t.run() == "spawned"
    t.close()


@pytest.mark.parametrize("act", ["run", "call", "close", "step"])
def test_it_leaves(core, kind, act, park):
    def unwinds():
        try:
            yield park
        finally:
            raise kind("a")

    t = core.Waiting() if act == "step" else core.Trampoline()
    p = t.add(unwinds() if act == "close" else calls(kind, "a"))
    if act == "close":
        t.run()
    if act == "call":
        t.queue.popleft()()
        t.queue.popleft()()
    does = {"run": t.run, "call": p, "close": p.close, "step": getattr(t, "step", None)}[act]
    if act == "call":
        t.queue.popleft()
    with pytest.raises(kind) as raised:
        does()
    assert raised.value.key == "a"
    if act != "close":
        with pytest.raises(kind) as again:
            p.result()
        assert again.value is raised.value
        if kind is NotFound:
            assert frames_of(again.value)[0][-2:] == ["calls", "look"]


def test_it_leaves_trampoline_and_asyncio(kind):
    for run in trampoline, lambda coroutine: asyncio.run(aio.run(coroutine)):
        with pytest.raises(kind) as raised:
            run(calls(kind, "a"))
        assert raised.value.key == "a"


def test_a_spawned_one_that_nobody_joins_is_reported(core, kind, monkeypatch):
    told = SimpleQueue()
    monkeypatch.setattr(sys, "unraisablehook", told.put)

    def root():
        yield core.spawn(look(kind, "a"))

    t = core.Waiting()
    t.add(root())
    t.run()
    t.close()
    del t
    let_go()
    assert told.get(timeout=5).exc_value.key == "a"


def test_a_consumer_that_fails_before_its_first_yield():
    @consumer
    def fails():
        raise NotFound("first")
        yield

    with pytest.raises(NotFound, match="first"):
        fails()


def test_run_inside_run_shows_one_frame_of_it(core):
    def again():
        with pytest.raises(RuntimeError, match="was called inside itself") as raised:
            t.run()
        yield frames_of(raised.value)

    t = core.Trampoline()
    t.add(again())
    assert t.run() == (["again"], 1)


def test_a_suspend_that_cannot_be_called_is_named(core):
    with pytest.raises(TypeError, match=r"^suspend of .*Wrong is called with a pseudothread, but 5 is not callable$"):

        class Wrong(core.Suspension):
            suspend = 5

    class Right(core.Suspension):
        suspend = property(lambda self: lambda pseudothread: pseudothread.resume(5))

    t = core.Trampoline()
    t.add(catches(KeyError, Right()))
    t.run()
