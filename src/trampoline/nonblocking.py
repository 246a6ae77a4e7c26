"""Sockets and other files that can be waited for, under the names of PEP 342: `data = yield nonblocking_read(sock, nbytes)`.

Each is yielded (or awaited, or yielded from) by a coroutine that a `Trampoline` runs, and parks its pseudothread until it is done. Sockets
are the standard library's, made non-blocking if they are not; an `ssl.SSLSocket`, wrapped with `do_handshake_on_connect=False`, does too.

One pseudothread may read a socket while another writes to it; a second reader, or a second writer, gets a RuntimeError. A socket that is
closed while somebody waits for it gives that pseudothread an OSError (EBADF), at the latest when the trampoline has had nothing to do for a
moment.
"""

from __future__ import annotations

import errno
import socket
import types
from operator import index
from os import fspath
from weakref import WeakKeyDictionary, ref

from trampoline._base import Suspension, describe, not_yielded
from trampoline._reactor import check_open, number_of
from trampoline._threads import in_thread
from trampoline._time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator
    from typing import Any, TypeAlias

    from typing_extensions import Buffer

    from trampoline._base import Called
    from trampoline._core import core

    Address: TypeAlias = Any

__all__ = [
    "ConnectionLost",
    "listening_socket",
    "nonblocking_accept",
    "nonblocking_connect",
    "nonblocking_handshake",
    "nonblocking_read",
    "nonblocking_recvfrom",
    "nonblocking_sendto",
    "nonblocking_write",
    "readable",
    "writable",
]

_BACKLOG = 1024
_AGAIN = object()  # it would block
_TRIES = 10  # how often a pseudothread is told that what it reads is lost
_RETRY = 0.01  # seconds
_told: WeakKeyDictionary[socket.socket, int] = WeakKeyDictionary()
_Socket = socket.socket
_written: set[ref[Any]] = set()  # the sockets to which something is left to be written


class ConnectionLost(ConnectionError):
    """The other end has closed the connection, or it was reset; then that error is the `__cause__`."""


class _Operation(Suspension):
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

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> None:
        watched, self._watched = self._watched, None
        if watched is None:
            return
        if self._watched_to_write is None:
            pseudothread.trampoline.reactor.cancel(watched)
        else:
            pseudothread.trampoline.reactor.unwatch(watched, self._watched_to_write)

    def _begin(self, pseudothread: core.Pseudothread[Any]) -> None:
        """Make an attempt before the file is waited for."""
        if getattr(self, "_watched", None) is not None:
            raise RuntimeError(f"another pseudothread waits for {describe(self)} itself: make one for each")
        self._pseudothread, self._watched = pseudothread, None
        self._ready()

    def _watch(self, writing: bool) -> None:
        self._watched, self._watched_to_write = None, writing
        self._watched = self._pseudothread.trampoline.reactor.watch(self._file, writing, self._ready)

    def _attempt(self) -> Any:
        """Return what the operation gives, or _AGAIN."""
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
            if got is _AGAIN:
                self._watch_again(self._writing)
            else:
                pseudothread.resume(got)
            return
        self._failed(failure)

    def _failed(self, error: Exception) -> None:
        """Wait once more if that is what the error says, else throw it."""
        error.__traceback__ = None
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
        self._watched, self._watched_to_write = reactor.at(reactor.clock() + _RETRY, self._ready), None

    def _fail(self, error: BaseException) -> None:
        if self._of_stream and _is_loss(error) and not isinstance(error, ConnectionLost):
            lost = ConnectionLost(*error.args)
            lost.__cause__ = error
            error = lost
        elif isinstance(error, OSError) and error.errno == errno.EBADF:
            error = OSError(errno.EBADF, f"{describe(self._file)} is closed")
        self._pseudothread.throw(error)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({describe(self._file)})"


# To read and to write is what a server does all day. So the common way is written out, and functions make the objects: a class that is
# called costs as much again as all that follows before the system call.


def nonblocking_read(sock: socket.socket, nbytes: int = 65536) -> Called[bytes]:
    """Read from a stream socket: give from 1 to `nbytes` bytes, as soon as there are any.

    ConnectionLost at the end of the stream and when the connection is reset. A pseudothread that goes on to read what it was told is lost
    is closed at the tenth time: so PEP 342's `echo_handler`, which does, exits "normally if connection lost". ValueError if `nbytes` is
    less than 1.
    """
    if type(sock) is not _Socket:
        _prepare("nonblocking_read", sock)
    if type(nbytes) is not int or nbytes < 1:
        nbytes = _count("nonblocking_read()", nbytes)
    reading = _Read()
    reading._file = sock
    reading._nbytes = nbytes
    return reading


def nonblocking_write(sock: socket.socket, data: Buffer) -> Called[int]:
    """Write all of `data` (bytes, bytearray or another buffer) to a stream socket, and give the number of bytes.

    A buffer that can be changed must not be until then. ConnectionLost when the connection is reset or closed; nobody knows then how much
    the other end has got. The same goes for one that is thrown into or closed meanwhile. TypeError if `data` is text.
    """
    if type(sock) is not _Socket or sock.gettimeout() != 0:
        _prepare("nonblocking_write", sock)
    writing = _Write()
    writing._file = sock
    writing._data = data if type(data) is bytes else _buffer("nonblocking_write()", data)
    return writing


class _Read(_Operation):
    __slots__ = ("_nbytes",)

    _of_stream = True
    _nbytes: int

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        file = self._file
        if type(file) is not _Socket and hasattr(file, "pending") and (file.pending() or file.version() is None):
            self._begin(pseudothread)  # TLS: there are bytes that the reactor cannot see, or the handshake comes first
        else:
            watched = pseudothread.trampoline.reactor.watch(file, False, self._ready)
            self._pseudothread, self._watched, self._watched_to_write = pseudothread, watched, False

    def _ready(self) -> None:
        pseudothread = self._pseudothread
        if pseudothread.waits_for is not self:
            return
        self._watched = None
        try:
            data = self._file.recv(self._nbytes)
        except Exception as error:
            failure = error
        else:
            if data:
                pseudothread.resume(data)
                return
            failure = ConnectionLost(f"the other end has closed the connection of {describe(self._file)}")
        self._failed(failure)

    def _fail(self, error: BaseException) -> None:
        if _is_loss(error):
            told = _told[self._file] = _told.get(self._file, 0) + 1
            if told >= _TRIES:
                self._pseudothread.close()
                return
        super()._fail(error)

    def __repr__(self) -> str:
        return f"nonblocking_read({describe(self._file)}, {self._nbytes})"


class _Write(_Operation):
    __slots__ = ("_data", "_sent")

    _writing = _of_stream = True
    _data: Any
    _sent: int

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        file, data = self._file, self._data
        if _written and ref(file) in _written:
            raise RuntimeError(f"another pseudothread writes to {describe(file)}: let one write, and hand on what it does")
        self._pseudothread = pseudothread
        self._watched = None
        self._sent = 0
        if not data:
            pseudothread.resume(0)
            return
        try:
            sent = file.send(data)
        except Exception as error:
            failure = error
        else:
            if sent == len(data):
                pseudothread.resume(sent)
            else:
                self._sent = sent
                self._watch_again(True)
            return
        self._failed(failure)

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> None:
        if self._watched is not None:
            _written.discard(ref(self._file))
        super().withdraw(pseudothread)

    def _watch(self, writing: bool) -> None:
        super()._watch(writing)
        _written.add(ref(self._file, _written.discard))

    def _later(self) -> None:
        super()._later()
        _written.add(ref(self._file, _written.discard))

    def _ready(self) -> None:
        if self._watched is not None:
            _written.discard(ref(self._file))
        super()._ready()

    def _attempt(self) -> Any:
        self._sent += self._file.send(memoryview(self._data)[self._sent :])
        return self._sent if self._sent >= len(self._data) else _AGAIN

    def __repr__(self) -> str:
        return f"nonblocking_write({describe(self._file)}, {len(self._data)} bytes)"


class _OfSocket(_Operation):
    __slots__ = ()

    def __init__(self, sock: socket.socket) -> None:
        _prepare(type(self).__name__, sock)
        self._file = sock


class nonblocking_accept(_OfSocket):
    """Accept a connection on a listening socket and give its socket, non-blocking, and without Nagle's delay if it is TCP.

    Of a listening `ssl.SSLSocket` it gives one whose handshake comes with the first read or write, or by `nonblocking_handshake()`. When
    the process has no descriptor left the OSError (EMFILE) arrives at the yield; the connection waits, to be accepted later.
    """

    __slots__ = ()

    def _attempt(self) -> Any:
        listener = self._file
        context = getattr(listener, "context", None)
        if context is None:
            connected, _ = listener.accept()
        else:  # the accept() of an SSLSocket would do the handshake, and block
            connected, _ = socket.socket.accept(listener)
        try:
            if context is not None:
                connected.getpeername()  # a wrap_socket() that fails of itself leaks
                connected = context.wrap_socket(connected, server_side=True, do_handshake_on_connect=False)
                connected.getpeername()  # of one that is reset meanwhile it makes one that speaks no TLS
            connected.setblocking(False)
            _no_delay(connected)
        except OSError as error:
            connected.close()
            if not isinstance(error, ConnectionError) and error.errno not in (errno.ENOTCONN, errno.EINVAL):
                raise
            raise ConnectionAbortedError from None  # no fault of the listener's, and so no end of the loop that accepts
        return connected

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, ConnectionAbortedError):  # it was gone before it was accepted
            self._watch_again(False)
        else:
            super()._fail(error)

    if TYPE_CHECKING:

        def __iter__(self) -> Generator[Any, Any, socket.socket]: ...

        __await__ = __iter__


class nonblocking_handshake(_OfSocket):
    """Make the TLS handshake of an `ssl.SSLSocket`, which else comes with the first read or write.

    `ssl.SSLError` if it fails, ConnectionLost if the other end goes away meanwhile.
    """

    __slots__ = ()

    _of_stream = True

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock)
        if not hasattr(sock, "do_handshake"):
            raise TypeError(f"nonblocking_handshake() takes an ssl.SSLSocket, not {describe(sock)}")

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        self._begin(pseudothread)

    def _attempt(self) -> None:
        self._file.do_handshake()


class nonblocking_recvfrom(_OfSocket):
    """Receive a datagram of at most `nbytes` bytes: give it and the address from which it came. ValueError if `nbytes` is less than 1."""

    __slots__ = ("_nbytes",)

    def __init__(self, sock: socket.socket, nbytes: int = 65536) -> None:
        super().__init__(sock)
        self._nbytes = _count("nonblocking_recvfrom()", nbytes)

    def _attempt(self) -> Any:
        return self._file.recvfrom(self._nbytes)

    if TYPE_CHECKING:

        def __iter__(self) -> Generator[Any, Any, tuple[bytes, Address]]: ...

        __await__ = __iter__


class nonblocking_sendto(_OfSocket):
    """Send `data` as one datagram to `address` (as `socket.sendto()` takes it), and give the number of bytes."""

    __slots__ = ("_address", "_data")

    _writing = True

    def __init__(self, sock: socket.socket, data: Buffer, address: Address) -> None:
        super().__init__(sock)
        self._data, self._address = _buffer("nonblocking_sendto()", data), address

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        self._begin(pseudothread)

    def _attempt(self) -> Any:
        return self._file.sendto(self._data, self._address)

    def _watch_again(self, writing: bool) -> None:
        if self._file.family == getattr(socket, "AF_UNIX", None):  # it can be written at any time: the system does not know to whom
            self._later()
        else:
            super()._watch_again(writing)

    if TYPE_CHECKING:

        def __iter__(self) -> Generator[Any, Any, int]: ...

        __await__ = __iter__


class readable(_Operation):
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

    def _attempt(self) -> None:
        check_open(self._file)

    if TYPE_CHECKING:

        def __iter__(self) -> Generator[Any, Any, None]: ...

        __await__ = __iter__


class writable(readable):
    """Wait until a file can be written without blocking. As `readable()`."""

    __slots__ = ()

    _writing = True


def listening_socket(
    host: Any, service: str | int | None = None, *, family: int = 0, backlog: int = _BACKLOG, reuse_port: bool = False
) -> socket.socket:
    """Return a non-blocking TCP socket that listens at `host`, a name or an address ("" for all), and `service`, a name or a port (0: any).

    Without a service `host` is the path of a Unix socket. Of several addresses IPv4 comes first, unless `family` says which; "" takes both
    where the system can. The names are resolved at once. OSError that names host and service if they are not known, or in use.
    """
    if service is None:
        return _bound(socket.AF_UNIX, fspath(host), backlog, reuse_port) if hasattr(socket, "AF_UNIX") else _no_unix(host)
    found = _addresses(host or None, service, family, socket.AI_PASSIVE)
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    if not host and not family and socket.has_dualstack_ipv6():
        port = found[0][4][1]
        return _bound(socket.AF_INET6, ("::", port), backlog, reuse_port, dualstack=True)
    return _bound(found[0][0], found[0][4], backlog, reuse_port)


if TYPE_CHECKING:

    def nonblocking_connect(host: Any, service: str | int | None = None, *, family: int = 0) -> Called[socket.socket]:
        """Connect."""
        raise NotImplementedError
else:

    @types.coroutine
    def nonblocking_connect(host, service=None, *, family=0):
        """Connect a TCP socket to `host`, a name or an address, and `service`, a name or a port, and give it, non-blocking.

        Without a service `host` is the path of a Unix socket. Names are resolved on a thread. The addresses of a host are tried one after
        the other; if none answers the error of the first is raised. `yield timeout(5, nonblocking_connect(...))` bounds it.
        """
        if service is None:
            if not hasattr(socket, "AF_UNIX"):
                _no_unix(host)
            found = [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", fspath(host))]
        else:
            try:  # no name, no thread
                found = _addresses(host, service, family, socket.AI_NUMERICHOST | socket.AI_NUMERICSERV)
            except OSError:
                found = None
            if found is None:
                found = yield in_thread(_addresses, host, service, family)
        failure = None
        for kind, _, protocol, _, address in found:
            sock, error = _opened(kind, protocol)
            try:
                if sock is not None:
                    error = sock.connect_ex(address)
                while error == errno.EAGAIN and kind == getattr(socket, "AF_UNIX", None):  # the listener's queue is full
                    yield sleep(_RETRY)
                    error = sock.connect_ex(address)
                if error in (errno.EINPROGRESS, errno.EWOULDBLOCK):
                    yield writable(sock)
                    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not error:
                    _no_delay(sock)
                    connected, sock = sock, None
                    return connected
            finally:
                if sock is not None:
                    sock.close()
            if failure is None:
                failure = OSError(error, f"cannot connect to {_at(host, service)}: {_text(error)}")
        try:
            raise failure
        finally:
            del failure  # whose traceback has this frame


def _opened(kind: int, protocol: int) -> tuple[socket.socket | None, int | None]:
    try:
        sock = socket.socket(kind, socket.SOCK_STREAM, protocol)
    except OSError as error:  # of a family that this system does not have, say: another address may be of another
        return None, error.errno
    sock.setblocking(False)
    return sock, 0


def _addresses(host: Any, service: Any, family: int, flags: int = 0) -> list[Any]:
    if isinstance(service, int) and not 0 <= service < 65536:  # the system would take it modulo 65536
        raise OSError(errno.EINVAL, f"{_at(host, service)}: a port is a number from 0 to 65535")
    try:
        return list(socket.getaddrinfo(host, service, family, socket.SOCK_STREAM, 0, flags))
    except OSError as error:
        raise type(error)(error.errno, f"{_at(host, service)} is not known: {error.strerror or error}") from None


def _bound(family: int, address: Any, backlog: int, reuse_port: bool, dualstack: bool = False) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == getattr(socket, "AF_INET6", None):
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dualstack else 1)
        if family != getattr(socket, "AF_UNIX", None) and not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # else it is Windows
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise type(error)(error.errno, f"cannot listen at {describe(address)}: {error.strerror or error}") from None
    except BaseException:
        sock.close()
        raise
    return sock


def _no_unix(path: object) -> Any:
    raise OSError(errno.EAFNOSUPPORT, f"there are no Unix sockets on this system, and no service was given to {describe(path)}")


def _no_delay(sock: socket.socket) -> None:
    if sock.family in (socket.AF_INET, getattr(socket, "AF_INET6", None)) and sock.type == socket.SOCK_STREAM:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _prepare(where: str, sock: Any) -> None:
    if not hasattr(sock, "recv") or not hasattr(sock, "gettimeout"):
        raise TypeError(f"{where}() takes a socket, not {describe(sock)}{not_yielded(sock)}")
    if sock.gettimeout() != 0:
        number_of(sock)  # OSError that names it, if it is closed
        sock.setblocking(False)


def _is_loss(error: BaseException) -> bool:
    return isinstance(error, (ConnectionError, TimeoutError)) or type(error).__name__ in ("SSLEOFError", "SSLZeroReturnError")


def _wants(error: Exception) -> bool | None:
    """Return whether TLS wants to write before it goes on; None if it wants nothing."""
    name = type(error).__name__
    return name == "SSLWantWriteError" if name in ("SSLWantReadError", "SSLWantWriteError") else None


def _count(where: str, nbytes: int) -> int:
    if not hasattr(nbytes, "__index__") or isinstance(nbytes, bool):
        raise TypeError(f"{where} takes a number of bytes, not {describe(nbytes)}{not_yielded(nbytes)}")
    nbytes = index(nbytes)
    if nbytes < 1:
        raise ValueError(f"{where} takes a number of bytes from 1 on, not {describe(nbytes)}")
    return nbytes


def _buffer(where: str, data: Any) -> Any:
    if isinstance(data, str):
        raise TypeError(f"{where} takes bytes, not text: encode it, {describe(data)}.encode()")
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"{where} takes bytes or another buffer, not {describe(data)}{not_yielded(data)}") from None
    return view.cast("B") if view.contiguous else view.tobytes()


def _at(host: object, service: object) -> str:
    return describe(host) if service is None else f"host {describe(host)}, service {describe(service)}"


def _text(error: int) -> str:
    from os import strerror

    return strerror(error)
