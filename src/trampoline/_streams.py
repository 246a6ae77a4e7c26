"""To read from stream sockets and to write to them: `nonblocking_read()` and `nonblocking_write()`."""

from __future__ import annotations

import socket
from contextlib import suppress
from sys import maxsize
from weakref import WeakKeyDictionary, ref

from trampoline._base import describe, promptly, resumed
from trampoline._core import core
from trampoline._errors import set_traceback
from trampoline._operations import AGAIN, ConnectionLost, Operation, buffer_of, count_of, is_loss, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

    from trampoline._base import Called

_spend = getattr(core, "_spend", id)  # that of the core in C, where it does not do without at_once(): it counts by itself
_LARGE = 14  # a write counts as one more for each so many bytes, as a power of 2
_TRIES = 10  # how often a pseudothread is told that what it reads is lost
_told: WeakKeyDictionary[socket.socket, WeakKeyDictionary[core.Pseudothread[Any], int]] = WeakKeyDictionary()
_Socket = socket.socket
_written: set[ref[Any]] = set()  # the sockets to which something is left to be written

# To read and to write is what a server does all day. So the common way is written out, and functions make the objects: a class that is
# called costs as much again as all that follows before the system call.


def nonblocking_read(sock: socket.socket, nbytes: int = 65536) -> Called[bytes]:
    """Read from a stream socket: give from 1 to `nbytes` bytes, as soon as there are any.

    ConnectionLost at the end of the stream and when the connection is reset. A pseudothread that goes on to read what it was told is lost
    is closed at the tenth time, and the connection shut down unless somebody writes to it: so PEP 342's `echo_handler`, which does, exits
    "normally if connection lost", and a client that closed only its own half gets its end. ValueError if `nbytes` is less than 1.

    Whoever is thrown into by another thread or a signal handler may lose what is read at that moment.
    """
    if type(sock) is not _Socket:
        prepare("nonblocking_read", sock)
    if type(nbytes) is not int or not 0 < nbytes <= maxsize:
        nbytes = count_of("nonblocking_read()", nbytes)
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
        prepare("nonblocking_write", sock)
    writing = _Write()
    writing._file = sock
    writing._data = data if type(data) is bytes else buffer_of("nonblocking_write()", data)
    return writing


class _Read(Operation):
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
            if not getattr(watched, "gives_data", False) and self._listens(watched):
                return
            if pseudothread.waits_for is not self:
                self.withdraw(pseudothread)  # as in Operation.suspend()

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
                resumed(pseudothread, self, data)
            else:
                self._end()
            return
        self._failed(failure)

    def _end(self) -> None:
        self._failed(ConnectionLost(f"the other end has closed the connection of {describe(self._file)}"))

    def _fail(self, error: BaseException) -> None:
        if is_loss(error):
            told, pseudothread = _told.setdefault(self._file, WeakKeyDictionary()), self._pseudothread
            told[pseudothread] = told.get(pseudothread, 0) + 1
            if told[pseudothread] >= _TRIES:
                if ref(self._file) not in _written:
                    with suppress(OSError):  # it was reset
                        self._file.shutdown(socket.SHUT_RDWR)
                pseudothread.close()
                return
        super()._fail(error)

    def __repr__(self) -> str:
        return f"nonblocking_read({describe(self._file)}, {self._nbytes})"


class _Write(Operation):
    __slots__ = ("_begun", "_data", "_sent")

    _writing = _of_stream = True
    _data: Any
    _sent: int
    _begun: int | Exception | None  # what came of the attempt that at_once() made: how many bytes were sent, or the error

    def at_once(self, pseudothread: core.Pseudothread[Any]) -> Any:
        """Send all of it, or begin to. A large one counts as several: the next is not done at once any more."""
        file, data = self._file, self._data
        if _written and ref(file) in _written:
            raise RuntimeError(f"another pseudothread writes to {describe(file)}: let one write, and hand on what it does")
        if not data:
            return 0
        try:
            sent = file.send(data)
        except Exception as error:
            set_traceback(error, None)  # which holds this frame
            self._begun = error
            return NotImplemented
        if sent < len(data):
            self._begun = sent
            return NotImplemented
        promptly[0] -= sent >> _LARGE
        _spend(sent >> _LARGE)
        return sent

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        begun: Any = getattr(self, "_begun", None)
        if begun is None:
            sent = self.at_once(pseudothread)
            if sent is not NotImplemented:
                resumed(pseudothread, self, sent)
                return
            begun = self._begun
        self._begun = None
        self._go_on(pseudothread, begun)

    def _go_on(self, pseudothread: core.Pseudothread[Any], begun: int | Exception) -> None:
        """Have the rest written, where the first `begun` bytes were sent, or see what the error means that came instead."""
        self._pseudothread, self._watched, self._sent = pseudothread, None, 0
        if isinstance(begun, Exception):
            self._failed(begun)
        else:
            self._sent = begun
            self._watch_again(True)

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> None:
        if getattr(self, "_watched", None) is not None:
            _written.discard(ref(self._file))
        super().withdraw(pseudothread)

    def _watch(self, writing: bool) -> None:
        _written.add(ref(self._file, _written.discard))
        try:
            super()._watch(writing)
        except BaseException:
            _written.discard(ref(self._file))
            raise

    def _later(self) -> None:
        _written.add(ref(self._file, _written.discard))
        super()._later()

    def _ready(self) -> None:
        if self._watched is not None:
            _written.discard(ref(self._file))
        super()._ready()

    def _attempt(self) -> Any:
        self._sent += self._file.send(memoryview(self._data)[self._sent :])
        return self._sent if self._sent >= len(self._data) else AGAIN

    def __repr__(self) -> str:
        return f"nonblocking_write({describe(self._file)}, {len(self._data)} bytes)"


if not TYPE_CHECKING and hasattr(core, "_know_streams"):  # the core in C
    nonblocking_read, nonblocking_write = core._know_streams(_Read, _Write, _Socket, _written, nonblocking_read, nonblocking_write)
