"""A trampoline inside asyncio and uvloop: the current task, timeouts, task groups, context variables, several runs at once."""

import asyncio
import contextvars
import sys

import pytest
from coroutines import Own
from loops import native, needs_named_tasks

import trampoline
from trampoline import aio, call, sleep

since_3_11 = pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout() and TaskGroup came with Python 3.11")


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
    needs_named_tasks()

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
