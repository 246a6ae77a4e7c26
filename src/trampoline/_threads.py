"""Functions that block, on threads of a pool: `in_thread()`; and the reactor, which any thread may make."""

from __future__ import annotations

import os
from _thread import RLock
from functools import partial
from weakref import WeakValueDictionary

from trampoline._base import Suspension, describe, resumed, thrown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor
    from typing import Any

    from trampoline._core import core
    from trampoline._reactor import Reactor
    from trampoline._trampoline import Layer

_with_pools: WeakValueDictionary[int, Layer] = WeakValueDictionary()  # by their identity: a subclass may compare as it likes


class in_thread(Suspension):
    """Call a function that blocks on a thread of the trampoline's pool, and wait for it: `text = yield in_thread(path.read_text)`.

    What it returns or raises, whatever the class of the error, arrives at the yield. Whoever waits may be thrown into or closed meanwhile:
    a call that has not begun is dropped then, one that has runs on and its outcome is dropped. TypeError if it is not callable.
    """

    __slots__ = ("_call", "_future", "_pseudothread")

    external = True

    def __init__(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        if not callable(function):
            raise TypeError(f"in_thread() takes a function, not {describe(function)}: write in_thread(f, x), not in_thread(f(x))")
        self._call = function, args, kwargs
        self._future: Future[Any] | None = None
        self._pseudothread: core.Pseudothread[Any] | None = None

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        function, args, kwargs = self._call
        earlier = self._pseudothread
        if earlier is not None and earlier is not pseudothread and earlier.waits_for is self:
            raise RuntimeError(f"another pseudothread waits for this {self!r} already: make one for each call")
        self._pseudothread = pseudothread
        self._future = pseudothread.trampoline._pool.submit(function, *args, **kwargs)
        self._future.add_done_callback(self._done)
        if pseudothread.waits_for is not self:
            self.withdraw(pseudothread)  # again: another thread, or a signal handler, has thrown into it before there was a future

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> None:
        future, self._future, self._pseudothread = self._future, None, None
        if future is not None:
            future.cancel()

    def _done(self, future: Future[Any]) -> None:
        # On the pool's thread: between a look and a resume here the pseudothread might be thrown into there.
        pseudothread = self._pseudothread
        if pseudothread is not None:
            pseudothread.trampoline._post(partial(self._ready, future))

    def _ready(self, future: Future[Any]) -> None:
        pseudothread = self._pseudothread
        if self._future is not future or pseudothread is None:  # withdrawn; or called anew
            return
        error = future.exception()
        if error is None:
            resumed(pseudothread, self, future.result())
        else:
            thrown(pseudothread, self, error)
        self._future = self._pseudothread = None  # last: where Ctrl-C strikes before, this is called again

    def _lose(self) -> None:
        """Have an error told instead: after a fork, in the child, where the future must not be touched. A thread may have had its lock."""
        pseudothread, self._future = self._pseudothread, None
        if pseudothread is not None:
            pseudothread.trampoline._post(partial(self._lost, pseudothread))

    def _lost(self, pseudothread: core.Pseudothread[Any]) -> None:
        if self._pseudothread is pseudothread and self._future is None:
            lost = RuntimeError(f"{self!r} was begun before a fork: its thread lives on in the parent alone. Call it again, here")
            thrown(pseudothread, self, lost)

    def __repr__(self) -> str:
        arguments = [describe(argument) for argument in (self._call[0], *self._call[1])]
        return f"in_thread({', '.join(arguments + [f'{name}={describe(value)}' for name, value in self._call[2].items()])})"


def pool_of(trampoline: Layer) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    _with_pools[id(trampoline)] = trampoline
    return ThreadPoolExecutor(thread_name_prefix="trampoline")


def reactor_of(trampoline: Layer) -> Reactor:
    """Return the reactor of `trampoline`. Of several threads, those that make turns by hand, say, one makes it."""
    from trampoline._reactor import Reactor

    own = vars(trampoline)
    with own.setdefault("_making", RLock()):
        made: Reactor | None = own.get("reactor")
        if made is None:
            timers = trampoline._begin_time(trampoline._clock) if trampoline._timers is None else trampoline._timers
            made = own["reactor"] = Reactor(trampoline._clock, _timers=timers)
    own.pop("_making", None)  # who waits for it has it
    return made


def _after_fork() -> None:
    for trampoline in list(_with_pools.values()):
        vars(trampoline).pop("_pool", None)
        for pseudothread in trampoline._all_parked():
            if isinstance(pseudothread.waits_for, in_thread):
                pseudothread.waits_for._lose()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
