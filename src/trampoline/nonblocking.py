"""Sockets and other files that can be waited for, under the names of PEP 342: `data = yield nonblocking_read(sock, nbytes)`.

Each is yielded (or awaited, or yielded from) by a coroutine that a `Trampoline` runs, and parks its pseudothread until it is done. Sockets
are the standard library's, made non-blocking if they are not; an `ssl.SSLSocket`, wrapped with `do_handshake_on_connect=False`, does too.

One pseudothread may read a socket while another writes to it; a second reader, or a second writer, gets a RuntimeError. A socket that is
closed while somebody waits for it gives that pseudothread an OSError (EBADF), at the latest when the trampoline has had nothing to do for a
moment.
"""

from trampoline._operations import ConnectionLost, readable, writable
from trampoline._sockets import (
    listening_socket,
    nonblocking_accept,
    nonblocking_connect,
    nonblocking_handshake,
    nonblocking_recvfrom,
    nonblocking_sendto,
)
from trampoline._streams import nonblocking_read, nonblocking_write

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
