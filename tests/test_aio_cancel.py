"""Cancelling over the border between a trampoline and asyncio, both ways: who is told, and that `finally` blocks run."""

import asyncio

import pytest
from cancelling import begun, computes, one, sleeps, waits

from trampoline import aio, call, sleep


async def until(log, length=1):
    """Let the loop go on until so much was logged."""
    while len(log) < length:
        await asyncio.sleep(0)


async def cancelled(task, *message):
    task.cancel(*message)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


def test_the_task_is_cancelled_and_a_suspension_is_waited_for(inside):
    async def main():
        log = []
        await cancelled(await begun(sleeps(log)), "please")
        assert log == ["cancelled please", "finally"]

    inside(main())


def test_the_task_is_cancelled_and_an_awaitable_is_waited_for(inside):
    def generator(log):
        try:
            yield waits(log)
        except asyncio.CancelledError:
            log.append("generator")
            raise

    async def main():
        log = []
        await cancelled(await begun(generator(log)))
        assert log == ["waits cancelled", "waits finally", "generator"]

    inside(main())


def test_the_task_is_cancelled_before_it_begins(inside):
    async def main():
        log = []
        task = asyncio.ensure_future(aio.run(sleeps(log)))
        await cancelled(task)
        assert log == []

    inside(main())


def test_deep_inside_and_through_both(inside):
    def outer(log):
        try:
            yield native(log)
        finally:
            log.append("outer")

    async def native(log):
        try:
            await call(middle(log))
        finally:
            await sleep(0.001)
            log.append("native")

    def middle(log):
        try:
            yield aio.run(sleeps(log))
        finally:
            log.append("middle")

    async def main():
        log = []
        task = await begun(outer(log))
        await asyncio.sleep(0.01)
        await cancelled(task, "all")
        assert log == ["cancelled all", "finally", "middle", "native", "outer"]

    inside(main())


def test_one_that_computes_is_cancelled_too(inside):
    async def main():
        log = []
        await cancelled(await begun(computes(log)))
        assert log == ["cancelled", "computed"]

    inside(main())


def test_one_that_computes_for_an_async_def_is_cancelled_too(inside):
    async def native(log):
        await call(computes(log))

    async def main():
        log = []
        await cancelled(await begun(native(log)))
        assert log == ["cancelled", "computed"]

    inside(main())


def test_one_that_computes_and_then_ends_does_not_lose_it(inside):
    def cancels():
        yield one()
        asyncio.current_task().cancel()
        yield one()
        return "value"

    async def main():
        task = asyncio.ensure_future(aio.run(cancels()))
        with pytest.raises(asyncio.CancelledError):
            await task

    inside(main())


def test_what_it_waited_for_and_has_happened_is_given_first(inside):
    async def main():
        loop, log = asyncio.get_running_loop(), []
        future = loop.create_future()

        def takes():
            log.append((yield future))
            try:
                yield sleep(0)
            finally:
                log.append("cancelled")

        task = await begun(takes())
        future.set_result("taken")
        await cancelled(task)
        assert log == ["taken", "cancelled"]

    inside(main())


def test_a_generator_may_go_on(inside):
    def stubborn(log):
        for _ in range(3):
            try:
                yield asyncio.sleep(60)
            except asyncio.CancelledError:
                log.append("cancelled")
        return "value"

    async def main():
        log = []
        task = await begun(stubborn(log))
        for count in range(1, 4):
            task.cancel()
            await until(log, count)
        assert await task == "value"

    inside(main())


def test_an_async_def_may_go_on(inside):
    async def stubborn():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "value"

    def generator():
        return (yield stubborn())

    async def main():
        for coroutine in (generator(), stubborn()):
            task = await begun(coroutine)
            task.cancel()
            assert await task == "value"

    inside(main())
