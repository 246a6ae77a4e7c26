"""A trampoline inside asyncio and uvloop: what may be yielded, whose a coroutine is, and which errors go over the border."""

import asyncio
import os
import sys
import traceback
from collections.abc import Coroutine

import pytest
from conftest import REFERENCE_COUNTS
from coroutines import value
from inhabitants import Fault
from loops import native, tree

import trampoline
from trampoline import aio, call, sleep


class Awaitable:
    def __init__(self, result):
        self.result = result

    def __await__(self):
        return native(self.result).__await__()


class LikeAiohttps(Coroutine):
    """A coroutine by the class's word, as aiohttp's session.get() returns it."""

    def __init__(self, coroutine):
        self.coroutine = coroutine

    def send(self, sent):
        return self.coroutine.send(sent)

    def throw(self, *error):
        return self.coroutine.throw(*error)

    def close(self):
        self.coroutine.close()

    def __await__(self):
        return (yield from self.coroutine.__await__())


def test_a_call_tree_has_its_value(inside):
    assert inside(tree(9)) == 512


def test_the_root_may_be_an_async_def(inside):
    assert inside(aio.run(native(5))) == 5


def test_what_returns_at_once_or_nothing(inside):
    async def at_once():
        return 5

    def main():
        return (yield at_once()), (yield native(None))

    assert inside(main()) == (5, None)


def future_of(result):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, result)
    return future


def done_future(result):
    future = asyncio.get_running_loop().create_future()
    future.set_result(result)
    return future


@pytest.mark.parametrize(
    "make",
    [
        native,
        future_of,
        done_future,
        Awaitable,
        lambda result: LikeAiohttps(native(result)),
        lambda result: asyncio.get_running_loop().create_task(native(result)),
        lambda result: asyncio.shield(native(result)),
        lambda result: asyncio.wait_for(native(result), 20),
        lambda result: asyncio.wait_for(Awaitable(result), 20),
        lambda result: asyncio.to_thread(lambda: result),
        lambda result: aio.run(value(result)),
        lambda result: aio.run(native(result)),
    ],
)
def test_any_awaitable_may_be_yielded(inside, make):
    def main():
        first = yield make("a")
        second = yield trampoline.timeout(20, callee(make("b")))
        return first, second

    def callee(awaitable):
        return (yield awaitable)

    assert inside(main()) == ("a", "b")


def test_several_at_once(inside):
    def main():
        return (yield asyncio.gather(native(1), native(2), aio.run(value(3)), aio.run(native(4))))

    assert inside(main()) == [1, 2, 3, 4]


def test_the_next_of_an_asynchronous_generator(inside):
    async def numbers():
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    def main():
        several, found = numbers(), []
        try:
            while True:
                found.append((yield several.__anext__()))
        except StopAsyncIteration:
            return found

    assert inside(main()) == [0, 1, 2]


def test_a_generator_may_yield_from_a_future(inside):
    def main():
        first = yield from future_of(1)
        failing = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(failing.set_exception, ValueError("failed"))
        try:
            yield from failing
        except ValueError as error:
            return first, str(error)

    assert inside(main()) == (1, "failed")


@pytest.mark.parametrize("kind", [ValueError, Fault, asyncio.CancelledError, StopAsyncIteration])
def test_an_error_arrives_at_the_yield(inside, kind):
    error = kind("once")

    async def fails():
        await asyncio.sleep(0)
        raise error

    def main():
        try:
            yield fails()
        except kind as raised:
            return raised

    raised = inside(main())
    if kind is asyncio.CancelledError and sys.version_info < (3, 11):
        return  # a task makes another of it there, without the message
    assert raised is error or kind is asyncio.CancelledError
    assert raised.args == ("once",)
    assert raised.__context__ is None


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="PyPy leaves the frame of call() in, into which asyncio's Task, in Python there, throws")
def test_an_error_leaves_with_the_frames_of_the_user_alone(inside):
    async def fails():
        await asyncio.sleep(0)
        await call(generator())

    def generator():
        yield native(1)
        raise ValueError("deep")

    def main():
        yield fails()

    with pytest.raises(ValueError, match="deep") as caught:
        inside(main())
    entries = traceback.extract_tb(caught.tb)
    mine = [index for index, entry in enumerate(entries) if entry.filename == aio.__file__]
    library = os.path.dirname(asyncio.__file__)  # where a Task is written in Python, as on PyPy, its frames are shown
    shown = [entry.name for entry in entries[mine[0] :] if not entry.filename.startswith(library)]
    assert shown == ["run", "main", "fails", "generator"]
    assert caught.value.__context__ is None


def test_an_async_def_may_await_what_is_the_trampolines(inside):
    async def mixed():
        await asyncio.sleep(0)
        await sleep(0)
        await sleep(0.001)
        numbers = [await call(tree(3)), await call(native(2)), await native(3)]
        await asyncio.sleep(0.001)
        return numbers

    def main():
        return (yield mixed()), (yield mixed())

    assert inside(main()) == ([8, 2, 3], [8, 2, 3])
    assert inside(aio.run(mixed())) == [8, 2, 3]


def test_an_error_of_the_trampolines_arrives_in_the_async_def(inside):
    def fails(error):
        yield sleep(0)
        raise error

    async def mixed(error):
        try:
            await call(fails(error))
        except type(error) as raised:
            return raised

    def stops():
        raise StopIteration(5)
        yield

    async def stopped():
        with pytest.raises(RuntimeError, match="StopIteration"):
            await call(stops())
        return 1

    for error in (ValueError("no"), Fault("no")):
        assert inside(aio.run(mixed(error))) is error
    assert inside(aio.run(stopped())) == 1


def test_what_is_nobodys_is_refused_by_the_task(inside):
    class Odd:
        def __await__(self):
            yield 5

    async def asks():
        await Odd()

    with pytest.raises(RuntimeError, match="bad yield: 5"):
        inside(aio.run(asks()))
