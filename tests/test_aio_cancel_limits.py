"""Cancelling over the border between a trampoline and asyncio by asyncio's timeouts and task groups, and by our timeout."""

import asyncio
import sys

import pytest
from cancelling import computes, sleeps, waits

import trampoline
from trampoline import aio, call, sleep

since_3_11 = pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout(), TaskGroup and uncancel() came with Python 3.11")


@since_3_11
def test_the_counts_of_uncancel(inside):
    async def takes_it_back(times):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            for _ in range(times):
                asyncio.current_task().uncancel()
        return asyncio.current_task().cancelling()

    def generator_takes_it_back():
        try:
            yield sleep(60)
        except asyncio.CancelledError:
            return asyncio.current_task().uncancel()

    async def main(make, expected):
        async def outer():
            inner = await aio.run(make())
            return inner, asyncio.current_task().cancelling()

        task = asyncio.ensure_future(outer())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        assert await task == expected

    inside(main(lambda: takes_it_back(1), (0, 0)))
    inside(main(lambda: takes_it_back(0), (1, 1)))
    inside(main(generator_takes_it_back, (0, 0)))


@since_3_11
@pytest.mark.parametrize("make", [sleeps, waits, computes])
def test_a_timeout_of_asyncio_around_it(inside, make):
    async def main():
        log = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await aio.run(make(log))
        assert len(log) == 2
        assert asyncio.current_task().cancelling() == 0

    inside(main())


@since_3_11
def test_a_task_group_around_it(inside):
    async def fails():
        await asyncio.sleep(0.001)
        raise ValueError("no")

    async def group(log):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(aio.run(sleeps(log)))
            tasks.create_task(fails())
            await aio.run(waits(log))

    async def main():
        log = []
        with pytest.raises(ExceptionGroup) as caught:  # noqa: F821 -- Python 3.11
            await group(log)
        assert [str(error) for error in caught.value.exceptions] == ["no"]
        assert sorted(log) == ["cancelled ", "finally", "waits cancelled", "waits finally"]
        assert asyncio.current_task().cancelling() == 0

    inside(main())


@since_3_11
def test_nested_timeouts_of_asyncio_end_their_own(inside):
    async def native(log):
        try:
            async with asyncio.timeout(0.01):
                await call(sleeps(log))
        except TimeoutError:
            log.append("inner")
        await asyncio.sleep(60)

    def generator(log):
        yield native(log)

    async def main():
        log = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await aio.run(generator(log))
        assert log == ["cancelled ", "finally", "inner"]

    inside(main())


def test_our_timeout_waits_for_the_end_of_what_it_cancels(inside):
    def main():
        log = []
        try:
            yield trampoline.timeout(0.01, waits(log))
        except TimeoutError:
            log.append("late")
        return log

    assert inside(main()) == ["waits cancelled", "waits finally", "late"]


def test_our_timeout_around_one_that_goes_on_and_one_that_fails(inside):
    async def stubborn():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "value"

    async def fails():
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("in finally")

    def main():
        with pytest.raises(TimeoutError):
            yield trampoline.timeout(0.01, stubborn())
        with pytest.raises(ValueError, match="in finally"):
            yield trampoline.timeout(0.01, fails())
        return (yield trampoline.timeout(60, asyncio.sleep(0, "in time")))

    assert inside(main()) == "in time"


def test_our_timeout_of_no_time_and_a_coroutine_that_was_never_begun(inside):
    def main():
        with pytest.raises(TimeoutError):
            yield trampoline.timeout(0, asyncio.sleep(60))

    inside(main())
