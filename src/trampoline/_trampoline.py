"""Class Trampoline: the thin layer over the core with what does not happen on every turn."""

from __future__ import annotations

import sys
from functools import cached_property
from time import monotonic

from trampoline._base import TailCall, core_types, describe, is_future, known_as, no_coroutine, thrown
from trampoline._core import core
from trampoline._errors import get_context, set_context, without_frames
from trampoline._keywords import by_keywords
from trampoline._threads import pool_of, reactor_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, TextIO, TypeVar

    from typing_extensions import Self

    from trampoline._base import AnyCoroutine
    from trampoline._host import Host
    from trampoline._profile import Profile
    from trampoline._reactor import Reactor
    from trampoline._stacks import Snapshot

    T = TypeVar("T")
    Base = core.BaseTrampoline
else:
    Base = object


_MOMENT = 0.001  # seconds for a thread that is just resuming somebody: to look again at once would take the processor from it
_ASKED_OF_A_REACTOR = ("clock", "waiting", "watch", "unwatch", "at", "cancel", "poll", "dispatch", "knock", "close")


class _Running:
    """`running`: a class attribute that is False, and on an instance whether its `run()` goes on. To set it False is `stop()`."""

    def __get__(self, trampoline: Layer | None, owner: type[Layer] | None = None) -> bool:
        return trampoline is not None and trampoline._running

    def __set__(self, trampoline: Layer, value: object) -> None:
        if value:
            trampoline._running = True
        else:
            super(Layer, trampoline).stop()


class Layer(Base):
    """What `Trampoline` adds to the core. A class of its own, so that it can be put on either core."""

    running = _Running()
    profile: Profile | None = None  # what measures this trampoline alone, if `Trampoline(profile=True)` asked for it
    _core: Any = core
    _clock: Callable[[], float] = staticmethod(monotonic)
    _own_reactor = True
    _posted: deque[Callable[[], object]] | tuple[()] = ()
    _host: Host | None = None
    _pool = cached_property(pool_of)
    _throws_at_once = True  # whether a limit may throw into what is parked without asking `_interrupt()`

    def __init__(
        self, *, reactor: Reactor | None = None, clock: Callable[[], float] | None = None, profile: bool | Profile = False
    ) -> None:
        if clock is not None:
            if reactor is not None:
                raise TypeError(f"Trampoline() takes a reactor or a clock, not both: {describe(reactor)} has a clock of its own")
            if not callable(clock) or isinstance(clock, type):
                made = f": write clock={clock.__name__}()" if isinstance(clock, type) else ""
                raise TypeError(f"Trampoline() takes a clock that is called for seconds, not {describe(clock)}{made}")
            self._clock = clock
            if hasattr(clock, "jump"):
                self._begin_time(clock)
        if reactor is not None:
            missing = [name for name in _ASKED_OF_A_REACTOR if isinstance(reactor, type) or not hasattr(reactor, name)]
            if missing:
                hint = f": write {reactor.__name__}()" if isinstance(reactor, type) else ""
                raise TypeError(f"a reactor has {', '.join(_ASKED_OF_A_REACTOR)}, but {describe(reactor)} has no {missing[0]}{hint}")
            self.reactor = reactor
            self._own_reactor = False
            self._timers = self._timers_of(reactor)
        if profile is not False:
            from trampoline._profile import attached

            self.profile = attached(self, profile)

    if not TYPE_CHECKING:
        __init__ = by_keywords(__init__)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if isinstance(vars(cls).get("running"), bool):  # the recipe's own line, which would hide what stops it
            del cls.running

    @cached_property
    def reactor(self) -> Reactor:
        """What knows when files are ready and deadlines have passed; made when it is first needed."""
        return reactor_of(self)

    @staticmethod
    def _timers_of(reactor: Reactor) -> core.Timers | None:
        """Return the timers of a reactor, None if it has deadlines of its own, as one of the user's has."""
        from trampoline._reactor import Reactor

        kind = type(reactor)
        ours = isinstance(reactor, Reactor) and kind.at is Reactor.at and kind.cancel is Reactor.cancel
        return reactor._timers if ours else None

    @property
    def _keeper(self) -> Any:
        """What keeps the deadlines, with `clock`, `at` and `cancel`."""
        if self._timers is not None:
            return self._timers
        reactor = self.reactor  # which may bring some
        return reactor if self._timers is None else self._timers

    def close(self) -> None:
        """Close every pseudothread that is left, queued ones first, and empty the queue: all `finally` blocks run.

        Each is closed whatever the others do; then the error that came out is raised (several: a BaseExceptionGroup of them where Python
        has it, else the first). Its reactor and its threads are let go. The trampoline may be used again. RuntimeError inside `run()`.
        """
        if self._thread is not None:
            raise RuntimeError(f"cannot close {self!r} inside run(): stop() it first")
        errors: list[BaseException] = []
        tried = set()  # which stay parked: so near the recursion limit they cannot be closed
        while (left := self._take_one()) is not None:
            try:
                left.close()
            except BaseException as raised:
                errors.append(raised)
                if left in tried:  # all others had their turn
                    errors.pop()
                    break
                if left.state == "parked":
                    tried.add(left)
        del left, tried
        self._let_go()
        if len(errors) > 1 and sys.version_info >= (3, 11):
            raise BaseExceptionGroup(  # noqa: F821 -- Python 3.11
                f"errors while {len(errors)} pseudothreads were closed", errors
            )
        if errors:
            error = errors.pop(0)
            context = get_context(error)
            try:
                raise error
            finally:
                set_context(error, context)  # raised in an `except` block of the user's it would have got one
                del error, context, errors

    def pseudothreads(self) -> list[core.Pseudothread[Any]]:
        """Return the pseudothreads that have not ended: the one whose turn it is, those in the queue, those parked. From any thread."""
        from trampoline._stacks import pseudothreads_of

        return pseudothreads_of(self)

    def snapshot(self, *, locals: bool = False) -> list[Snapshot]:
        """Say of each pseudothread what it does: name, state, age in seconds, where it was added, what it waits for, its logical stack.

        With `locals` each place has the reprs of its variables. From any thread, also while `run()` is busy.
        """
        from trampoline._stacks import pseudothreads_of, snapshot_of

        return [snapshot_of(pseudothread, locals) for pseudothread in pseudothreads_of(self)]

    def print_stacks(self, file: TextIO | None = None, *, locals: bool = False) -> None:
        """Write what `snapshot()` says as text to `file`, standard error if it is None."""
        from trampoline._stacks import print_stacks

        print_stacks(self, file, locals)

    def _let_go(self) -> None:
        own = vars(self)
        own.pop("_posted", None)
        if own.pop("_host", None) is not None:
            self._waker = None
        if "_pool" in own:
            own.pop("_pool").shutdown(wait=False, cancel_futures=True)
        if "reactor" in own and self._own_reactor:
            own.pop("reactor").close()
        if self._own_reactor and self._timers is not None:
            self._timers.clear()

    def step(self, timeout: float = 0, *, budget: float = 0.005) -> float | None:
        """Make what turns are ready, for a host that has a loop of its own, and return the seconds until it shall call again.

        What is queued has its turns, then what files, deadlines, other threads and those turns have made ready, until nothing is ready or
        `budget` seconds are over: the rest keeps its place for the next step. If nothing is ready at first it waits for that, but at most
        for `timeout` seconds. What is returned:

        0               more is queued
        a number        until the next deadline
        `math.inf`      only a file, another thread or the host itself can wake what is parked; `fileno()` tells of the first two
        None            nothing is left: `run()` would return

        There is no Deadlock: the host may resume what nothing else can wake. An error that leaves a root leaves `step()`, as it does
        `run()`, and all else stays queued. RuntimeError inside `run()` and `step()`; TypeError and ValueError for what are no seconds.
        """
        from trampoline._host import step

        left, failure = step(self, super().run, timeout, budget)
        if failure is None:
            return left
        context = get_context(failure)
        try:
            raise failure
        finally:
            set_context(failure, context)  # raised in an `except` block of the user's it would have got one
            del failure, context

    def fileno(self) -> int:
        """Return the number of a descriptor that can be read when `step()` has something to do, for the host's loop to watch.

        A trampoline may so be given to `select`, `selectors` and the like. What is added or resumed between two steps, by whatever
        thread, makes it readable, too; deadlines do not, what `step()` returns tells of them. It is another one after `close()` and, in the
        child, after a fork. OSError where the system has none: call `step()` every few milliseconds there.
        """
        from trampoline._host import fileno

        return fileno(self)

    @property
    def _waits(self) -> bool:
        """Whether a file or a deadline is waited for: that without a reactor, too, after `close()` or where none could be made."""
        timers = self._timers
        return self.reactor.waiting if "reactor" in vars(self) else timers is not None and not timers.virtual and len(timers) > 0

    def _wait(self) -> bool:
        host = self._host
        if host is not None and host.until is not None:
            return host.wait(self)
        timers = self._timers
        if timers is not None and timers.virtual:
            from trampoline._virtual import jumped

            if jumped(self):
                return True
        elsewhere = self._elsewhere  # asked first, as are those that leave: what they queue is seen then
        if not self._waits:
            parked = self._all_parked()
            woken = any(getattr(pseudothread.waits_for, "external", False) for pseudothread in parked) or self._posted
            if not woken and not elsewhere:
                # In this order: another thread resumes one by taking it out of what is parked, and then queues it.
                if self._leaving or self._elsewhere or self.queue or not self._running or not parked or self._waits:
                    return True  # look again. Not to wait: who is leaving there may have been refused, and nobody would knock
                from trampoline._deadlock import Deadlock

                raise Deadlock(parked)
        self._waker = self.reactor.knock
        try:  # who queues something from now on knocks
            soon = self._leaving or self._elsewhere or elsewhere
            events = self.reactor.poll(0 if self.queue or self._posted or not self._running else _MOMENT if soon else None)
        finally:
            self._waker = None
        self._dispatch(events)
        return True

    def _look(self) -> None:
        host, timers = self._host, self._timers
        if host is not None and host.until is not None and host.late():
            super().stop()
        if self._posted or self._waits:
            events = self.reactor.poll(0)
            if events or self._posted or timers is None or not timers.virtual:  # else it is for _wait() to say when time passes
                self._dispatch(events)

    def _dispatch(self, events: Any) -> None:
        self.reactor.dispatch(events)
        posted = self._posted
        while posted:
            posted[0]()
            posted.popleft()  # last: where Ctrl-C strikes before, it is called again

    def _post(self, function: Callable[[], object]) -> None:
        """Have `function()` called by `run()`, between two turns. From any thread."""
        posted = vars(self).get("_posted")
        if posted is None:
            from collections import deque

            posted = vars(self).setdefault("_posted", deque())
        posted.append(function)
        waker = self._waker
        if waker is not None:
            waker()

    def _adapt(self, got: Any) -> Any:
        if is_future(got):
            from trampoline._executors import Outcome, future_of

            return Outcome(future_of(got))
        if got is None or isinstance(got, TailCall):
            from trampoline._untaken import not_raised, not_that_none

            return not_that_none() if got is None else not_raised(got)
        if type(got) in core_types:
            from trampoline._untaken import refused

            return refused(got, self)
        if getattr(got, "_asyncio_future_blocking", False):  # by its __await__(); one that is only yielded is a result
            from trampoline._untaken import not_in_asyncio

            return not_in_asyncio(got)
        return got

    def _untaken(self, pseudothread: core.Pseudothread[Any]) -> object:
        from trampoline._untaken import Untaken

        return Untaken(pseudothread)

    def _interrupt(self, pseudothread: core.Pseudothread[Any], error: BaseException, *, unless: object = None) -> None:
        """Throw `error` into a pseudothread where it waits, unless for that, or as soon as it waits next."""
        waits_for = pseudothread.waits_for
        if waits_for is not None and waits_for is not unless and thrown(pseudothread, waits_for, error):
            return
        if not pseudothread.done:
            self._pending.setdefault(pseudothread, []).append(error)
            pseudothread._interrupt()

    @cached_property
    def _pending(self) -> dict[core.Pseudothread[Any], list[BaseException]]:
        return {}

    def _spare(self, pseudothread: core.Pseudothread[Any], error: BaseException) -> bool:
        """Take back an interruption. Return whether it was still to come."""
        pending = self._pending.get(pseudothread, [])
        if error not in pending:
            return False
        pending.remove(error)
        if not pending:
            del self._pending[pseudothread]
        return True

    def _interruption(self, pseudothread: core.Pseudothread[Any]) -> BaseException | None:
        pending = self._pending.get(pseudothread)
        if not pending:
            return None
        error = pending.pop(0)
        if pending:
            pseudothread._interrupt()
        else:
            del self._pending[pseudothread]
        return error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


known_as("Trampoline", Layer)
if hasattr(core, "_know_waiting"):  # the core in C
    core._know_waiting(Layer._wait, _MOMENT)  # pyright: ignore[reportAttributeAccessIssue]


class Trampoline(Layer, core.BaseTrampoline):
    """A scheduler that drives coroutines which call one another by yielding: PEP 342's `Trampoline`.

    To yield a coroutine calls it: the callee's result, or its error, arrives at the yield. To yield a `Suspension` waits for it. To yield
    anything else, or to return, gives a result to the caller. `add()` starts a stack of coroutines, a pseudothread; all of them take turns,
    first in first out, in `run()`. It waits for files and deadlines on its `reactor`; `trampoline.Reactor` says what another must have. A
    `clock` is called for seconds and never goes back. With `profile=True`, or with a Profile, `t.profile` measures all its turns, whatever
    else measures on its thread. Source: PEP 342, example 3, with its faults mended.
    """


def trampoline(coroutine: AnyCoroutine[T]) -> T:
    """Run one call tree to its end, whatever its depth, and return its value or raise its error.

    TypeError if it is no coroutine, Deadlock if nothing can wake it. What is left when it ends (added by the tree itself) is closed.
    Source: PyPI `trampoline` 0.1.2.
    """
    if not core.is_coroutine(coroutine):
        raise no_coroutine("trampoline()", coroutine)
    runner = Trampoline()
    root = runner.schedule(coroutine)
    failure = None
    try:
        runner.run()
    except BaseException as error:
        failure = error
    stuck = None if root.done or failure is not None else RuntimeError(f"{root!r} was taken out of the queue, or stopped, before its end")
    runner.close()
    if stuck is not None:
        raise stuck
    if failure is None:
        value: T = root.result()
        return value
    context = get_context(failure)
    try:
        raise without_frames(failure, 2)  # this frame, which comes again, and the one of run()
    finally:
        set_context(failure, context)
        del failure, context, root, runner
