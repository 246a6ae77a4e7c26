"""What is a coroutine, and called, and what is not, and a result."""

import collections.abc

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
