"""What is a coroutine, and called, and what is not, and a result."""

import asyncio
import collections.abc
import contextvars
import sys
import types

import pytest
from coroutines import failing, native, returned, value


class Plain(collections.abc.Generator):
    """A coroutine that is neither a generator nor native, and has no other method."""

    def __init__(self, result):
        self.result = result

    def send(self, sent):
        return self.result

    def throw(self, kind, value=None, traceback=None):
        raise kind


class Awaited(collections.abc.Coroutine):
    def __init__(self, result):
        self.result = result

    def __await__(self):
        return self

    def send(self, sent):
        raise StopIteration(self.result)

    def throw(self, kind, value=None, traceback=None):
        raise kind

    def close(self):
        pass


@pytest.mark.parametrize("make", [value, returned, native, Plain, Awaited])
def test_every_kind_of_coroutine_is_called(core, make):
    def root():
        got = yield make(5)
        yield got + 1

    t = core.Trampoline()
    t.add(root())
    assert t.run() == 6
    alone = t.add(make(7))
    assert t.run() == alone.result() == 7


async def agen():
    yield 1


@pytest.mark.parametrize("what", [None, 0, "text", (), [1], value, native, agen, iter([1]), range(3), object, Ellipsis, Plain, 1.5])
def test_anything_else_is_a_result(core, what):
    def root():
        yield [(yield value(what))]

    t = core.Trampoline()
    t.add(root())
    (got,) = t.run()
    assert got is what


def test_a_stop_iteration_is_an_error_of_a_generator_and_the_return_of_a_class(core):
    t = core.Trampoline()
    t.add(failing(StopIteration(1)))
    with pytest.raises(RuntimeError, match="StopIteration"):
        t.run()
    t.add(Awaited("returned"))
    assert t.run() == "returned"


class Forgets(collections.abc.Generator):
    """As one that Cython made: at its end it has no name any more."""

    def __init__(self, error=None):
        self.__qualname__, self.error = "compiled", error

    def send(self, sent):
        self.__qualname__ = None
        if self.error is not None:
            raise self.error
        raise StopIteration(5)

    def throw(self, kind, value=None, traceback=None):
        self.__qualname__ = None
        raise kind


STARTS = {
    "add": lambda core, t, coroutine: t.add(coroutine),
    "add with a context": lambda core, t, coroutine: t.add(coroutine, context=contextvars.copy_context()),
    "spawn": lambda core, t, coroutine: t.spawn(coroutine),
    "schedule": lambda core, t, coroutine: t.schedule(coroutine),
    "schedule with a stack": lambda core, t, coroutine: t.schedule(value(1), (Plain(2), (coroutine, ()))),
}


@pytest.mark.parametrize("how", STARTS)
def test_a_root_that_forgets_its_name_keeps_it_in_reports(core, how):
    t = core.Trampoline()
    p = STARTS[how](core, t, Forgets())
    assert p.name == "compiled"
    t.run()
    assert (p.name, repr(p)) == ("compiled", "<Pseudothread 'compiled' ended>")
    closed = STARTS[how](core, t, Forgets())
    closed.close()
    assert closed.name == "compiled"
    assert t.add(Forgets(), name="given").name == "given"


def test_so_does_one_that_is_spawned_by_a_yield(core):
    def root():
        p = yield core.spawn(Forgets())
        yield p
        return p.name

    t = core.Waiting()
    t.add(root())
    assert t.run() == "compiled"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes")
def test_its_error_names_it(core):
    t = core.Trampoline()
    t.add(Forgets(KeyError("of the root")))
    with pytest.raises(KeyError) as raised:
        t.run()
    assert raised.value.__notes__[0].startswith("in pseudothread 'compiled', added at ")


async def polls(log):
    try:
        await asyncio.sleep(0)
    except TypeError as error:
        log.append(str(error))
    return "end"


@pytest.mark.parametrize("called", [False, True], ids=["root", "callee"])
def test_what_awaits_a_round_of_asyncio(core, called):
    """It was a result before its time: the rest of the coroutine was never run, and nobody was told."""

    def caller():
        return (yield polls(log))

    log, t = [], core.Waiting()
    t.add(caller() if called else polls(log))
    assert t.run() == "end"
    assert len(log) == 1
    assert "asyncio.sleep(0)" in log[0]
    assert "trampoline.aio.run" in log[0]


def test_what_awaits_another_value_has_it_as_a_result(core):
    @types.coroutine
    def yields(value):
        yield value

    async def native():
        await yields(3)

    t = core.Waiting()
    t.add(native())
    assert t.run() == 3
