"""TLS: the functions of `trampoline.nonblocking` on an `ssl.SSLSocket`. Handshakes, data that TLS keeps back, peers that speak something
else, and how a connection ends with and without a farewell. What TLS wants before it goes on is in `test_tls_wants.py`.
"""

import gc
import os
import shutil
import socket
import ssl
import subprocess
from contextlib import contextmanager, suppress

import pytest
from wires import LIMIT, Counting, descriptors, play, reset

from trampoline import (
    ConnectionLost,
    listening_socket,
    nonblocking_accept,
    nonblocking_connect,
    nonblocking_handshake,
    nonblocking_read,
    nonblocking_write,
    sleep,
    timeout,
)

VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
MAKE = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The files of a certificate for localhost, and of its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    where = tmp_path_factory.mktemp("tls")
    files = ["-keyout", "key.pem", "-out", "certificate.pem", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*MAKE.split(), *files], cwd=where, check=True, capture_output=True, timeout=LIMIT)
    return str(where / "certificate.pem"), str(where / "key.pem")


class Contexts:
    """The contexts of both sides, and what is made with them."""

    def __init__(self, certificate, version):
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(*certificate)
        self.client = ssl.create_default_context(cafile=certificate[0])
        for context in (self.server, self.client):
            context.minimum_version = context.maximum_version = version

    @contextmanager
    def listener(self, **options):
        """Give a listening SSLSocket."""
        with self.server.wrap_socket(listening_socket("127.0.0.1", 0), server_side=True, **options) as listener:
            yield listener

    def connected(self, listener, **options):
        """Connect to it; the handshake is to be made."""
        sock = yield nonblocking_connect(*listener.getsockname())
        return self.wrapped(sock, **options)

    def wrapped(self, sock, **options):
        return self.client.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False, **options)


@pytest.fixture(params=VERSIONS)
def tls(request, certificate):
    """Contexts of each version."""
    return Contexts(certificate, VERSIONS[request.param])


@pytest.fixture
def tls13(certificate):
    """Contexts where the version does not matter."""
    return Contexts(certificate, ssl.TLSVersion.TLSv1_3)


def read_exactly(sock, nbytes):
    got = bytearray()
    while len(got) < nbytes:
        got += yield nonblocking_read(sock, min(65536, nbytes - len(got)))
    return bytes(got)


def error_of(suspension, kind):
    """Wait, and return the error that comes."""
    try:
        got = yield suspension
    except kind as error:
        return error
    raise AssertionError(f"{suspension!r} gave {got!r}, and no error")


@pytest.mark.parametrize("first", ["handshake", "read", "write"])
def test_the_handshake_comes_by_itself_or_is_asked_for(core, tls, first):
    def serves():
        with (yield nonblocking_accept(listener)) as sock:
            assert sock.version() is None
            if first == "handshake":
                assert (yield nonblocking_handshake(sock)) is None
                assert sock.version() is not None
            question = b"" if first == "write" else (yield nonblocking_read(sock))
            yield nonblocking_write(sock, b"answer to " + question)

    def asks():
        with (yield tls.connected(listener)) as sock:
            if first == "handshake":
                yield nonblocking_handshake(sock)
                assert sock.getpeercert()["subject"] == ((("commonName", "localhost"),),)
            if first != "write":
                yield nonblocking_write(sock, b"question")
            return (yield nonblocking_read(sock))

    with tls.listener() as listener:
        assert play(core, serves(), asks())[1] == b"answer to " + (b"" if first == "write" else b"question")


def test_large_transfers_both_ways_at_once(core, tls):
    def talks(sock, mine):
        yield nonblocking_handshake(sock)
        writer = t.add(timeout(LIMIT, writes(sock, mine)))
        got = yield read_exactly(sock, len(data[1 - mine]))
        while not writer.done:
            yield sleep(0.001)
        sock.close()
        return got, writer.result()

    def writes(sock, mine):
        return (yield nonblocking_write(sock, data[mine]))

    def serves():
        return (yield talks((yield nonblocking_accept(listener)), 0))

    def asks():
        return (yield talks((yield tls.connected(listener)), 1))

    data = os.urandom(1_500_000), os.urandom(1_200_000)
    reactor = Counting()
    with tls.listener() as listener, core.Waiting(reactor=reactor) as t:
        both = [t.add(timeout(LIMIT, side)) for side in (serves(), asks())]
        t.run()
        assert [side.result() for side in both] == [(data[1], len(data[0])), (data[0], len(data[1]))]
        assert not reactor.waiting
    reactor.close()


def test_bytes_that_tls_has_read_already_are_given_without_a_wait(core, tls):
    def serves():
        with (yield nonblocking_accept(listener)) as sock:
            yield nonblocking_write(sock, bytes(range(256)))
            yield error_of(nonblocking_read(sock), ConnectionLost)

    def asks():
        with (yield tls.connected(listener)) as sock:
            got = b""
            while len(got) < 256:  # one record: the reactor will never say that there is more
                got += yield nonblocking_read(sock, 7)
            return got

    with tls.listener() as listener:
        assert play(core, serves(), asks())[1] == bytes(range(256))


def test_a_certificate_that_is_not_trusted(core, tls):
    def serves():
        with (yield nonblocking_accept(listener)) as sock:
            error = yield error_of(nonblocking_read(sock), (ssl.SSLError, ConnectionLost))
            assert not isinstance(error, ConnectionLost)
            return error

    def asks():
        with (yield tls.connected(listener)) as sock:
            return (yield error_of(nonblocking_handshake(sock), ssl.SSLCertVerificationError))

    tls.client = ssl.create_default_context()
    tls.client.maximum_version = tls.server.maximum_version
    with tls.listener() as listener:
        theirs, ours = play(core, serves(), asks())
    assert "certificate verify failed" in str(ours)
    assert "unknown ca" in str(theirs).lower().replace("_", " ")


@pytest.mark.parametrize("by", [nonblocking_handshake, nonblocking_read, lambda sock: nonblocking_write(sock, b"data")])
def test_a_peer_that_is_no_tls(core, tls13, by):
    def serves():
        with (yield nonblocking_accept(listener)) as sock:
            return (yield error_of(by(sock), ssl.SSLError))

    def speaks():
        with (yield nonblocking_connect(*listener.getsockname())) as sock:
            yield nonblocking_write(sock, b"GET / HTTP/1.0\r\n\r\n")
            with suppress(ConnectionLost):
                while True:  # an alert, perhaps
                    yield nonblocking_read(sock)

    with tls13.listener() as listener:
        error = play(core, serves(), speaks())[0]
    assert "HTTP" in str(error).upper() or "WRONG_VERSION" in str(error)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_peer_that_goes_away_before_the_handshake(core, tls13, how):
    def serves():
        with (yield nonblocking_accept(listener)) as sock:
            caller.close() if how == "close" else reset(caller)
            return (yield error_of(nonblocking_handshake(sock), ConnectionLost))

    with tls13.listener() as listener, socket.create_connection(listener.getsockname()) as caller:
        cause = play(core, serves())[0].__cause__
    assert type(cause) is (ssl.SSLEOFError if how == "close" else ConnectionResetError)


def test_a_peer_that_is_gone_before_it_is_accepted_ends_no_loop(core, tls13):
    def serves():
        with (yield nonblocking_accept(listener)) as sock:
            return (yield read_exactly(sock, 4))

    def speaks():
        with (yield tls13.connected(listener)) as sock:
            yield nonblocking_write(sock, b"here")

    with tls13.listener() as listener:
        for _ in range(3):
            reset(socket.create_connection(listener.getsockname()))
        assert play(core, serves(), speaks())[0] == b"here"


def test_a_peer_that_says_nothing_is_let_go_after_a_while(core, tls13):
    def serves():
        with (yield nonblocking_accept(listener)) as sock:
            return (yield error_of(timeout(0.02, nonblocking_handshake(sock)), TimeoutError))

    with tls13.listener() as listener, socket.create_connection(listener.getsockname()):
        assert "0.02 seconds" in str(play(core, serves())[0])


FAREWELLS = {"close_notify": False, "none": False, "none, and asked to tell": True}


@pytest.mark.parametrize("farewell", FAREWELLS)
def test_the_end_with_and_without_a_farewell(core, tls, farewell):
    def serves():
        with (yield nonblocking_accept(listener)) as sock:
            yield nonblocking_write(sock, b"hello")
            assert (yield nonblocking_read(sock)) == b"last words"
            error = yield error_of(nonblocking_read(sock), ConnectionLost)
            return type(error.__cause__)

    def says():
        with (yield tls.connected(listener)) as sock:
            assert (yield nonblocking_read(sock)) == b"hello"  # and the session tickets of 1.3: unread they would make a reset of the end
            yield nonblocking_write(sock, b"last words")
            if farewell == "close_notify":
                sock.setblocking(False)
                with pytest.raises(ssl.SSLWantReadError):
                    sock.unwrap()  # sends it, and would wait for the other's

    told = FAREWELLS[farewell]
    with tls.listener(suppress_ragged_eofs=not told) as listener:
        assert play(core, serves(), says())[0] is (ssl.SSLEOFError if told else type(None))


def test_a_client_certificate_that_is_asked_for_later(core, tls13, certificate):
    """What TLS 1.3 has in place of a renegotiation: the server's next write asks, and the client must write in order to read."""

    def serves():
        with (yield nonblocking_accept(listener)) as sock:
            yield read_exactly(sock, 5)
            assert not sock.getpeercert()
            sock.verify_client_post_handshake()
            yield nonblocking_write(sock, b"who are you?")
            assert (yield read_exactly(sock, 2)) == b"me"
            return sock.getpeercert()["subject"]

    def asks():
        with (yield tls13.connected(listener)) as sock:
            yield nonblocking_write(sock, b"hello")
            assert (yield nonblocking_read(sock)) == b"who are you?"
            yield nonblocking_write(sock, b"me")
            yield error_of(nonblocking_read(sock), ConnectionLost)

    tls13.server.verify_mode = ssl.CERT_OPTIONAL
    tls13.server.load_verify_locations(certificate[0])
    tls13.server.post_handshake_auth = tls13.client.post_handshake_auth = True
    tls13.client.load_cert_chain(*certificate)
    with tls13.listener() as listener:
        assert play(core, serves(), asks())[0] == ((("commonName", "localhost"),),)


def test_no_descriptor_is_left(core, tls13):
    def serves(n):
        for _ in range(n):
            t.add(echoes((yield nonblocking_accept(listener))))

    def echoes(sock):
        with sock, suppress(ConnectionLost):
            while True:
                yield nonblocking_write(sock, (yield nonblocking_read(sock)))

    def asks(number):
        with (yield tls13.connected(listener)) as sock:
            yield nonblocking_write(sock, b"%d" % number)
            assert (yield nonblocking_read(sock)) == b"%d" % number
            if number % 2:
                yield sleep(1e6)  # until close()

    gc.collect()
    before = descriptors()
    with tls13.listener() as listener:
        t = core.Waiting()
        t.add(serves(6))
        asking = [t.add(asks(number)) for number in range(6)]
        while not all(p.done or "sleep" in repr(p.waits_for) for p in asking):
            t.add(stops(t))
            t.run()
        t.close()
    gc.collect()
    assert [number for number in descriptors() if number not in before] == []


def stops(t):
    yield sleep(0.01)
    t.stop()
