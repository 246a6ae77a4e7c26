"""The reactor: it knows when a file is ready, a deadline has passed or another thread has knocked. On the standard library's
`select.epoll`, and elsewhere on its `selectors`.

`Trampoline.run()` asks it whenever nothing is queued, and now and then while something is. A trampoline makes its own when that is first
needed; `Trampoline(reactor=...)` takes any object with the public names of `Reactor`, each of which says what is asked of it.

One registration is kept for each file, not one for each wait: to wait for the next bytes of a connection costs no system call. What is
ready while nobody waits for it is taken out again. The operating system drops a closed file without a word, so closed files are looked
for: when a new file has the number of one, and a few at a time all the while. Only a socket or a file of `io` keeps its registration: a
number, or what else has a `fileno()`, may mean another file the next time.
"""

from __future__ import annotations

import errno
import io
import math
import os
import select
import selectors
import socket
import sys
import weakref
from contextlib import suppress
from time import monotonic

from trampoline._base import describe
from trampoline._core import core
from trampoline._descriptors import MOST, Watched, forgetting, identity_of, is_closed, number_of, referring
from trampoline._pollers import Asleep, Selectors, knocked_pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    from trampoline._descriptors import Ready

    Events: TypeAlias = Iterable[tuple[int, int]]
    _Pollable: TypeAlias = "select.epoll | Selectors | Asleep"

_READ_AND_WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_PAUSE = 0.05  # seconds without an event, after which closed files are looked for
_SWEEP = 0.5  # seconds between two looks for them while there are events
_SOME = 256  # files of one look: so those who are many and idle cost next to nothing
_LONGEST = 1.0  # seconds of one system call: a signal that comes just before it does not end it, and on Windows none does
_VAIN = 1000  # times in a row that the selector says something is ready and it is not, or at all of what is not known
_reactors: weakref.WeakSet[Reactor] = weakref.WeakSet()


class Reactor:
    """Files and deadlines. `clock` gives seconds and never goes back. For one thread, but for what says otherwise."""

    # The core in C does what its methods do where it is of this very class; and nobody can have changed it, as it takes no attributes.
    __slots__ = (
        "__weakref__", "_all_at", "_door", "_due", "_epoll", "_files", "_forget", "_knocker", "_read", "_round", "_selector", "_sweep_at",
        "_timers", "_unknown", "_vain", "_waits", "_write", "clock",
    )  # fmt: skip

    def __init__(self, clock: Callable[[], float] = monotonic, *, _timers: core.Timers | None = None) -> None:
        self.clock = clock
        self._timers = core.Timers(clock) if _timers is None else _timers  # those of its trampoline, on whichever core that is
        self._files: dict[int, Watched] = {}
        self._round: list[Watched] = []  # of them, those at which it is still to be looked
        self._sweep_at = self._all_at = -math.inf  # when to look for closed ones, and when at all of them
        self._waits = 0  # how many wait for a file
        self._due: list[Ready] = []  # whose file was closed
        self._vain = self._unknown = 0
        self._open()
        self._timers.alone = False
        _reactors.add(self)

    @property
    def waiting(self) -> bool:
        """Whether a file or a deadline is waited for: if not, only a knock ends `poll()`."""
        return self._waits > 0 or len(self._timers) > 0 or bool(self._due)

    def watch(self, file: Any, writing: bool, ready: Ready) -> Watched:
        """Have `ready()` called once, by `dispatch()`, when `file` can be read (if `writing`, written). Return a handle for `unwatch()`.

        `file` is a number or has a `fileno()`; a socket is made non-blocking. RuntimeError if somebody waits for the same already, OSError
        if it is closed or of a kind that is always ready, TypeError if it is no file.
        """
        fd = file if type(file) is int and 0 <= file <= MOST else number_of(file)
        watched = self._files.get(fd)
        if watched is not None and watched.file is None and self._is_closed(watched):
            self._closed(watched)
            watched = None
        if watched is None or watched.file is not None and watched.file() is not file:
            watched = self._replace(fd, file, watched)
        if (watched.writing if writing else watched.reading) is not None:
            raise RuntimeError(
                f"another pseudothread waits to {'write to' if writing else 'read from'} {describe(file)}: "
                f"let one {'write' if writing else 'read'}, and hand on what it does"
            )
        bit = self._write if writing else self._read
        if not watched.mask & bit:
            self._register(watched, watched.mask | bit, file)
        if writing:
            watched.writing = ready
        else:
            watched.reading = ready
        self._waits += 1
        return watched

    def unwatch(self, watched: Watched, writing: bool) -> None:
        """Forget who waits for that. Nothing happens if nobody does. From any thread, for `throw()` is."""
        if (watched.writing if writing else watched.reading) is None:
            return
        if writing:
            watched.writing = None
        else:
            watched.reading = None
        self._waits -= 1
        if watched.file is None:
            self._register(watched, self._wanted(watched))

    def at(self, when: float, ready: Ready) -> core.Deadline:
        """Have `ready()` called once, by `dispatch()`, when the clock shows `when` seconds. Return a handle for `cancel()`.

        Where Ctrl-C strikes just as it is called it may be called again. ValueError if `when` is nan.
        """
        return self._timers.at(when, ready)

    def cancel(self, deadline: core.Deadline) -> None:
        """Forget that deadline. Nothing happens if it has passed. From any thread, for `throw()` is."""
        self._timers.cancel(deadline)

    def left(self) -> float | None:
        """Return the seconds until the next deadline, None if there is none; of a virtual clock None, too, if that must jump first."""
        return self._timers.left()

    def poll(self, timeout: float | None = None) -> Events:
        """Wait for something to be ready, until the next deadline or a knock, at most `timeout` seconds. Return what `dispatch()` takes."""
        left = self._timers.left()
        if left is not None:
            timeout = left if timeout is None or left < timeout else timeout
        if timeout is not None and timeout <= 0 or self._due:
            return self._selector.poll(0)
        pause = _PAUSE if self._waits else _LONGEST
        if timeout is None or timeout > pause:
            return self._selector.poll(pause) or self._poll_after_pause(timeout, pause)
        return self._selector.poll(timeout)

    def _poll_after_pause(self, timeout: float | None, pause: float = _PAUSE) -> Events:
        """Go on with `poll()`, and look for closed files, now and again every second."""
        clock = monotonic if self._timers.virtual else self.clock  # one that jumps stands still meanwhile
        until = None if timeout is None else clock() + timeout - pause
        closed = self._sweep(pause == _PAUSE)
        while not closed:
            left = math.inf if until is None else until - clock()
            events = self._selector.poll(max(0, min(left, _LONGEST)))
            if events or left <= _LONGEST:
                return events
            closed = self._sweep()
        return ()

    def dispatch(self, events: Events) -> None:
        """Call what is due: deadlines first, in their order, then for files."""
        if self._waits and monotonic() >= self._sweep_at:
            self._sweep()
        while self._due:
            self._due.pop()()
        self._timers.fire()
        self._note(_dispatch(self, events))

    def _note(self, vain: bool) -> None:
        if not vain:
            self._vain = 0
        elif self._vain < _VAIN:
            self._vain += 1
        else:  # the same, where another file has its number
            self._renew()

    def _tell(self, fd: int, event: int) -> bool:
        """Call who waits for what has happened there. Return whether that was in vain, as nobody let it be known that there is no more."""
        watched, vain = self._files.get(fd), True
        if watched is None:
            if fd == self._door.fileno():
                self._answer()
                return False
            self._unknown += 1  # closed, but a copy of it, in a forked process say, keeps it from being taken out
            if self._unknown > _VAIN:
                self._renew()
            return True
        if event & ~self._write and watched.mask & self._read:  # other bits, an error or a hang-up, end both ways of waiting
            ready, watched.reading = watched.reading, None
            if ready is None or watched.file is None:
                self._register(watched, self._wanted(watched))
            if ready is not None:
                self._waits -= 1
                getattr(ready, "_ready", ready)()
            vain = watched.reading is not None
        if event & ~self._read and watched.mask & self._write:
            ready, watched.writing = watched.writing, None
            if ready is None or watched.file is None:
                self._register(watched, self._wanted(watched))
            if ready is not None:
                self._waits -= 1
                ready()
            if watched.writing is None:
                vain = False
        return vain

    def knock(self) -> None:
        """End `poll()`, or the next one. From any thread and from signal handlers."""
        with suppress(OSError):  # so many knocks that one more says nothing new; or closed meanwhile, and nobody waits
            self._knocker.send(b"\0")

    def fileno(self) -> int | None:
        """Return the number of a descriptor that can be read when a file is ready or somebody has knocked; None if the system has none."""
        fileno: Callable[[], int] | None = getattr(self._selector, "fileno", None)
        number = -1 if fileno is None else fileno()
        return None if number < 0 else number

    def close(self) -> None:
        """Let go all that the operating system holds for it. It cannot be used again."""
        if _reactors is not None:  # as it is where the interpreter ends first
            _reactors.discard(self)
        self._epoll = -1
        self._selector.close()
        self._door.close()
        self._knocker.close()
        self._files.clear()
        self._round.clear()
        self._timers.clear()
        self._timers.alone = True
        self._due.clear()
        self._waits = 0

    def __del__(self) -> None:
        if hasattr(self, "_knocker"):
            self.close()

    _selector: _Pollable

    def _open(self) -> None:
        epoll = getattr(select, "epoll", None)
        self._selector = epoll() if epoll is not None else Selectors()
        self._epoll = -1 if epoll is None else self._selector.fileno()  # the core in C polls it by this number
        self._forget = forgetting(self._files, self._selector)
        self._read, self._write = (select.EPOLLIN, select.EPOLLOUT) if epoll is not None else _READ_AND_WRITE
        if sys.platform == "emscripten":
            self._selector.close()
            self._selector = self._door = self._knocker = Asleep()
            return
        self._door, self._knocker = knocked_pair()
        self._selector.register(self._door.fileno(), self._read)

    def _answer(self) -> None:
        with suppress(BlockingIOError):
            self._door.recv(4096)

    def _register(self, watched: Watched, mask: int, file: object = None) -> None:
        """Register that file for `mask`, if not for that already; for nothing: forget it."""
        if mask == watched.mask:
            return
        old, watched.mask = watched.mask, mask
        if not mask:
            if self._files.get(watched.fd) is watched:
                del self._files[watched.fd]
                self._unregister(watched.fd)
            return
        self._files[watched.fd] = watched
        try:
            try:
                (self._selector.modify if old else self._selector.register)(watched.fd, mask)
                return
            except (FileExistsError, FileNotFoundError):  # the number of a closed file, which a copy keeps open or which is used again
                pass
            (self._selector.register if old else self._selector.modify)(watched.fd, mask)
            return
        except PermissionError:
            self._drop(watched)
            raise PermissionError(
                errno.EPERM,
                f"cannot wait for {describe(file)}: it is always ready, as regular files are. Read or write it at once, or by in_thread()",
            ) from None
        except BaseException:
            self._drop(watched)
            raise

    def _unregister(self, fd: int) -> None:
        with suppress(OSError, ValueError, KeyError):  # it is closed, most of the time
            self._selector.unregister(fd)

    def _drop(self, watched: Watched) -> None:
        watched.mask = 0
        self._let_go(watched, "_ready")

    def _replace(self, fd: int, file: Any, old: Watched | None) -> Watched:
        """Make a place for `file` where there was none, or another file was: its number is used again if that is closed, else shared."""
        if getattr(file, "gettimeout", _non_blocking)() != 0:
            file.setblocking(False)
        if old is not None and not self._is_closed(old):
            wanted = self._wanted(old)
            self._register(old, 0)
            old.file, old.identity = None, identity_of(fd)
            self._register(old, wanted, file)
            return old
        if old is not None:
            self._closed(old)
        lasting = isinstance(file, (socket.socket, io.IOBase))
        watched = Watched(fd, referring(file, fd, self._forget) if lasting else None)
        self._files[fd] = watched
        return watched

    def _closed(self, watched: Watched) -> None:
        """Forget a file that was closed, and have who waits for it told."""
        self._let_go(watched, "_gone")

    def _let_go(self, watched: Watched, call: str) -> None:
        if self._files.get(watched.fd) is watched:
            del self._files[watched.fd]
            if watched.mask:
                self._unregister(watched.fd)
        watched.mask = 0
        for ready in (watched.reading, watched.writing):
            if ready is not None:
                self._waits -= 1
                self._due.append(getattr(getattr(ready, "__self__", ready), call, ready))
        watched.reading = watched.writing = None

    def _wanted(self, watched: Watched) -> int:
        return (self._read if watched.reading is not None else 0) | (self._write if watched.writing is not None else 0)

    def _is_closed(self, watched: Watched) -> bool:
        if is_closed(watched):
            return True
        try:  # epoll knows a file by more than its number, which another may have now
            self._selector.modify(watched.fd, watched.mask)
        except OSError:
            return True
        return False

    def _sweep(self, idle: bool = False) -> bool:
        """Look at some more files that somebody waits for, whether they are closed. Return whether any are.

        In an `idle` moment, but not more often than every second, at all of them, with less care.
        """
        now = monotonic()
        self._sweep_at = now + _SWEEP
        is_closed_now = self._is_closed
        if idle and len(self._files) > _SOME and now >= self._all_at:
            self._all_at = now + _LONGEST
            some, is_closed_now = list(self._files.values()), is_closed
        else:
            self._round = self._round or list(self._files.values())
            some = self._round[-_SOME:]
            del self._round[-_SOME:]
        for watched in some:
            if (watched.reading is not None or watched.writing is not None) and is_closed_now(watched):
                self._closed(watched)
        return bool(self._due)

    def _renew(self) -> None:
        """Register anew what is waited for. After a fork, in the child: the parent's registrations are not ours to change."""
        self._vain = self._unknown = 0
        self._selector.close()
        self._door.close()
        self._knocker.close()
        files, self._files = self._files, {}
        self._open()
        for watched in files.values():
            watched.mask, wanted = 0, self._wanted(watched)
            if wanted:
                if watched.file is not None:
                    watched.file = referring(watched.file(), watched.fd, self._forget)
                with suppress(OSError):  # it is closed: who waits for it is told
                    self._register(watched, wanted)


def _dispatch_in_python(reactor: Reactor, events: Events) -> bool:
    vain = bool(events)
    for fd, event in events:
        if not reactor._tell(fd, event):
            vain = False
    return vain


_dispatch = getattr(core, "_dispatch", _dispatch_in_python)
if hasattr(core, "_know_reactor"):  # the core in C
    core._know_reactor(Reactor, Watched, _PAUSE)  # pyright: ignore[reportAttributeAccessIssue]


def _non_blocking() -> int:
    return 0


def _after_fork() -> None:
    for reactor in _reactors:
        reactor._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
