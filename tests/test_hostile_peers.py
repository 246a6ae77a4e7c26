"""What docs/security.md says that a peer cannot do, as far as no other test of sockets holds it."""

import errno
import socket
import threading

import pytest
from wires import LIMIT, pair, play, reset

from trampoline import (
    ConnectionLost,
    listening_socket,
    nonblocking_accept,
    nonblocking_read,
    nonblocking_recvfrom,
    nonblocking_write,
    sleep,
)


def flood(sock):
    """Send as fast as it goes, on a thread, until the other end is closed."""

    def send():
        with sock:
            try:
                while True:
                    sock.sendall(bytes(65536))
            except OSError:
                pass

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def test_who_sends_without_end_takes_its_turns_and_no_more(core):
    ours, theirs = pair("IPv4")
    quiet, other = pair()
    got = []

    def drowned():
        with ours:
            while len(got) < 20:
                yield nonblocking_read(ours)

    def served():
        with quiet:
            while len(got) < 20:
                got.append((yield nonblocking_read(quiet)))
                yield nonblocking_write(quiet, b"more")

    def asks():
        with other:
            try:
                while True:
                    yield nonblocking_write(other, b"x")
                    yield nonblocking_read(other)
            except ConnectionLost:
                pass

    thread = flood(theirs)
    play(core, drowned(), served(), asks())
    thread.join(LIMIT)
    assert not thread.is_alive()
    assert got == [b"x"] * 20


def test_a_read_gives_no_more_than_was_asked_for_and_nothing_is_read_ahead(core):
    ours, theirs = pair()

    def reads():
        with ours:
            first = yield nonblocking_read(ours, 10)
            yield sleep(0)
            return first, ours.recv(10)

    with theirs:
        theirs.sendall(b"0123456789abcdef")
        assert play(core, reads()) == [(b"0123456789", b"abcdef")]


def test_who_knocks_until_descriptors_run_out_ends_no_connection(core):
    """The listener is told at its yield; what stands is served; when there is room again the one that waited comes in."""
    resource = pytest.importorskip("resource", reason="limits of descriptors are POSIX's")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with listening_socket("127.0.0.1", 0) as listener:
        first, second = (socket.create_connection(listener.getsockname()) for _ in range(2))

        def accepts():
            with (yield nonblocking_accept(listener)) as standing:
                yield sleep(0.001)  # the reactor has its descriptors
                resource.setrlimit(resource.RLIMIT_NOFILE, (standing.fileno() + 1, hard))  # on which the next would be
                try:
                    with pytest.raises(OSError, match="open files") as caught:
                        yield nonblocking_accept(listener)
                    yield nonblocking_write(standing, b"still here")
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                with (yield nonblocking_accept(listener)) as late:
                    yield nonblocking_write(late, b"come in")
            return caught.value.errno

        with first, second:
            assert play(core, accepts()) == [errno.EMFILE]
            assert (first.recv(100), second.recv(100)) == (b"still here", b"come in")


def test_who_resets_before_it_is_accepted_ends_no_listener(core):
    with listening_socket("127.0.0.1", 0) as listener:

        def accepts():
            outcomes = []
            for _ in range(2):
                with (yield nonblocking_accept(listener)) as sock:
                    try:
                        outcomes.append((yield nonblocking_read(sock)))
                    except ConnectionLost:
                        outcomes.append("lost")
            return outcomes

        reset(socket.create_connection(listener.getsockname()))
        with socket.create_connection(listener.getsockname()) as honest:
            honest.sendall(b"hello")
            assert play(core, accepts()) == [["lost", b"hello"]]


def test_what_a_datagram_has_more_than_was_asked_for_is_dropped(core):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
        ours.bind(("127.0.0.1", 0))

        def receives():
            first, _ = yield nonblocking_recvfrom(ours, 4)
            second, _ = yield nonblocking_recvfrom(ours, 100)
            return first, second

        for datagram in (b"too long", b"next"):
            theirs.sendto(datagram, ours.getsockname())
        assert play(core, receives()) == [(b"too ", b"next")]
