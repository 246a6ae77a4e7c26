"""Cancelling over the border between a trampoline and asyncio, both ways: who is told, that `finally` blocks run, what is counted."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from conftest import REFERENCE_COUNTS

import trampoline
from trampoline import aio, call, sleep

since_3_11 = pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout(), TaskGroup and uncancel() came with Python 3.11")
forever = float("inf")


class Own(trampoline.Suspension):
    """Goes on at once with the pseudothread."""

    def suspend(self, pseudothread):
        pseudothread.resume(pseudothread)


def computes(log):
    """Only calls, and never waits."""
    try:
        while True:
            yield one()
    except asyncio.CancelledError:
        log.append("cancelled")
        raise
    finally:
        log.append("computed")


def one():
    yield 1


async def waits(log, name="waits", begun=None):
    if begun is not None:
        begun.append(True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        log.append(f"{name} cancelled")
        raise
    finally:
        await asyncio.sleep(0)
        log.append(f"{name} finally")


def sleeps(log):
    try:
        yield sleep(forever)
    except asyncio.CancelledError as error:
        log.append(f"cancelled {error}")
        raise
    finally:
        yield sleep(0.001)
        log.append("finally")


async def until(log, length=1):
    """Let the loop go on until so much was logged."""
    while len(log) < length:
        await asyncio.sleep(0)


async def cancelled(task, *message):
    task.cancel(*message)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def begun(coroutine):
    """Run it in a task, until it waits."""
    task = asyncio.ensure_future(aio.run(coroutine))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    return task


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


def test_what_is_awaited_is_cancelled_by_somebody_else(inside):
    async def main():
        future = asyncio.get_running_loop().create_future()

        def generator():
            try:
                yield future
            except asyncio.CancelledError as error:
                return str(error)

        task = await begun(generator())
        future.cancel("by somebody")
        assert await task == "by somebody"

    inside(main())


def test_a_generator_that_raises_it_cancels_the_task(inside):
    def generator():
        yield sleep(0)
        raise asyncio.CancelledError("myself")

    async def main():
        task = asyncio.ensure_future(aio.run(generator()))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    inside(main())


def test_a_pseudothread_that_is_closed_or_thrown_into_cancels_what_it_awaits(inside):
    def child(log, begun):
        try:
            yield waits(log, begun=begun)
        finally:
            log.append("child")

    def main(log, end):
        me, begun = (yield Own()), []
        other = me.trampoline.add(child(log, begun))
        while not begun:
            yield sleep(0)
        end(other)
        while not other.done:
            yield sleep(0)

    log = []
    inside(main(log, lambda other: other.close()))
    assert log == ["child", "waits cancelled", "waits finally"]
    log = []
    with pytest.raises(KeyError):
        inside(main(log, lambda other: other.throw(KeyError("thrown"))))
    assert log[0] == "child"
    assert log[1:] == ["waits cancelled", "waits finally"]


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="PyPy tells of the error of a task that nobody holds when it is collected")
def test_an_error_that_nobody_waits_for_is_reported(inside):
    begun = []

    async def fails():
        begun.append(True)
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("in finally")

    def child():
        yield fails()

    def main():
        me = yield Own()
        me.trampoline.add(child())
        while not begun:
            yield sleep(0)

    with pytest.raises(AssertionError, match="reported"):
        inside(main())
    assert [str(told["exception"]) for told in inside.reported] == ["in finally"]


def scenario(log):
    """A bit of everything; each that begins must end."""

    async def native(depth):
        log.append(f"+native {depth}")
        try:
            await asyncio.sleep(0)
            await sleep(0)
            if depth:
                await call(generator(depth - 1))
                await aio.run(generator(depth - 1))
        finally:
            try:  # what cancels it may strike here
                await asyncio.sleep(0)
            finally:
                log.append(f"-native {depth}")

    def generator(depth):
        log.append(f"+generator {depth}")
        try:
            yield sleep(0)
            yield one()
            yield native(depth)
            yield trampoline.timeout(60, asyncio.sleep(0))
            yield asyncio.gather(aio.run(leaf()), aio.run(leaf())) if not depth else sleep(0)
        finally:
            try:
                yield sleep(0)
            finally:
                log.append(f"-generator {depth}")

    def leaf():
        yield native(0)

    return generator(1)


@pytest.mark.parametrize("times", [1, 2])
def test_cancelled_at_any_moment(inside, times):
    async def main(after):
        log = []
        task = asyncio.ensure_future(aio.run(scenario(log)))
        for _ in range(times):
            for _ in range(after):
                await asyncio.sleep(0)
            task.cancel()
        done, _ = await asyncio.wait([task], timeout=20)
        assert done, log
        return log, task.cancelled()

    ends, after = [], 0
    while not ends or ends[-1]:
        log, was_cancelled = inside(main(after))
        ends.append(was_cancelled)
        assert sorted(line[1:] for line in log if line[0] == "+") == sorted(line[1:] for line in log if line[0] == "-")
        after += 1
        assert after < 1000
    assert after > 20


def test_the_loop_is_given_up(inside):
    log = []

    def generator():
        try:
            yield sleep(60)
        finally:
            log.append("generator")

    async def main():
        running = aio.run(generator())
        running.send(None)
        running.close()

    inside(main())
    assert log == ["generator"]


CTRL_C = """
import asyncio, os, signal, sys
import trampoline
from trampoline import aio

def one():
    yield 1

async def native():
    try:
        await asyncio.sleep(60)
    finally:
        print("native", flush=True)

def main():
    try:
        print("begun", flush=True)
        if WHAT == "computes":
            while True:
                yield one()
        elif WHAT == "sleeps":
            yield trampoline.sleep(60)
        else:
            yield native()
    finally:
        print("finally", flush=True)

async def outer():
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
    await aio.run(main())

if LOOP == "uvloop":
    import uvloop
    uvloop.install()
try:
    asyncio.run(outer())
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or sys.platform == "win32", reason="sends itself SIGINT")
@pytest.mark.parametrize("what", ["computes", "sleeps", "awaits"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_ctrl_c(core, what, loop):
    if loop == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is an extra: not on Windows and PyPy")
        if sys.version_info >= (3, 14):
            pytest.skip("uvloop.install() is deprecated there")
    script = f"WHAT, LOOP = {what!r}, {loop!r}\n" + textwrap.dedent(CTRL_C)
    environment = {"TRAMPOLINE_NO_EXTENSIONS": "1"} if core.name == "python" else {}
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, env={**os.environ, **environment}, check=False
    )
    lines = ran.stdout.split()
    assert lines[0] == "begun", ran.stderr
    assert lines[-1] == "interrupted", ran.stderr
    assert lines.count("finally") == 1
    assert lines.count("native") == (what == "awaits")
