"""Where sockets come from: `listening_socket()`, `nonblocking_accept()` and `nonblocking_connect()`; TLS handshakes; and datagrams."""

from __future__ import annotations

import errno
import socket
import types
from os import fspath

from trampoline._base import describe
from trampoline._operations import RETRY, Operation, buffer_of, count_of, is_connected, listens, prepare, writable
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

_BACKLOG = 1024


class _OfSocket(Operation):
    __slots__ = ()

    def __init__(self, sock: socket.socket) -> None:
        prepare(type(self).__name__, sock)
        self._file = sock


class nonblocking_accept(_OfSocket):
    """Accept a connection on a listening socket and give its socket, non-blocking, and without Nagle's delay if it is TCP.

    Of a listening `ssl.SSLSocket` it gives one whose handshake comes with the first read or write, or by `nonblocking_handshake()`. When
    the process has no descriptor left the OSError (EMFILE) arrives at the yield; the connection waits, to be accepted later.
    """

    __slots__ = ()

    def __init__(self, sock: socket.socket) -> None:  # Python names the class in which it is written
        super().__init__(sock)

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        if listens(self._file) is False:
            self._begin(pseudothread)  # it fails at once
        else:
            super().suspend(pseudothread)

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
                ragged = listener.suppress_ragged_eofs
                connected = context.wrap_socket(connected, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=ragged)
                connected.getpeername()  # of one that is reset meanwhile it makes one that speaks no TLS
            connected.setblocking(False)
            _no_delay(connected)
        except OSError as error:
            connected.close()
            if not isinstance(error, ConnectionError) and error.errno not in (errno.ENOTCONN, errno.EINVAL):
                raise
            raise ConnectionAbortedError from None  # no fault of the listener's, and so no end of the loop that accepts
        return connected

    def _drop(self, got: Any) -> None:
        got.close()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, ConnectionAbortedError):  # it was gone before it was accepted
            self._watch_again(False)
        else:
            super()._fail(error)

    def _hint(self) -> str | None:
        if listens(self._file) is not False:
            return None
        if self._file.type == socket.SOCK_DGRAM:
            return "does not listen: did you mean nonblocking_recvfrom()?"
        if is_connected(self._file):
            return "does not listen, it is connected: did you mean nonblocking_read()?"
        return "does not listen: listening_socket() makes one that does"

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
        self._nbytes = count_of("nonblocking_recvfrom()", nbytes)

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        super().suspend(pseudothread)
        watched = self._watched
        if watched is not None and not getattr(watched, "gives_data", False):
            self._listens(watched)

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
        self._data, self._address = buffer_of("nonblocking_sendto()", data), address

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


def listening_socket(
    host: Any, service: str | int | None = None, *, family: int = 0, backlog: int = _BACKLOG, reuse_port: bool = False
) -> socket.socket:
    """Return a non-blocking TCP socket that listens at `host`, a name or an address ("" for all), and `service`, a name or a port (0: any).

    Without a service `host` is the path of a Unix socket, with a slash in it. Of several addresses IPv4 comes first, unless `family` says
    which; "" takes both where the system can. The names are resolved at once. OSError that names host and service if they are not known, or
    in use.
    """
    if service is None:
        path = _path("listening_socket()", host)
        return _bound(socket.AF_UNIX, path, backlog, reuse_port) if hasattr(socket, "AF_UNIX") else _no_unix(path)
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

        Without a service `host` is the path of a Unix socket, with a slash in it. Names are resolved on a thread. The addresses of a host
        are tried one after the other; if none answers the error of the first is raised. `yield timeout(5, nonblocking_connect(...))` bounds
        it.
        """
        if service is None:
            if not hasattr(socket, "AF_UNIX"):
                _no_unix(host)
            found = [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", _path("nonblocking_connect()", host))]
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
                    error = _begun(sock, address)
                while error == errno.EAGAIN and kind == getattr(socket, "AF_UNIX", None):  # the listener's queue is full
                    yield sleep(RETRY)
                    error = _begun(sock, address)
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


def _begun(sock: socket.socket, address: Any) -> int:
    """Begin to connect. Return the number of the error, 0 for none; also where Python has none, as for the path of a Unix socket."""
    try:
        return sock.connect_ex(address)
    except OSError as error:
        return error.errno or errno.ENAMETOOLONG


def _addresses(host: Any, service: Any, family: int, flags: int = 0) -> list[Any]:
    if not isinstance(host, (str, bytes, type(None))) or not isinstance(service, (str, bytes, int)) or isinstance(service, bool):
        raise TypeError(f"a host is a name or an address, a service a name or a port: {_at(host, service)} is none")
    if isinstance(service, int) and not 0 <= service < 65536:  # the system would take it modulo 65536
        raise OSError(errno.EINVAL, f"{_at(host, service)}: a port is a number from 0 to 65535")
    try:
        return list(socket.getaddrinfo(host, service, family, socket.SOCK_STREAM, 0, flags))
    except UnicodeError as error:  # a label of the name is too long, say
        raise socket.gaierror(socket.EAI_NONAME, f"{_at(host, service)} is not known: {error}") from None
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
        number = error.errno or errno.ENAMETOOLONG  # Python has none for the path of a Unix socket
        raise OSError(number, f"cannot listen at {describe(address)}: {error.strerror or error}") from None
    except BaseException:
        sock.close()
        raise
    return sock


def _path(where: str, host: Any) -> str | bytes:
    """Return the path of a Unix socket that is meant where no service is given."""
    try:
        path: str | bytes = fspath(host)
    except TypeError:
        raise TypeError(f"{where} takes a host and a service, or the path of a Unix socket, not {describe(host)} alone") from None
    slashes: tuple[Any, Any] = ("/", "\\") if isinstance(path, str) else (b"/", b"\\")
    if path is host and path[:1] not in ("\0", b"\0") and slashes[0] not in path and slashes[1] not in path:
        raise ValueError(f"{where} takes a service, too: {describe(host)} alone would be the path of a Unix socket, which needs a slash")
    return path


def _no_unix(path: object) -> Any:
    raise OSError(errno.EAFNOSUPPORT, f"there are no Unix sockets on this system, and no service was given to {describe(path)}")


def _no_delay(sock: socket.socket) -> None:
    if sock.family in (socket.AF_INET, getattr(socket, "AF_INET6", None)) and sock.type == socket.SOCK_STREAM:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _at(host: object, service: object) -> str:
    return describe(host) if service is None else f"host {describe(host)}, service {describe(service)}"


def _text(error: int) -> str:
    from os import strerror

    return strerror(error)
