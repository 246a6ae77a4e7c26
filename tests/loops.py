"""Loops to run a trampoline in, for the tests of `trampoline.aio`."""

import asyncio
import inspect
import sys

import pytest

from trampoline import aio
from trampoline._guest import Guest

FUTURE = "PyodideFuture" if sys.platform == "emscripten" else "Future"  # what a loop makes


def needs_named_tasks():
    """Skip a test whose loop cannot use a factory of tasks."""
    if sys.platform == "emscripten" and not hasattr(asyncio.tasks, "_set_task_name"):
        pytest.skip("Pyodide's loop gives what a factory made its name by asyncio.tasks._set_task_name(), which is no more")


def on_core(core, monkeypatch):
    """Have `aio.run()` use that core."""
    monkeypatch.setattr(aio, "_Trampoline", type("Trampoline", (Guest, core.module.BaseTrampoline), {}))


class Inside:
    """asyncio or uvloop, with `aio.run()` on one core. Each run has a limit, and must leave no task and report nothing."""

    SAFETY = 30  # seconds

    def __init__(self, new_event_loop):
        self.new_event_loop = new_event_loop
        self.reported = []

    def __call__(self, coroutine):
        """Run a coroutine in a loop of its own: the trampoline's by `aio.run()`, an `async def` as it is."""
        if not inspect.iscoroutine(coroutine):
            coroutine = aio.run(coroutine)
        running = asyncio._get_running_loop()  # None; in Pyodide one always runs, which a new one puts itself in the place of
        loop = self.new_event_loop()
        loop.set_exception_handler(lambda loop, told: self.reported.append(told))
        try:
            value = loop.run_until_complete(asyncio.wait_for(coroutine, self.SAFETY))
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=self.SAFETY))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            asyncio._set_running_loop(running)
        assert not left, f"left: {left}"
        assert not self.reported, f"reported: {self.reported}"
        return value


def tree(depth):
    if not depth:
        yield 1
    yield (yield tree(depth - 1)) + (yield tree(depth - 1))


async def native(result):
    await asyncio.sleep(0)
    return result
