"""What is cancelled, and who cancels it, for the tests of `trampoline.aio`."""

import asyncio

from trampoline import aio, sleep

forever = float("inf")


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


async def begun(coroutine):
    """Run it in a task, until it waits."""
    task = asyncio.ensure_future(aio.run(coroutine))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    return task
