"""A trampoline inside asyncio: `value = await aio.run(coroutine)`, in any running loop, uvloop's too.

The trampoline makes its turns in the task that awaits `run()`, a millisecond of them at a time, so that the loop's other tasks go on; its
sockets and deadlines are the loop's. While all its pseudothreads wait it takes no time at all.

Generators are the trampoline's. All else that can be awaited is asyncio's: a coroutine of an `async def`, a future, a task, what aiohttp's
`session.get(url)` returns. A generator yields it, `response = yield session.get(url)`, and it runs in a task of its own, to which the
`current_task()`, `timeout()` and `TaskGroup` inside it belong. An `async def` that was called so may in turn await what is the
trampoline's: a suspension, `call(generator())`, a pseudothread.
"""

from __future__ import annotations

import asyncio

from trampoline._base import no_coroutine
from trampoline._core import core
from trampoline._errors import get_context, set_context
from trampoline._guest import Guest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from trampoline._base import AnyCoroutine

    T = TypeVar("T")

__all__ = ["run"]


class _Trampoline(Guest, core.BaseTrampoline):
    """The trampoline of one `run()`."""


async def run(coroutine: AnyCoroutine[T]) -> T:
    """Run `coroutine` by a trampoline of its own inside the running loop, and return its value or raise its error.

    When the task that awaits it is cancelled, CancelledError is raised where `coroutine` waits, or as soon as it waits next; one that only
    computes gets it between two turns, after a millisecond. Whatever it then does counts: it may clean up, and wait for that, or go on.
    What it had added and is left when it ends is closed, and what that awaited is cancelled and waited for.

    TypeError if it is no coroutine; RuntimeError without a running loop, and for an awaitable of another loop, where it is yielded. There
    is no Deadlock: what nothing else can wake may be cancelled.
    """
    if not core.is_coroutine(coroutine):
        raise no_coroutine("aio.run()", coroutine)
    guest = _Trampoline(_running_loop())
    root = guest._rooted(coroutine)
    try:
        failure = await guest._drive(root)
    except BaseException as raised:  # GeneratorExit, where the loop is given up: nothing can be waited for any more. Or Ctrl-C
        guest._closed(raised)
        raise
    finally:
        guest.reactor.close()
    if failure is None:
        value: T = root.result()
        return value
    context = get_context(failure)
    try:
        raise failure
    finally:
        set_context(failure, context)
        del failure, context, root, guest


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        pass
    raise RuntimeError(
        "aio.run() needs a running loop: await it in a coroutine that asyncio runs, or write asyncio.run(aio.run(...)); "
        "without asyncio Trampoline().run() does"
    )
