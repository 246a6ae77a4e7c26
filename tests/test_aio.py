"""A trampoline inside asyncio and uvloop: what may be yielded, whose a coroutine is, what goes over the border, and what is refused."""

import asyncio
import contextvars
import os
import sys
import traceback
from collections.abc import Coroutine

import pytest
from conftest import REFERENCE_COUNTS, collect

import trampoline
from trampoline import aio, call, sleep

since_3_11 = pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout() and TaskGroup came with Python 3.11")


def value(result):
    yield result


def tree(depth):
    if not depth:
        yield 1
    yield (yield tree(depth - 1)) + (yield tree(depth - 1))


async def native(result):
    await asyncio.sleep(0)
    return result


class Own(trampoline.Suspension):
    """Goes on at once with the pseudothread."""

    def suspend(self, pseudothread):
        pseudothread.resume(pseudothread)


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


class Fault(BaseException):
    """An error that `except Exception` does not catch."""


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


def test_the_current_task(inside):
    async def own():
        return asyncio.current_task()

    async def outer():
        task = asyncio.current_task()
        found = await aio.run(main())
        assert found[0] is found[1] is found[3] is task
        assert found[2] is not task

    def callee():
        yield sleep(0)
        return asyncio.current_task()

    def main():
        return asyncio.current_task(), (yield callee()), (yield own()), asyncio.current_task()

    inside(outer())


@since_3_11
def test_timeouts_of_asyncio_inside(inside):
    async def late(wait):
        try:
            async with asyncio.timeout(0.01):
                await wait
        except TimeoutError:
            return asyncio.current_task().cancelling()

    def forever():
        yield sleep(float("inf"))

    def main():
        return [(yield late(asyncio.sleep(60))), (yield late(call(forever()))), (yield late(sleep(60)))]

    assert inside(main()) == [0, 0, 0]
    assert inside(aio.run(late(asyncio.sleep(60)))) == 0


@since_3_11
def test_task_groups_inside(inside):
    log = []

    async def waits():
        try:
            await aio.run(forever())
        finally:
            log.append("waits")

    def forever():
        try:
            yield sleep(60)
        finally:
            log.append("forever")

    async def fails():
        await asyncio.sleep(0.001)
        raise ValueError("no")

    async def group():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(waits())
            tasks.create_task(fails())

    def main():
        try:
            yield group()
        except BaseException as error:
            return error

    error = inside(main())
    assert [type(one) for one in error.exceptions] == [ValueError]
    assert log == ["forever", "waits"]


def test_several_runs_at_once_and_inside_each_other(inside):
    def inner(number):
        yield sleep(0.001 * number)
        return number

    def nested(depth):
        if not depth:
            return (yield inner(1))
        return 1 + (yield aio.run(nested(depth - 1)))

    async def main():
        numbers = await asyncio.gather(*(aio.run(inner(number % 3)) for number in range(30)))
        return numbers, await aio.run(nested(5)), await asyncio.gather(*(aio.run(nested(2)) for _ in range(5)))

    assert inside(main()) == ([number % 3 for number in range(30)], 6, [3] * 5)


def test_context_variables_carry_over(inside):
    variable = contextvars.ContextVar("variable")

    async def reads():
        seen = [variable.get()]
        await asyncio.sleep(0)
        variable.set("set by the async def")
        seen.append(await call(callee()))
        return seen

    def callee():
        yield sleep(0)
        return variable.get()

    def main():
        seen = [variable.get(), (yield callee())]
        variable.set("set by the generator")
        yield asyncio.sleep(0)
        return seen + [variable.get()] + (yield reads()) + [variable.get()]

    async def outer():
        variable.set("set outside")
        seen = await aio.run(main())
        return [*seen, variable.get()]

    mine, by_async = "set by the generator", "set by the async def"
    assert inside(outer()) == ["set outside", "set outside", mine, mine, by_async, mine, mine]


def test_a_pseudothread_with_a_context_of_its_own(inside):
    variable = contextvars.ContextVar("variable", default="nobody's")
    context = contextvars.copy_context()
    context.run(variable.set, "its own")

    async def reads():
        await asyncio.sleep(0)
        return variable.get()

    def child(seen):
        seen.append((yield reads()))
        seen.append(variable.get())

    def main():
        me, seen = (yield Own()), []
        other = me.trampoline.add(child(seen), context=context)
        while not other.done:
            yield sleep(0)
        return [*seen, variable.get()]

    assert inside(main()) == ["its own", "its own", "nobody's"]


def test_async_defs_as_roots_and_in_tail_calls(inside):
    def main():
        me = yield Own()
        other = me.trampoline.add(native("added"))
        assert other.name == "native"
        while not other.done:
            yield sleep(0)
        return other.result(), (yield tail())

    def tail():
        raise trampoline.TailCall(native("instead"))
        yield

    assert inside(main()) == ("added", "instead")


def test_one_that_was_added_may_fail_and_ends_the_run(inside):
    log = []

    async def fails():
        await asyncio.sleep(0)
        raise ValueError("added")

    def main():
        me = yield Own()
        me.trampoline.add(fails())
        try:
            yield asyncio.sleep(60)
        finally:
            log.append("finally")

    with pytest.raises(ValueError, match="added"):
        inside(main())
    assert log == ["finally"]


def test_what_is_left_is_closed_and_what_it_awaited_has_ended(inside):
    log = []

    async def awaited():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            await sleep(0.01)
            log.append("awaited")

    def left():
        try:
            yield awaited()
        finally:
            log.append("left")

    def main():
        me = yield Own()
        me.trampoline.add(left())
        yield asyncio.sleep(0)
        yield sleep(0)
        return "value"

    assert inside(main()) == "value"
    assert log == ["left", "awaited"]


def test_what_cannot_be_run(inside):
    async def main():
        for wrong, text in ((5, "not 5"), (tree, "was not called: write tree"), (None, "not None"), (sleep(1), "write it in a coroutine")):
            with pytest.raises(TypeError, match=text):
                await aio.run(wrong)

    inside(main())


def test_without_a_loop():
    waiting = aio.run(tree(1))
    with pytest.raises(RuntimeError, match="needs a running loop"):
        waiting.send(None)
    with pytest.raises(RuntimeError, match="needs a running loop"):
        trampoline.trampoline(aio.run(tree(1)))


def test_an_awaitable_of_another_loop(inside):
    other = asyncio.new_event_loop()
    foreign = other.create_future()

    def main():
        with pytest.raises(RuntimeError, match="belongs to another loop"):
            yield foreign
        with pytest.raises(RuntimeError, match="loop"):
            yield awaits()

    async def awaits():
        await foreign

    inside(main())
    other.close()


def test_the_task_that_runs_it_cannot_be_awaited_in_it(inside):
    def main():
        with pytest.raises(RuntimeError, match="would wait for itself"):
            yield asyncio.current_task()

    inside(aio.run(main()))


def test_what_the_loop_resumes(inside, park):
    def main():
        return (yield park)

    async def outer():
        task = asyncio.ensure_future(aio.run(main()))
        while not park.parked:
            await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.001, park.last.resume, "resumed")
        return await task

    assert inside(outer()) == "resumed"


def test_a_root_that_is_closed_from_outside(inside, park):
    def main():
        yield park

    async def outer():
        task = asyncio.ensure_future(aio.run(main()))
        while not park.parked:
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        park.last.close()
        with pytest.raises(RuntimeError, match="closed before it had a result"):
            await task

    inside(outer())


def test_a_root_that_is_taken_out_of_the_queue(inside):
    def main():
        me = yield Own()
        me.trampoline.queue.append(lambda: me.trampoline.queue.popleft())
        yield sleep(0)

    with pytest.raises(RuntimeError, match="taken out of the queue"):
        inside(main())


def test_to_stop_it_is_refused(inside):
    def main():
        (yield Own()).trampoline.stop()
        yield sleep(0)

    with pytest.raises(RuntimeError, match="cancel its task"):
        inside(main())


def test_nothing_is_kept_alive(inside):
    class Noted:
        alive = 0

        def __init__(self):
            Noted.alive += 1

        def __del__(self):
            Noted.alive -= 1

    async def holds(noted):
        await asyncio.sleep(0)
        return noted

    def main(noted):
        yield native(1)
        return (yield holds(noted))

    async def fails(noted):
        await call(value(1))
        raise ValueError(noted)

    def failing():
        yield fails(Noted())

    for _ in range(3):
        inside(main(Noted()))
        with pytest.raises(ValueError, match="Noted"):
            inside(failing())
    collect()
    assert Noted.alive == 0


@pytest.mark.parametrize("kind", ["own", "eager"])
def test_the_factory_of_the_loop_makes_the_tasks(inside, kind):
    made = []

    def own(loop, coroutine, **keywords):
        made.append(coroutine.__qualname__)
        return asyncio.Task(coroutine, loop=loop, **keywords)

    def eager(loop, coroutine, **keywords):
        made.append(coroutine.__qualname__)
        return asyncio.Task(coroutine, loop=loop, **{**keywords, "eager_start": True})

    if kind == "eager" and sys.version_info < (3, 12):
        pytest.skip("eager tasks came with Python 3.12")

    async def waits():
        await sleep(0.001)
        return await native(5)

    def main():
        return (yield native(3)), (yield waits())

    async def outer():
        asyncio.get_running_loop().set_task_factory(own if kind == "own" else eager)
        return await aio.run(main())

    assert inside(outer()) == (3, 5)
    assert [name.rpartition(".")[2] for name in made[:2]] == ["native", "waits"]  # then the test shuts the loop down
