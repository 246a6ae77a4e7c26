"""Each function of `trampoline.nonblocking` by example: what it gives, and what it says of a name, a number or a place that is wrong.

Connections are IPv4, IPv6 (where there is one) and Unix; how they end is in `test_sockets_ends.py`, TLS in `test_tls.py`.
"""

import array
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress

import pytest
from wires import HAS_IPV6, LIMIT, Counting, fill, place, play

import trampoline
from trampoline import (
    ConnectionLost,
    nonblocking,
    nonblocking_accept,
    nonblocking_connect,
    nonblocking_read,
    nonblocking_recvfrom,
    nonblocking_sendto,
    nonblocking_write,
    readable,
    sleep,
    timeout,
    writable,
)

V6 = pytest.mark.skipif(not HAS_IPV6, reason="there is no IPv6 on this machine")
UNIX = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this Python has no Unix sockets")
KINDS = ["IPv4", pytest.param("IPv6", marks=V6), pytest.param("Unix", marks=UNIX)]
FAMILIES = {"IPv4": "AF_INET", "IPv6": "AF_INET6", "Unix": "AF_UNIX"}


def echo(sock):
    """Send back what comes, until the other end closes. Return how many bytes."""
    echoed = 0
    with sock:
        try:
            while True:
                echoed += yield nonblocking_write(sock, (yield nonblocking_read(sock)))
        except ConnectionLost:
            return echoed


def client(where, *messages):
    """Send messages one after the other, and return what comes back for each."""
    got = []
    with (yield nonblocking_connect(*where)) as sock:
        for message in messages:
            yield nonblocking_write(sock, message)
            answer = b""
            while len(answer) < len(message):
                answer += yield nonblocking_read(sock, len(message) - len(answer))
            got.append(answer)
    return got


def server(listener):
    """Accept one connection and echo it."""
    return (yield echo((yield nonblocking_accept(listener))))


def test_every_name_is_at_the_top_too():
    for name in nonblocking.__all__:
        assert getattr(trampoline, name) is getattr(nonblocking, name)
        assert name in trampoline.__all__
        assert getattr(nonblocking, name).__doc__
    assert issubclass(ConnectionLost, ConnectionError)


@pytest.mark.parametrize("kind", KINDS)
def test_an_echo(core, kind):
    messages = b"a", b"bc" * 1000, b"d" * 300_000
    with place(kind) as (listener, where):
        assert listener.family == getattr(socket, FAMILIES[kind])
        assert listener.gettimeout() == 0
        assert play(core, server(listener), client(where, *messages)) == [sum(map(len, messages)), [*messages]]


def test_many_connections_at_once_are_not_mixed_up(core):
    def accepting():
        for _ in messages:
            t.add(echo((yield nonblocking_accept(listener))))

    messages = [[b"%d:%d;" % (number, i) * 20 for i in range(10)] for number in range(50)]
    with place("IPv4") as (listener, where), core.Waiting() as t:
        t.add(timeout(LIMIT, accepting()))
        clients = [t.add(timeout(LIMIT, client(where, *each))) for each in messages]
        t.run()
        assert [pseudothread.result() for pseudothread in clients] == messages


@pytest.mark.parametrize("kind", KINDS)
def test_both_ends_are_non_blocking_and_without_nagles_delay(core, kind):
    def both():
        with (yield nonblocking_connect(*where)) as connected, (yield nonblocking_accept(listener)) as accepted:
            for sock in (connected, accepted):
                assert sock.gettimeout() == 0
                if kind != "Unix":
                    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    with place(kind) as (listener, where):
        play(core, both())


def operations(listener, where, ours, theirs, datagrams, caller):
    """For each function: a name, what makes ready what it waits for, what makes it, and what is seen of what it gives."""
    address = datagrams.getsockname()
    nothing = bytes
    return [
        ("accept", lambda: caller.connect(where), lambda: nonblocking_accept(listener), lambda got: got.close()),
        ("connect", nothing, lambda: nonblocking_connect(*where), lambda got: got.close()),
        ("read", lambda: theirs.send(b"data"), lambda: nonblocking_read(ours), b"data".__eq__),
        ("write", nothing, lambda: nonblocking_write(ours, b"12345"), (5).__eq__),
        ("sendto", nothing, lambda: nonblocking_sendto(datagrams, b"to itself", address), (9).__eq__),
        ("recvfrom", nothing, lambda: nonblocking_recvfrom(datagrams, 100), (b"to itself", address).__eq__),
        ("readable", lambda: theirs.send(b"more"), lambda: readable(ours), lambda got: got is None),
        ("writable", nothing, lambda: writable(ours), lambda got: got is None),
    ]


@pytest.mark.parametrize("by", ["yield", "yield from", "await"])
def test_each_can_be_yielded_yielded_from_and_awaited(core, ends, by):
    def yielded(make):
        return (yield make())

    def yielded_from(make):
        return (yield from make())

    async def awaited(make):
        return await make()

    way = {"yield": yielded, "yield from": yielded_from, "await": awaited}[by]
    with (
        place("IPv4") as (listener, where),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket() as caller,
    ):
        datagrams.bind(("127.0.0.1", 0))
        for name, prepare, make, right in operations(listener, where, *ends, datagrams, caller):
            prepare()
            (got,) = play(core, way(make))
            assert right(got) in (True, None), (name, got)


def test_read_gives_what_there_is_up_to_nbytes(core, ends):
    def read():
        got = []
        for nbytes in (3, 1, 100):
            got.append((yield nonblocking_read(ours, nbytes)))
        return got

    ours, theirs = ends
    theirs.sendall(b"abcdefgh")
    assert play(core, read()) == [[b"abc", b"d", b"efgh"]]


def test_read_takes_any_number_with_an_index(core, ends):
    class Three:
        def __index__(self):
            return 3

    def read():
        return (yield nonblocking_read(ends[0], Three()))

    ends[1].sendall(b"abcdefgh")
    assert play(core, read()) == [b"abc"]


BUFFERS = {
    "bytes": b"abcd",
    "bytearray": bytearray(b"abcd"),
    "memoryview": memoryview(b"xxabcd")[2:],
    "array of larger items": array.array("i", b"abcd"),
    "view that is not contiguous": memoryview(b"a.b.c.d.")[::2],
    "view of two dimensions": memoryview(b"abcd").cast("B", (2, 2)),
    "bytes of a class of its own": type("Bytes", (bytes,), {})(b"abcd"),
    "no bytes": b"",
    "empty bytearray": bytearray(),
    "empty array": array.array("i"),
}


@pytest.mark.parametrize("data", BUFFERS.values(), ids=BUFFERS)
def test_write_takes_any_buffer_and_gives_the_number_of_its_bytes(core, ends, data):
    def write():
        assert (yield nonblocking_write(ours, data)) == len(bytes(data))
        assert (yield nonblocking_write(ours, b"|")) == 1

    ours, theirs = ends
    play(core, write())
    assert theirs.recv(100) == bytes(data) + b"|"


def test_a_bytearray_that_was_written_is_free_again(core, ends):
    def write():
        data = bytearray(b"one")
        yield nonblocking_write(ours, data)
        data += b" and two"
        yield nonblocking_write(ours, data)
        data.clear()

    ours, theirs = ends
    play(core, write())
    assert theirs.recv(100) == b"oneone and two"


def test_a_write_that_is_yielded_again_writes_again(core, ends):
    def write():
        hello = nonblocking_write(ours, b"hello ")
        return [(yield hello), (yield hello)]

    ours, theirs = ends
    assert play(core, write()) == [[6, 6]]
    assert theirs.recv(100) == b"hello hello "


def test_a_large_write_waits_until_all_of_it_has_gone(core, ends):
    def write():
        return (yield nonblocking_write(ours, data))

    def read():
        got = bytearray()
        while len(got) < len(data):
            got += yield nonblocking_read(theirs, 100_000)
        return bytes(got)

    ours, theirs = ends
    data = os.urandom(3_000_000)
    assert play(core, write(), read()) == [len(data), data]


@pytest.mark.parametrize("kind", KINDS)
def test_datagrams(core, kind):
    def receive():
        return [(yield nonblocking_recvfrom(ours)), (yield nonblocking_recvfrom(ours, 3)), (yield nonblocking_recvfrom(ours))]

    def send():
        sent = []
        for data in (b"first", bytearray(b"second"), b""):
            sent.append((yield nonblocking_sendto(theirs, data, ours.getsockname())))
        return sent

    family = getattr(socket, FAMILIES[kind])
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(family, socket.SOCK_DGRAM) as ours,
        socket.socket(family, socket.SOCK_DGRAM) as theirs,
    ):
        for name, sock in (("ours", ours), ("theirs", theirs)):
            sock.bind(os.path.join(folder, name) if kind == "Unix" else ("127.0.0.1" if kind == "IPv4" else "::1", 0))
        received, sent = play(core, receive(), send())
        assert [data for data, _ in received] == [b"first", b"sec", b""]
        assert {address for _, address in received} == {theirs.getsockname()}
        assert sent == [5, 6, 0]


@pytest.mark.skipif(sys.platform != "linux", reason="a system that has no room for one says so in another way")
def test_a_datagram_waits_for_room(core):
    def send():
        yield nonblocking_sendto(ours, b"last", path)
        order.append("sent")

    def drain():
        yield sleep(0.05)
        assert reactor.polls < 50, "the kernel says of such a socket that it can be written all the time"
        order.append("drained")
        while "sent" not in order:
            with suppress(BlockingIOError):
                last.append(theirs.recv(100))
            yield sleep(0.001)

    order, last, reactor = [], [], Counting()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as theirs:
        theirs.bind("")
        path = theirs.getsockname()
        for sock in (ours, theirs):
            sock.setblocking(False)
        with pytest.raises(BlockingIOError):  # noqa: PT012 -- one of many, nobody knows which
            while True:
                ours.sendto(b"full", path)
        play(core, send(), drain(), reactor=reactor)
        with suppress(BlockingIOError):
            while True:
                last.append(theirs.recv(100))
    assert order == ["drained", "sent"]
    assert last[-2:] == [b"full", b"last"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows waits for sockets alone")
@pytest.mark.parametrize("known_by", ["file", "number"])
def test_a_pipe(core, known_by):
    def reader():
        for _ in range(3):
            yield readable(inlet if known_by == "file" else inlet.fileno())
            got.append(os.read(inlet.fileno(), 100))

    def writer():
        for word in (b"one", b"two", b""):
            yield writable(outlet if known_by == "file" else outlet.fileno())
            os.write(outlet.fileno(), word) if word else outlet.close()
            yield sleep(0.001)

    got = []
    ends = os.pipe()
    with open(ends[0], "rb", 0) as inlet, open(ends[1], "wb", 0) as outlet:
        play(core, reader(), writer())
    assert got == [b"one", b"two", b""]


def test_writable_waits_until_there_is_room(core, ends):
    def write():
        yield writable(ours)
        order.append("writable")

    def drain():
        yield sleep(0.01)
        order.append("drained")
        while len(order) < 2:
            with suppress(BlockingIOError):
                theirs.recv(1 << 20, socket.MSG_DONTWAIT)
            yield sleep(0.001)

    order = []
    ours, theirs = ends
    fill(ours)
    play(core, write(), drain())
    assert order == ["drained", "writable"]


def test_the_output_of_a_subprocess(core):
    def read():
        got = b""
        while True:
            yield readable(process.stdout)
            data = process.stdout.read1()
            if not data:
                return got
            got += data

    script = "import time\nfor word in 'abc': print(word, flush=True); time.sleep(0.01)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert play(core, read())[0].split() == [b"a", b"b", b"c"]


def test_each_says_in_its_repr_for_what_it_waits(ends):
    ours = ends[0]
    assert repr(nonblocking_read(ours, 10)) == f"nonblocking_read({ours!r}, 10)"
    assert repr(nonblocking_write(ours, bytearray(5))) == f"nonblocking_write({ours!r}, 5 bytes)"
    assert repr(nonblocking_accept(ours)) == f"nonblocking_accept({ours!r})"
    assert (repr(readable(0)), repr(writable(1))) == ("readable(0)", "writable(1)")
