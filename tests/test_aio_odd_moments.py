"""Inside asyncio: two things at the same moment. What is cancelled as it ends, or fails as another fails, and what is not lost then."""

import asyncio
import contextlib
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest
from coroutines import Mishap, Own, failing, native, value, waits
from counting import collecting, rows
from loops import FUTURE, needs_named_tasks

from trampoline import aio, call, sleep


class Wrapped(Generator):
    """A generator of a class of the user's."""

    def __init__(self, generator):
        self.send, self.throw = generator.send, generator.throw

    def send(self, value): ...

    def throw(self, *error): ...


def finishes(log, error=None):
    try:
        yield sleep(60)
    finally:
        log.append("finally")
        if error is not None:
            raise error


def test_what_fails_at_the_end_after_the_root_has_failed_is_reported(inside):
    log, told = [], []

    def main():
        me = yield Own()
        me.trampoline.add(finishes(log, Mishap("at the end")))
        yield sleep(0)
        raise KeyError("first")

    async def outer():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        await aio.run(main())

    with pytest.raises(KeyError, match="first"):
        inside(outer())
    assert log == ["finally"]
    assert [(context["message"], str(context["exception"])) for context in told] == [
        ("another error at the end of aio.run()", "at the end")
    ]


def test_what_fails_at_the_end_after_a_root_that_has_not(inside):
    log = []

    def main():
        me = yield Own()
        me.trampoline.add(finishes(log, Mishap("at the end")))
        yield sleep(0)

    with pytest.raises(Mishap, match="at the end"):
        inside(main())
    assert log == ["finally"]


def test_who_is_cancelled_while_it_waits_for_what_is_left_cancels_that_once_more(inside):
    log = []

    async def holds_on():
        try:
            await asyncio.sleep(60)
        finally:
            log.append("cancelled")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError as error:
                log.append(error.args)
                raise

    def main():
        me = yield Own()
        me.trampoline.add(waits(holds_on()))
        yield sleep(0.001)

    async def outer():
        task = asyncio.ensure_future(aio.run(main()))
        while not log:
            await asyncio.sleep(0.001)
        task.cancel("again")
        with pytest.raises(asyncio.CancelledError):
            await task

    inside(outer())
    assert log == ["cancelled", ("again",)]


@pytest.mark.parametrize("ahead", [0, 1])
def test_who_is_cancelled_while_an_error_is_on_its_way_to_it_gets_both(inside, ahead):
    """It never waits, and the time of a slice is up after a turn that raises as often as after one that calls."""
    caught = []

    def fails():
        time.sleep(0.0001)
        raise Mishap
        yield

    def main():
        for _ in range(ahead):
            yield value(1)
        while True:
            try:
                yield fails()
            except Mishap:
                caught.append(1)
            assert len(caught) < 100_000

    async def outer():
        task = asyncio.ensure_future(aio.run(main()))
        await asyncio.sleep(0.005)
        task.cancel("while it computes")
        with pytest.raises(asyncio.CancelledError):
            await task

    inside(outer())
    assert caught


@pytest.mark.parametrize("first", ["foreign", "done"])
def test_who_is_cancelled_while_it_runs_is_cancelled_when_it_waits(inside, first):
    """What cannot be waited for is refused first, and what is done is given at once: neither is a wait."""
    caught, other = [], asyncio.new_event_loop()

    def cancels(task):
        task.cancel("now")
        future = other.create_future()
        if first == "done":
            future = asyncio.get_running_loop().create_future()
            future.set_result("done")
        try:
            caught.append((yield future))
        except RuntimeError as error:
            caught.append(str(error)[:20])
        yield sleep(60)

    async def awaits():
        try:
            await call(cancels(asyncio.current_task()))
        except asyncio.CancelledError as error:
            caught.append(error.args)

    inside(aio.run(waits(awaits())))
    other.close()
    assert caught == [f"cannot wait for <{FUTURE}"[:20] if first == "foreign" else "done", ("now",)]


def test_who_cancels_the_task_that_waits_for_it_and_returns_leaves_it_cancelled(inside):
    """As where a coroutine of asyncio's does so: it never waits, and what awaits it is cancelled."""
    log = []

    def cancels(task):
        task.cancel("by its callee")
        return "lost"
        yield

    async def awaits():
        try:
            await call(cancels(asyncio.current_task()))
        except asyncio.CancelledError as error:
            log.append(error.args)
        return "value"

    assert inside(aio.run(waits(awaits()))) == "value"
    assert log == [("by its callee",)]


def test_a_task_that_is_cancelled_when_what_it_awaits_has_just_ended_is_cancelled(inside):
    log = []

    def main():
        queue = (yield Own()).trampoline.queue

        def ends(task):
            queue.append(task.cancel)  # whose turn is the next, unless the time of the slice is up just then
            return "lost"
            yield

        async def awaits():
            try:
                await call(ends(asyncio.current_task()))
            except asyncio.CancelledError:
                log.append("cancelled")

        for _ in range(100):
            yield awaits()
            if log:
                break

    inside(main())
    assert log == ["cancelled"]


def test_what_an_async_def_awaits_is_closed_by_hand(inside):
    log, held = [], []

    def sleeps():
        held.append((yield Own()))
        yield sleep(60)

    async def awaits():
        try:
            await call(sleeps())
        except asyncio.CancelledError:
            log.append("cancelled")
        return "value"

    def closes():
        while not held or held[0].state != "parked":
            yield sleep(0)
        held[0].close()

    def main():
        me = yield Own()
        me.trampoline.add(closes())
        return (yield awaits())

    assert inside(main()) == "value"
    assert log == ["cancelled"]


@pytest.mark.parametrize("ends", ["close", "throw"])
def test_who_waits_for_a_future_and_is_ended_by_hand_cancels_it(inside, ends):
    def main():
        me, future = (yield Own()), asyncio.get_running_loop().create_future()
        other = me.trampoline.add(waits(future))
        yield sleep(0)
        assert repr(other.waits_for).startswith(f"<await <{FUTURE} pending")
        if ends == "close":
            other.close()
        else:
            other.throw(asyncio.CancelledError())
            with contextlib.suppress(asyncio.CancelledError):
                yield other
        return future.cancelled()

    assert inside(main())


def test_who_is_thrown_into_as_the_task_that_it_awaits_ends_gets_that_error(inside):
    def main():
        me = yield Own()

        async def ends():
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(me.throw, Mishap())  # before the trampoline looks at the task
            return "lost"

        try:
            yield ends()
        except Mishap:
            return (yield value("thrown"))

    assert inside(main()) == "thrown"


async def of_asyncio(log):
    try:
        await asyncio.sleep(0)
        log.append(await call(value("of ours")))
        await call(failing(Mishap()))
    except Mishap:
        return "done"


def test_a_task_factory_that_wraps_what_it_is_given(inside):
    """Its tasks end after what they run: an `async def` that awaits it, as those that measure have it."""
    needs_named_tasks()
    log = []

    async def wrapped(coroutine):
        try:
            return await coroutine
        finally:
            await asyncio.sleep(0)
            log.append("wrapper")

    def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coroutine, **keywords: asyncio.Task(wrapped(coroutine), loop=loop, **keywords))
        got = yield of_asyncio(log)
        with pytest.raises(Mishap):
            yield raises()
        loop.set_task_factory(None)
        return got

    async def raises():
        raise Mishap

    assert inside(main()) == "done"
    assert log == ["of ours", "wrapper", "wrapper"]


def test_what_a_task_factory_never_runs_is_closed(inside):
    """It has not begun, so no `finally` of it runs; and that it was never awaited is not said, for it was closed."""

    def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(refuses)
        with pytest.raises(Mishap, match="no task"):
            yield of_asyncio([])
        loop.set_task_factory(None)
        return "value"

    def refuses(loop, coroutine, **keywords):
        coroutine.close()
        raise Mishap("no task")

    assert inside(main()) == "value"


def test_a_tail_call_of_what_is_no_async_def(inside, core):
    """It stays the trampoline's, of a class of the user's, too."""

    def main():
        raise core.TailCall(Wrapped(value("of ours")))
        yield

    assert inside(main()) == "of ours"


def test_the_reactor_inside_a_loop_can_be_asked_and_knocked(inside):
    """As one that waits by itself; there is nothing to dispatch, the loop does that."""

    def main():
        reactor = (yield Own()).trampoline.reactor
        reactor.dispatch(reactor.poll(0))
        asyncio.get_running_loop().call_later(0.001, reactor.knock)
        yield sleep(0.01)
        return "value"

    assert inside(main()) == "value"


def test_a_future_of_a_thread_pool_may_be_yielded(inside):
    with ThreadPoolExecutor(1) as pool:

        def main():
            return (yield pool.submit(str, 5))

        assert inside(main()) == "5"


def test_what_is_called_is_counted(inside, core):
    """A generator of Python's own, and one of a class of the user's; an `async def` is waited for, and is asyncio's."""

    def main():
        return (yield value(1)) + (yield Wrapped(value(2))) + (yield native(3))

    collector = core.module.Collector(lambda: 0)
    with collecting(core, collector):
        assert inside(main()) == 6
    calls = {path.rpartition("/")[2]: numbers["calls"] for path, numbers in rows(collector, "calls").items() if numbers}
    assert (calls["value"], calls["Wrapped"], calls.get("native")) == (1, 1, None)
