"""Instead of `select.epoll`, where there is none: the standard library's `selectors` or, where there are no sockets at all, a sleep.
And the two sockets by which others end its wait."""

from __future__ import annotations

import errno
import os
import select
import selectors
import socket
import stat
import sys
import time


class Knocked(socket.socket):
    """Either of a pair. Closes itself, without a ResourceWarning: of a cycle the collector may end it before the reactor whose it is."""

    __slots__ = ()

    def __del__(self) -> None:
        self.close()


def knocked_pair() -> tuple[Knocked, Knocked]:
    """Return a door and a knocker, which do not block."""
    door, knocker = (Knocked(fileno=each.detach()) for each in socket.socketpair())
    door.setblocking(False)
    knocker.setblocking(False)
    return door, knocker


class Selectors:
    """`selectors` with the methods of `select.epoll`, which does without objects for events; for systems that have no epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.modify, self.unregister = self._selector.modify, self._selector.unregister
        self.close = self._selector.close
        if hasattr(self._selector, "fileno"):
            self.fileno = self._selector.fileno

    def register(self, fd: int, mask: int) -> None:
        if _is_always_ready(fd):
            raise PermissionError(errno.EPERM, "always ready")  # as epoll does
        self._selector.register(fd, mask)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        try:
            return [(key.fd, mask) for key, mask in self._selector.select(timeout)]
        except OSError:
            closed = self._closed()
            if not closed:
                raise
            return closed

    def _closed(self) -> list[tuple[int, int]]:
        """Return the files that are closed, as ready for what is waited for: `select()`, all that Windows has, refuses to look then."""
        found = []
        for key in list(self._selector.get_map().values()):
            try:
                select.select([key.fd], [], [], 0)
            except OSError:
                found.append((key.fd, key.events))
        return found


def _is_always_ready(fd: int) -> bool:
    try:
        mode = os.fstat(fd).st_mode
    except OSError:  # a socket on Windows, where they have numbers of their own
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


class Asleep:
    """For a browser, which has no sockets and no threads: a selector with deadlines alone to wait for, and its own door and knocker."""

    def __init__(self) -> None:
        self._knocked = False

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        if not self._knocked:
            time.sleep(timeout)  # meanwhile others run, where Pyodide can switch stacks
        return [(self.fileno(), selectors.EVENT_READ)] if self._knocked else []

    def register(self, fd: int, mask: int) -> None:
        """Raise OSError: there is no file to wait for."""
        raise OSError(errno.ENOTSUP, f"there are no sockets on {sys.platform}, and so no files to wait for")

    modify = register

    def unregister(self, fd: int) -> None:
        """Do nothing."""

    def fileno(self) -> int:
        """Return what is no descriptor's number."""
        return -1

    def send(self, data: bytes) -> None:
        """Knock: the next `poll()` does not sleep."""
        self._knocked = True

    def recv(self, nbytes: int) -> None:
        """Answer the door."""
        self._knocked = False

    def close(self) -> None:
        """Do nothing."""
