"""What waits for a file: an attempt, and more of them whenever the reactor says that the file is ready; and `readable()` and `writable()`,
whose attempt is only a look. The other operations, each a class with an attempt of its own, are in `_streams.py` and `_sockets.py`.
"""

from __future__ import annotations

import errno
import socket
import sys
from operator import index

from trampoline._base import Suspension, describe, not_yielded, resumed, thrown
from trampoline._descriptors import Watched, check_open, is_ready, number_of
from trampoline._errors import set_traceback
from trampoline._traces import as_thrown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from trampoline._core import core

AGAIN = object()  # it would block
RETRY = 0.01  # seconds
_OF_ANOTHER_KIND = {getattr(errno, name, None) for name in ("ENOTCONN", "EINVAL", "EOPNOTSUPP")}
_ON_CPYTHON = sys.implementation.name == "cpython"


class ConnectionLost(ConnectionError):
    """The other end has closed the connection, or it was reset; then that error is the `__cause__`."""

    __module__ = "trampoline.nonblocking"  # where tracebacks and pickles name it


class Operation(Suspension):
    """An attempt, and more of them whenever the file is ready, until one has not to wait."""

    __slots__ = ("_file", "_pseudothread", "_watched", "_watched_to_write")

    _writing = False
    _of_stream = False  # whether its connection can be lost
    _file: Any
    _pseudothread: core.Pseudothread[Any]
    _watched: Any  # what the reactor's watch() or, to try again in a moment, its at() gave
    _watched_to_write: bool | None  # None for the latter

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        watched = pseudothread.trampoline.reactor.watch(self._file, self._writing, self._ready)
        self._pseudothread, self._watched, self._watched_to_write = pseudothread, watched, self._writing
        if pseudothread.waits_for is not self:
            self.withdraw(pseudothread)  # again: another thread, or a signal handler, has thrown into it before there was anything to undo

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> None:
        watched, self._watched = getattr(self, "_watched", None), None
        if watched is None:
            return
        if self._watched_to_write is None:
            pseudothread.trampoline.reactor.cancel(watched)
        else:
            pseudothread.trampoline.reactor.unwatch(watched, self._watched_to_write)

    def _listens(self, watched: Any) -> bool:
        """Return whether data is waited for at a socket that listens, where there is none. Then an attempt is made at once, and fails."""
        if not listens(self._file):
            if type(watched) is Watched:
                watched.gives_data = True  # which is asked before this is called, so that it costs nothing the next time
            return False
        self.withdraw(self._pseudothread)
        self._begin(self._pseudothread)
        return True

    def _begin(self, pseudothread: core.Pseudothread[Any]) -> None:
        """Make an attempt before the file is waited for."""
        if getattr(self, "_watched", None) is not None:
            raise RuntimeError(f"another pseudothread waits for {describe(self)} itself: make one for each")
        self._pseudothread, self._watched = pseudothread, None
        self._ready()

    def _watch(self, writing: bool) -> None:
        self._watched, self._watched_to_write = None, writing
        self._watched = self._pseudothread.trampoline.reactor.watch(self._file, writing, self._ready)
        self._keep_watching()

    def _keep_watching(self) -> None:
        """Withdraw if it was thrown into meanwhile, as in `suspend()`."""
        if self._pseudothread.waits_for is not self:
            self.withdraw(self._pseudothread)

    def _attempt(self) -> Any:
        """Return what the operation gives, or AGAIN."""
        raise NotImplementedError

    def _ready(self) -> None:
        pseudothread = self._pseudothread
        if pseudothread.waits_for is not self:
            return
        self._watched = None
        try:
            got = self._attempt()
        except Exception as error:
            failure = error
        else:
            if got is AGAIN:
                self._watch_again(self._writing)
            elif not resumed(pseudothread, self, got):
                self._drop(got)
            return
        self._failed(failure)

    def _gone(self) -> None:
        """The file was closed. An attempt might be made at another that has its number by now."""
        if self._pseudothread.waits_for is self:
            self._fail(OSError(errno.EBADF, "it is closed"))

    def _drop(self, got: Any) -> None:
        """Let go of what nobody takes: another thread, or a signal handler, has thrown into the pseudothread during the attempt."""

    def _failed(self, error: Exception) -> None:
        """Wait once more if that is what the error says, else throw it."""
        set_traceback(error, None)
        wants = self._writing if isinstance(error, (BlockingIOError, InterruptedError)) else _wants(error)
        if wants is None:
            self._fail(error)
        else:
            self._watch_again(wants)

    def _watch_again(self, writing: bool) -> None:
        try:
            self._watch(writing)
            return
        except RuntimeError as error:
            failure = error
        except Exception as error:
            self._fail(error)
            return
        if writing is self._writing:
            self._fail(failure)
            return
        self._later()  # TLS wants to read in order to write, say, while another pseudothread reads the same socket

    def _later(self) -> None:
        reactor = self._pseudothread.trampoline.reactor
        self._watched, self._watched_to_write = reactor.at(reactor.clock() + RETRY, self._ready), None
        self._keep_watching()

    def _fail(self, error: BaseException) -> None:
        as_thrown(error)
        if self._of_stream and is_loss(error) and not isinstance(error, ConnectionLost):
            lost = ConnectionLost(*error.args)
            lost.__cause__ = error
            error = lost
        elif isinstance(error, OSError) and error.errno == errno.EBADF:
            error = OSError(errno.EBADF, f"{describe(self._file)} is closed")
        elif isinstance(error, OSError) and error.errno in _OF_ANOTHER_KIND:
            hint = self._hint()
            if hint is not None:
                error = OSError(error.errno, f"{describe(self._file)} {hint}")
        thrown(self._pseudothread, self, error)

    def _hint(self) -> str | None:
        """Say what is wrong with a socket of which the system says that it is not of the right kind."""
        if self._writing:
            return None
        if listens(self._file):
            return "listens, and gives connections in place of data: did you mean nonblocking_accept()?"
        return None if is_connected(self._file) else "is not connected: nonblocking_connect() gives one that is"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({describe(self._file)})"


class readable(Operation):
    """Wait until a file can be read without blocking: a pipe, say, or a descriptor's number. TypeError if it is no file, OSError if it
    is closed or always ready, as regular files are."""

    __slots__ = ()

    def __init__(self, file: Any) -> None:
        self._file = file
        if type(file) is not int and not hasattr(file, "fileno"):
            raise TypeError(
                f"{type(self).__name__}() takes a file, that is a descriptor's number or what has a fileno(), not {describe(file)}"
                f"{not_yielded(file)}"
            )

    def _attempt(self) -> Any:
        check_open(self._file)
        return None if is_ready(number_of(self._file), self._writing) else AGAIN  # it was another that had its number, or is read by others

    if TYPE_CHECKING:

        def __iter__(self) -> Generator[Any, Any, None]: ...

        __await__ = __iter__


class writable(readable):
    """Wait until a file can be written without blocking. As `readable()`."""

    __slots__ = ()

    _writing = True

    def __init__(self, file: Any) -> None:  # Python names the class in which it is written
        super().__init__(file)


def listens(sock: Any) -> bool | None:
    """Return whether a socket listens, None if the system does not say."""
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except (AttributeError, OSError):
        return None


def is_connected(sock: Any) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def prepare(where: str, sock: Any) -> None:
    if not hasattr(sock, "recv") or not hasattr(sock, "gettimeout"):
        raise TypeError(f"{where}() takes a socket, not {describe(sock)}{not_yielded(sock)}")
    if sock.gettimeout() != 0:
        number_of(sock)  # OSError that names it, if it is closed
        sock.setblocking(False)


def is_loss(error: BaseException) -> bool:
    return isinstance(error, (ConnectionError, TimeoutError)) or type(error).__name__ in ("SSLEOFError", "SSLZeroReturnError")


def _wants(error: Exception) -> bool | None:
    """Return whether TLS wants to write before it goes on; None if it wants nothing."""
    name = type(error).__name__
    return name == "SSLWantWriteError" if name in ("SSLWantReadError", "SSLWantWriteError") else None


def count_of(where: str, nbytes: int) -> int:
    if not hasattr(nbytes, "__index__") or isinstance(nbytes, bool):
        raise TypeError(f"{where} takes a number of bytes, not {describe(nbytes)}{not_yielded(nbytes)}")
    nbytes = index(nbytes)
    if not 1 <= nbytes <= sys.maxsize:
        raise ValueError(f"{where} takes a number of bytes from 1 {'on' if nbytes < 1 else f'to {sys.maxsize}'}, not {describe(nbytes)}")
    return nbytes


def buffer_of(where: str, data: Any) -> Any:
    if isinstance(data, str):
        raise TypeError(f"{where} takes bytes, not text: encode it, {describe(data)}.encode()")
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"{where} takes bytes or another buffer, not {describe(data)}{not_yielded(data)}") from None
    if not _ON_CPYTHON or not view.contiguous:  # elsewhere a view lasts until it is collected, and until then a bytearray cannot grow
        with view:
            return view.tobytes()
    return view.cast("B") if view.nbytes else b""
