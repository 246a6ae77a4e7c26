"""Functions that block, on threads of a pool: `in_thread()`."""

from __future__ import annotations

from trampoline._base import Suspension, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

    from trampoline._core import core


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

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        function, args, kwargs = self._call
        self._pseudothread = pseudothread
        self._future = pseudothread.trampoline._pool.submit(function, *args, **kwargs)
        self._future.add_done_callback(self._done)

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> None:
        if self._future is not None:
            self._future.cancel()

    def _done(self, future: Future[Any]) -> None:
        # On the pool's thread: between a look and a resume here the pseudothread might be thrown into there.
        self._pseudothread.trampoline._post(self._ready)

    def _ready(self) -> None:
        if self._pseudothread.waits_for is not self or self._future is None:
            return
        future, self._future = self._future, None
        error = future.exception()
        if error is None:
            self._pseudothread.resume(future.result())
        else:
            self._pseudothread.throw(error)

    def __repr__(self) -> str:
        return f"in_thread({', '.join(describe(argument) for argument in (self._call[0], *self._call[1]))})"
