"""The reactor of a trampoline that is a guest in an asyncio loop: deadlines are the loop's own, and the loop watches its files.

The files are registered with a reactor of ours, whose descriptor the loop watches: so one registration serves all waits for a file, and
files that were closed are found as ever; asyncio's own `add_reader()` would take two system calls for each wait, and know no closed files.
It is made when the first file is waited for.
"""

from __future__ import annotations

from trampoline._base import describe
from trampoline._reactor import Reactor

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    from trampoline._guest import Guest

_SWEEP = 0.05  # seconds after the last turns, or less, after which closed files are looked for
_AGAIN = 1.0  # seconds after which they are looked for again


class _Deadline:
    """A deadline, and the loop's handle of it."""

    __slots__ = ("handle", "ready")

    handle: asyncio.TimerHandle

    def __init__(self, ready: Callable[[], object]) -> None:
        self.ready: Callable[[], object] | None = ready


class LoopReactor:
    """What `trampoline.Reactor` is to a trampoline that waits by itself. `poll()` and `dispatch()` have nothing to do: the loop does it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, guest: Guest) -> None:
        self.clock = loop.time
        self._loop, self._guest = loop, guest
        self._deadlines = 0
        self._files: Reactor | None = None
        self._number = -1  # the descriptor that the loop watches
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> bool:
        """Whether a file or a deadline is waited for."""
        return self._deadlines > 0 or self._files is not None and self._files.waiting

    def watch(self, file: Any, writing: bool, ready: Callable[[], object]) -> Any:
        """Have `ready()` called once when `file` can be read, or written. As `Reactor.watch()` does."""
        files = self._files
        if files is None:
            files = self._open()
        return files.watch(file, writing, ready)

    def unwatch(self, watched: Any, writing: bool) -> None:
        """Forget who waits for that."""
        if self._files is not None:
            self._files.unwatch(watched, writing)

    def at(self, when: float, ready: Callable[[], object]) -> _Deadline:
        """Have `ready()` called once when the loop's clock shows `when` seconds."""
        if when != when:
            raise ValueError(f"a deadline is a number of seconds, not {when!r}: the clock, {describe(self.clock)}, should give numbers")
        deadline = _Deadline(ready)
        deadline.handle = self._loop.call_at(when, self._passed, deadline)
        self._deadlines += 1
        return deadline

    def cancel(self, deadline: _Deadline) -> None:
        """Forget that deadline. Nothing happens if it has passed."""
        if deadline.ready is not None:
            deadline.ready = None
            deadline.handle.cancel()
            self._deadlines -= 1

    def poll(self, timeout: float | None = None) -> tuple[()]:
        """Return that there is nothing to dispatch."""
        return ()

    def dispatch(self, events: object) -> None:
        """Do nothing: the loop has called already what is due."""

    def rest(self) -> None:
        """Have closed files looked for in a moment, now that the turns that may have closed some have been made."""
        if self._sweeper is None and self._files is not None and self._files.waiting:
            self._sweeper = self._loop.call_later(_SWEEP, self._sweep)

    def knock(self) -> None:
        """Wake the trampoline. From any thread."""
        self._guest._knock()

    def close(self) -> None:
        """Let go of what the loop and the operating system hold for it."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        files, self._files = self._files, None
        if files is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._number)
            files.close()

    def _open(self) -> Reactor:
        files = Reactor(self.clock)
        fileno = getattr(files._selector, "fileno", None)
        try:
            if fileno is None:
                raise NotImplementedError
            self._number = fileno()
            self._loop.add_reader(self._number, self._guest._called, self._files_are_ready)
        except NotImplementedError:
            files.close()
            raise NotImplementedError(
                f"{describe(self._loop)} cannot watch the trampoline's own sockets on this system: use asyncio's, "
                "as in `yield loop.sock_recv(sock, 4096)`"
            ) from None
        self._files = files
        return files

    def _files_are_ready(self) -> None:
        files = self._files
        if files is not None:
            files.dispatch(files.poll(0))

    def _passed(self, deadline: _Deadline) -> None:
        ready, deadline.ready = deadline.ready, None
        if ready is not None:
            self._deadlines -= 1
            self._guest._called(ready)

    def _sweep(self) -> None:
        self._sweeper = None
        files = self._files
        if files is not None and files._sweep():
            self._guest._called(files.dispatch, ())
        if files is not None and files.waiting and self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP if files._round else _AGAIN, self._sweep)
