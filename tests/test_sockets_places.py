"""Where sockets listen and connect: names and numbers, several addresses, refused, unknown, out of range, in use."""

import errno
import socket
import sys
import tempfile
import threading

import pytest
from test_sockets import KINDS, V6, client, server
from wires import place, play

from trampoline import listening_socket, nonblocking_accept, nonblocking_connect, nonblocking_read, nonblocking_write, sleep


def asked(monkeypatch, answers=None):
    """Watch `getaddrinfo()`, or have it answer so for what is no number. Return the list of the threads that asked it for a name."""
    threads, ask = [], socket.getaddrinfo

    def watched(host, service, family=0, kind=0, protocol=0, flags=0):
        if flags & socket.AI_NUMERICHOST and answers is None:
            return ask(host, service, family, kind, protocol, flags)
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        threads.append(threading.current_thread())
        return ask(host, service, family, kind, protocol, flags) if answers is None else answers

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    return threads


def test_a_name_is_resolved_off_the_loop_and_a_number_needs_no_thread(core, monkeypatch):
    with place("IPv4") as (listener, (_, port)):
        threads = asked(monkeypatch)
        assert play(core, server(listener), client(("127.0.0.1", str(port)), b"by number"))[1] == [b"by number"]
        assert threads == []
        assert play(core, server(listener), client(("localhost", port), b"by name"))[1] == [b"by name"]
        assert threads
        assert threading.main_thread() not in threads


def test_a_service_by_name(core, monkeypatch):
    with place("IPv4") as (listener, where):
        asked(monkeypatch, [(socket.AF_INET, socket.SOCK_STREAM, 0, "", where)])
        assert play(core, server(listener), client(("echo.example", "echo"), b"found"))[1] == [b"found"]


def refusing():
    """Return an address at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()


def test_the_addresses_of_a_host_are_tried_one_after_the_other(core, monkeypatch):
    with place("IPv4") as (listener, where):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in (refusing(), where, refusing())]
        found.insert(0, (10_000, socket.SOCK_STREAM, 0, "", ()))  # of a family that this system does not have
        asked(monkeypatch, found)
        assert play(core, server(listener), client(("several.example", 7), b"second"))[1] == [b"second"]


def failure(core, *where, **options):
    """Return the error with which a connection fails."""

    def connects():
        with pytest.raises(OSError, match=r".") as caught:
            yield nonblocking_connect(*where, **options)
        return caught.value

    return play(core, connects())[0]


def test_refused(core, monkeypatch):
    host, port = refusing()
    error = failure(core, host, port)
    assert type(error) is ConnectionRefusedError
    assert error.errno == errno.ECONNREFUSED
    assert f"host {host!r}, service {port}" in str(error)
    error = failure(core, "/no/such/socket")
    assert type(error) is (FileNotFoundError if hasattr(socket, "AF_UNIX") else OSError)
    assert "/no/such/socket" in str(error)
    others = [(10_000, socket.SOCK_STREAM, 0, "", ()), (socket.AF_INET, socket.SOCK_STREAM, 0, "", refusing())]
    asked(monkeypatch, others[::-1])
    assert type(failure(core, "several.example", 7)) is ConnectionRefusedError, "the error of the first"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it is refused when the listener's queue is full")
def test_a_unix_socket_whose_queue_is_full_is_waited_for(core):
    def connects(number):
        with (yield nonblocking_connect(path)) as sock:
            assert sock.getpeername() == path, "what is not connected is no connection"
            order.append(number)
            yield nonblocking_write(sock, b"%d" % number)

    def accepts():
        yield sleep(0.03)
        order.append("accepted")
        got = []
        for _ in range(4):
            with (yield nonblocking_accept(listener)) as sock:
                got.append((yield nonblocking_read(sock)))
        return got

    order = []
    with tempfile.TemporaryDirectory() as folder, listening_socket(path := f"{folder}/socket", backlog=0) as listener:
        got = play(core, *(connects(number) for number in range(4)), accepts())[-1]
    assert sorted(got) == [b"0", b"1", b"2", b"3"]
    assert 1 <= order.index("accepted") < 4


def test_no_such_service(core):
    error = failure(core, "127.0.0.1", "no-such-service")
    assert isinstance(error, socket.gaierror)
    assert "'127.0.0.1', service 'no-such-service' is not known" in str(error)
    with pytest.raises(socket.gaierror, match="'no-such-service' is not known"):
        listening_socket("127.0.0.1", "no-such-service")


def test_no_such_host(core, monkeypatch):
    error = failure(core, "no-such-host.invalid", 80)
    assert isinstance(error, socket.gaierror)
    assert "host 'no-such-host.invalid', service 80 is not known" in str(error)


@pytest.mark.parametrize("port", [-1, 65536, 70_000])
def test_no_such_port(core, port):
    assert f"service {port}" in str(failure(core, "127.0.0.1", port))
    with pytest.raises(OSError, match=f"service {port}"):
        listening_socket("127.0.0.1", port).close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_in_use(kind):
    with place(kind) as (_, where), pytest.raises(OSError, match=r"cannot listen at .*in use") as caught:
        listening_socket(*where).close()
    assert caught.value.errno == errno.EADDRINUSE


def test_a_port_that_is_shared(core):
    with listening_socket("127.0.0.1", 0, reuse_port=True) as one:
        with listening_socket(*one.getsockname(), reuse_port=True) as other:
            assert one.getsockname() == other.getsockname()
        assert play(core, server(one), client(one.getsockname(), b"heard"))[1] == [b"heard"]


@V6
def test_all_addresses_are_both_kinds(core):
    with listening_socket("", 0) as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            assert play(core, server(listener), client((host, port), b"heard"))[1] == [b"heard"]
    with listening_socket("", 0, family=socket.AF_INET) as listener:
        assert listener.family == socket.AF_INET
