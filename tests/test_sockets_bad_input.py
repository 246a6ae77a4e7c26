"""What is wrong from the start is refused where it is asked for, by an error that names it; a blocking socket is made non-blocking."""

import errno
import re
import socket
import ssl
import sys
from contextlib import suppress
from ctypes import c_int

import pytest
from wires import play, value_of

from trampoline import (
    listening_socket,
    nonblocking_accept,
    nonblocking_connect,
    nonblocking_handshake,
    nonblocking_read,
    nonblocking_recvfrom,
    nonblocking_sendto,
    nonblocking_write,
    readable,
    timeout,
    writable,
)
from trampoline._base import describe


def sendto(sock, data=b"data"):
    return nonblocking_sendto(sock, data, ("127.0.0.1", 9))


OF_SOCKETS = {
    "nonblocking_accept": nonblocking_accept,
    "nonblocking_read": nonblocking_read,
    "nonblocking_recvfrom": nonblocking_recvfrom,
    "nonblocking_sendto": sendto,
    "nonblocking_write": lambda sock: nonblocking_write(sock, b"data"),
}
OF_FILES = {"readable": readable, "writable": writable}


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this Python has no Unix sockets, and says so")
@pytest.mark.parametrize("alone", [7007, ("localhost", 7007)], ids=repr)
def test_where_the_service_was_forgotten(alone):
    with pytest.raises(TypeError, match=r"^listening_socket\(\) takes a host and a service, or the path of .* alone$"):
        listening_socket(alone)
    with pytest.raises(TypeError, match=r"^nonblocking_connect\(\) takes a host and a service, or the path of .* alone$"):
        next(nonblocking_connect(alone))


def connects(core, *where):
    return play(core, value_of(nonblocking_connect(*where)))


@pytest.mark.parametrize("of", ["listening_socket", "nonblocking_connect"])
@pytest.mark.parametrize("where", [(5, 80), ("127.0.0.1", 1.5), ("127.0.0.1", True), (object(), "http")], ids=repr)
def test_what_is_no_host_or_no_service(core, of, where):
    named = f"host {describe(where[0])}, service {describe(where[1])} is none"
    with pytest.raises(TypeError, match=re.escape(named)):
        listening_socket(*where) if of == "listening_socket" else connects(core, *where)


@pytest.mark.parametrize("of", ["listening_socket", "nonblocking_connect"])
def test_a_name_that_is_none_and_a_path_that_is_too_long(core, of):
    def opens(*where):
        return listening_socket(*where) if of == "listening_socket" else connects(core, *where)

    with pytest.raises(socket.gaierror, match=r"host 'a{64}\.com', service 80 is not known: "):
        opens("a" * 64 + ".com", 80)
    if hasattr(socket, "AF_UNIX"):
        with pytest.raises(OSError, match=r"cannot (listen at|connect to) '/xxx") as caught:
            opens("/" + "x" * 200)
        assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize("name", OF_SOCKETS)
@pytest.mark.parametrize("what", [None, 5, "text", object(), socket.socket])
def test_what_is_no_socket(name, what):
    if what is socket.socket:
        with open(__file__) as file, pytest.raises(TypeError, match=rf"{name}\(\) takes a socket, not <_io"):
            OF_SOCKETS[name](file)
        return
    with pytest.raises(TypeError, match=rf"^{name}\(\) takes a socket, not "):
        OF_SOCKETS[name](what)


@pytest.mark.parametrize("name", OF_FILES)
@pytest.mark.parametrize("what", [None, "text", 1.5, True, object()])
def test_what_is_no_file(name, what):
    with pytest.raises(TypeError, match=rf"^{name}\(\) takes a file, that is a descriptor's number or what has a fileno\(\), not "):
        OF_FILES[name](what)


@pytest.mark.parametrize("name", [*OF_SOCKETS, *OF_FILES])
def test_a_forgotten_yield_is_named(ends, name):
    with pytest.raises(TypeError, match="write `yield` before it where it is made"):
        {**OF_SOCKETS, **OF_FILES}[name](nonblocking_accept(ends[0]))
    for made in (lambda got: nonblocking_write(ends[0], got), lambda got: nonblocking_read(ends[0], got)):
        with pytest.raises(TypeError, match="write `yield` before it where it is made"):
            made(nonblocking_read(ends[1]))


@pytest.mark.parametrize("name", OF_SOCKETS)
def test_a_closed_socket_is_refused_at_once_or_at_the_yield(core, name):
    def waits():
        yield OF_SOCKETS[name](sock)

    for blocking in (True, False):
        sock = socket.socket()
        sock.setblocking(blocking)
        sock.close()
        with core.Waiting() as t:
            t.add(waits())
            with pytest.raises(OSError, match=r"<socket.socket \[closed\].* is closed|closed file") as caught:
                t.run()
            assert caught.value.errno == errno.EBADF
            assert "reactor" not in vars(t) or not t.reactor.waiting


@pytest.mark.parametrize("name", OF_FILES)
def test_a_closed_file_is_refused_at_the_yield(core, name):
    def waits():
        yield OF_FILES[name](file)

    with open(__file__) as file:
        pass
    for each in (file, 12345, -1, 2**40):
        file = each
        with core.Waiting() as t:
            t.add(waits())
            with pytest.raises(OSError, match=r".") as caught:
                t.run()
            assert caught.value.errno == errno.EBADF
            assert not t.reactor.waiting


@pytest.mark.parametrize("read", [nonblocking_read, nonblocking_recvfrom])
def test_a_bad_number_of_bytes(ends, read):
    for nbytes in (0, -1, -(10**30)):
        with pytest.raises(ValueError, match=rf"{read.__name__}\(\) takes a number of bytes from 1 on, not {nbytes}"):
            read(ends[0], nbytes)
    with pytest.raises(ValueError, match=rf"{read.__name__}\(\) takes a number of bytes from 1 to {sys.maxsize}, not 1{30 * '0'}"):
        read(ends[0], 10**30)
    for nbytes in (None, 1.0, "1", True, b"1"):
        with pytest.raises(TypeError, match=rf"{read.__name__}\(\) takes a number of bytes, not "):
            read(ends[0], nbytes)


@pytest.mark.parametrize("write", [nonblocking_write, sendto])
def test_what_is_no_data(ends, write):
    with pytest.raises(TypeError, match=r"takes bytes, not text: encode it, 'text'\.encode\(\)"):
        write(ends[0], "text")
    for data in (None, 5, [1], object()):
        with pytest.raises(TypeError, match=r"takes bytes or another buffer, not "):
            write(ends[0], data)


def test_an_empty_buffer_of_several_dimensions(core, ends):
    assert play(core, value_of(nonblocking_write(ends[0], (c_int * 3 * 0)()))) == [0]


def test_a_handshake_of_what_speaks_no_tls(ends):
    with pytest.raises(TypeError, match=r"nonblocking_handshake\(\) takes an ssl.SSLSocket, not <socket.socket"):
        nonblocking_handshake(ends[0])
    with pytest.raises(TypeError, match=r"nonblocking_handshake\(\) takes a socket, not None"):
        nonblocking_handshake(None)


@pytest.mark.parametrize("wait", [*OF_SOCKETS, *OF_FILES, "nonblocking_handshake"])
@pytest.mark.parametrize("seconds", [None, 0.5])
def test_a_blocking_socket_is_made_non_blocking(core, wait, seconds):
    """When it is waited for at the latest, and one with a timeout too: whose timeouts are those of timeout()."""

    def waits():
        with suppress(OSError):  # it is not connected, or the time is up
            got = yield timeout(0.01, {**OF_SOCKETS, **OF_FILES}[wait](sock))
            if wait == "nonblocking_accept":
                got.close()

    kind = socket.SOCK_DGRAM if "to" in wait or "from" in wait else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as sock, socket.socket() as other:
        sock.settimeout(seconds)
        if wait == "nonblocking_handshake":
            with ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as tls:
                nonblocking_handshake(tls)
                assert tls.gettimeout() == 0
            return
        if wait == "nonblocking_accept":
            sock.listen()
            other.connect(sock.getsockname())
        play(core, waits())
        assert sock.gettimeout() == 0


@pytest.mark.parametrize("read", [nonblocking_read, nonblocking_recvfrom])
@pytest.mark.parametrize("before", [None, readable, nonblocking_accept])
def test_to_read_from_a_socket_that_listens(core, read, before):
    caught = []

    def root():
        if before is not None:
            with socket.create_connection(listener.getsockname()):
                got = yield before(listener)
                if got is not None:
                    got.close()
                else:
                    listener.accept()[0].close()
        try:
            yield timeout(20, read(listener))
        except OSError as error:
            caught.append(error)

    with listening_socket("127.0.0.1", 0) as listener, core.Waiting() as t:
        t.add(root())
        t.run()
        assert caught[0].errno == errno.ENOTCONN
        assert str(caught[0]).endswith(f"{listener!r} listens, and gives connections in place of data: did you mean nonblocking_accept()?")
        assert not t.reactor.waiting


@pytest.mark.parametrize("read_before", [False, True])
def test_to_accept_from_a_socket_that_is_connected(core, read_before):
    caught = []

    def root():
        if read_before:
            other.send(b"data")
            assert (yield nonblocking_read(sock)) == b"data"
        try:
            yield timeout(20, nonblocking_accept(sock))
        except OSError as error:
            caught.append(str(error))
        other.send(b"more")
        caught.append((yield nonblocking_read(sock)))

    sock, other = socket.socketpair()
    with sock, other, core.Waiting() as t:
        t.add(root())
        t.run()
        assert caught[0].endswith(f"{sock!r} does not listen, it is connected: did you mean nonblocking_read()?")
        assert caught[1:] == [b"more"]


@pytest.mark.skipif(sys.platform == "emscripten", reason="Pyodide has no sockets to wait for")
@pytest.mark.parametrize(
    ("kind", "waits", "hint"),
    [
        (socket.SOCK_STREAM, nonblocking_accept, "does not listen: listening_socket() makes one that does"),
        (socket.SOCK_DGRAM, nonblocking_accept, "does not listen: did you mean nonblocking_recvfrom()?"),
        (socket.SOCK_STREAM, nonblocking_read, "is not connected: nonblocking_connect() gives one that is"),
        (socket.SOCK_STREAM, nonblocking_recvfrom, "is not connected: nonblocking_connect() gives one that is"),
    ],
)
def test_a_socket_that_is_not_connected(core, kind, waits, hint):
    caught = []

    def root():
        try:
            yield timeout(20, waits(sock))
        except OSError as error:
            caught.append(str(error))

    with socket.socket(type=kind) as sock, core.Waiting() as t:
        t.add(root())
        t.run()
        assert caught[0].endswith(f"{sock!r} {hint}")


def test_a_socket_of_which_the_system_does_not_say_whether_it_listens(core):
    class Silent(socket.socket):
        def getsockopt(self, *_):
            raise OSError(errno.ENOPROTOOPT, "not here")

    got = []

    def root():
        got.append((yield nonblocking_accept(listener)))
        client.send(b"data")
        got.append((yield nonblocking_read(got[0])))

    listener = Silent(fileno=listening_socket("127.0.0.1", 0).detach())
    with listener, socket.create_connection(listener.getsockname()) as client, core.Waiting() as t:
        t.add(root())
        t.run()
        assert got[1] == b"data"
        got[0].close()
