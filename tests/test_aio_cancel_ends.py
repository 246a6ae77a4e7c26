"""Cancelling over the border between a trampoline and asyncio at odd moments: by others, by an error, by the loop's end, by Ctrl-C."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from cancelling import begun, one, waits
from conftest import REFERENCE_COUNTS, collect
from coroutines import Own

import trampoline
from trampoline import aio, call, sleep

REPORTS_AT_ONCE = REFERENCE_COUNTS and sys.platform != "emscripten"  # the error of a task that nobody holds; Pyodide's loop still holds it


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

    with pytest.raises(AssertionError, match="reported") if REPORTS_AT_ONCE else contextlib.nullcontext():
        inside(main())
    collect()
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
