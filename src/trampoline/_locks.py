"""`Lock` and `Semaphore`: what one pseudothread at a time can have, or so many."""

from __future__ import annotations

from types import coroutine

from trampoline._base import own_codes
from trampoline._core import core
from trampoline._synchronising import Waited
from trampoline._waited import counted, in_two_threads, is_of_this_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator
    from typing import Any


@coroutine
def _enter(self: Waited) -> Generator[Any, Any, Held]:
    """Wait for it: what `await self` does, with a call and a look-up less."""
    return (yield self)  # type: ignore[no-any-return]


own_codes.add(_enter.__code__)


class Had(Waited):
    """What is had for as long as a `with` block lasts."""

    __slots__ = ()

    def release(self) -> None:
        raise NotImplementedError

    __aenter__ = _enter

    def __aexit__(self, kind: object, error: object, traceback: object, /) -> Awaitable[None]:
        self.release()
        return DONE

    if TYPE_CHECKING:

        def __iter__(self) -> Generator[Any, Any, Held]: ...

        __await__ = __iter__
    else:

        def __enter__(self):
            raise TypeError(f"`with` does not wait for {self!r}: write `with (yield lock):`, or `async with lock:` in an `async def`")

        def __exit__(self, kind, error, traceback, /):
            """Python looks for it before the other."""


class Lock(Had):
    """What one pseudothread at a time can have: `with (yield lock):`, or `async with lock:`, gives it back at the end.

    A free lock is had at once, without a turn of others. `release()` gives it to the one that has waited longest, so nobody overtakes.
    To ask again for a lock that one has is a RuntimeError: it would never be had.
    """

    __slots__ = ("_holder",)

    def __init__(self) -> None:
        super().__init__()
        self._holder: core.Pseudothread[Any] | None = None

    @property
    def holder(self) -> core.Pseudothread[Any] | None:
        """The pseudothread that has it, or None."""
        return self._holder

    def at_once(self, pseudothread: core.Pseudothread[Any]) -> Any:
        holder = self._holder
        if holder is None:
            held = Held(self)
            self._holder = pseudothread
            return held
        return NotImplemented

    def _refusal(self, pseudothread: core.Pseudothread[Any]) -> Exception | None:
        holder = self._holder
        if holder is pseudothread:
            return RuntimeError(f"{pseudothread.name!r} asks for {self!r}, which it has already: it would wait for itself")
        return None if holder is None or is_of_this_thread(holder) else in_two_threads(self, holder)

    def release(self) -> None:
        """Give it back, to the one that has waited longest.

        RuntimeError if nobody has it, and if another than the running pseudothread does. What has ended cannot give it back itself.
        """
        holder = self._holder
        if holder is None:
            raise RuntimeError(f"cannot release {self!r}: nobody has it")
        if holder.state != "running" and not holder.done and not any(map(_is_running, holder.stack)):
            raise RuntimeError(f"cannot release {self!r}: only {holder.name!r}, which has it, can")
        if self._waiters:
            self._pass_on()
        else:
            self._holder = None

    def take_back(self, pseudothread: core.Pseudothread[Any], value: object) -> None:
        if self._holder is pseudothread:
            self._pass_on()

    def _pass_on(self) -> None:
        waiter = self._first()
        if waiter is None:
            self._holder = None
            return
        del self._waiters[waiter]
        self._holder = waiter
        waiter.resume(Held(self))

    def __repr__(self) -> str:
        holder = self._holder
        if holder is None:
            return self._told("free")
        return self._told(f"held by {holder.name!r}" + (", which has ended" if holder.done else ""))


class Semaphore(Had):
    """What `value` pseudothreads at a time can have: `with (yield semaphore):`, or `async with semaphore:`, gives it back at the end.

    While some is left it is had at once. Anybody may `release()`, also without having had it: that leaves one more. TypeError if
    `value` is no integer, ValueError if it is below zero.
    """

    __slots__ = ("_value",)

    def __init__(self, value: int = 1) -> None:
        super().__init__()
        self._value = counted("Semaphore()", value)

    @property
    def value(self) -> int:
        """How many can have it now without waiting."""
        return self._value

    def at_once(self, pseudothread: core.Pseudothread[Any]) -> Any:
        if not self._value:
            return NotImplemented
        held = Held(self)
        self._value -= 1
        return held

    def release(self) -> None:
        """Give one back, to the one that has waited longest."""
        waiter = self._first() if self._waiters else None
        if waiter is None:
            self._value += 1
            return
        del self._waiters[waiter]
        waiter.resume(Held(self))

    def take_back(self, pseudothread: core.Pseudothread[Any], value: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return self._told(f"{self._value} left")


class Held:
    """What `yield lock` and `yield semaphore` give: the end of a `with` block releases it."""

    __slots__ = ("_waited",)

    def __init__(self, waited: Had) -> None:
        self._waited = waited

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object, /) -> None:
        self._waited.release()

    def __repr__(self) -> str:
        return f"<held: {self._waited!r}>"


def _is_running(coroutine: object) -> bool:
    """Return whether it is: of a pseudothread that is not, it is being closed by the garbage collector."""
    return bool(getattr(coroutine, "gi_running", False) or getattr(coroutine, "cr_running", False))


@coroutine
def _done() -> Generator[Any, Any, None]:
    return
    yield


DONE = _done()  # has ended after this, so that to await it, however often, gives None at once
DONE.close()  # pyright: ignore[reportAttributeAccessIssue]

if hasattr(core, "_know_locks"):  # the core in C
    core._know_locks(Lock, Semaphore, Held)  # pyright: ignore[reportAttributeAccessIssue]
