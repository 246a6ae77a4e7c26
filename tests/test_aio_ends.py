"""A trampoline inside asyncio and uvloop: what is closed and left, what is refused, and that nothing is kept alive."""

import asyncio
import sys

import pytest
from conftest import collect
from coroutines import Own, value
from loops import native, tree

import trampoline
from trampoline import aio, call, sleep


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
    if asyncio._get_running_loop() is not None:
        pytest.skip("Pyodide's loop runs wherever there is Python")
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
    if sys.platform == "emscripten":
        sys.last_exc = sys.last_value = sys.last_traceback = None  # what run_until_complete() raises came through JavaScript
    collect()
    assert Noted.alive == 0
