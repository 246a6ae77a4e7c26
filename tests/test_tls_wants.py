"""What TLS wants before it goes on: to read in order to write, as when it renegotiates, or to write in order to read."""

import socket
import ssl
from contextlib import suppress

import pytest
from wires import fill, pair, play

from trampoline import nonblocking_read, nonblocking_write, sleep


class Wanting(socket.socket):
    """A socket that wants what it is told before it goes on, as TLS does when it renegotiates."""

    __slots__ = ("asked", "wants")

    def recv(self, *arguments):
        self.check("read")
        return super().recv(*arguments)

    def send(self, data):
        self.check("write")
        return super().send(data)

    def check(self, what):
        self.asked.append(what)
        if self.wants:
            raise self.wants.pop(0)


@pytest.fixture
def wanting():
    """Such a socket, and its peer."""
    ours, theirs = pair()
    ours, theirs = Wanting(fileno=ours.detach()), theirs
    ours.asked, ours.wants = [], []
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("writes", [False, True])
def test_what_it_wants_is_waited_for_and_nothing_else(core, wanting, writes):
    """A read that wants to write must not wait for something to read, and the other way round."""

    def waits():
        return (yield nonblocking_write(ours, b"question") if writes else nonblocking_read(ours))

    ours, theirs = wanting
    if writes:
        ours.wants = [ssl.SSLWantReadError(), ssl.SSLWantWriteError(), ssl.SSLWantReadError()]
        theirs.send(b"x")  # so that it can be read, but not at once
    else:
        ours.wants = [ssl.SSLWantWriteError(), ssl.SSLWantWriteError()]
        theirs.send(b"answer")
    assert play(core, waits()) == [8 if writes else b"answer"]
    assert ours.asked == (["write"] * 4 if writes else ["read"] * 3)


def test_a_read_that_wants_to_write_waits_until_there_is_room(core, wanting):
    def reads():
        order.append((yield nonblocking_read(ours)))

    def makes_room():
        yield sleep(0.02)
        assert ours.asked == ["read"], "it waits for room, and does not try in vain"
        order.append("room")
        while len(order) < 2:
            with suppress(BlockingIOError):
                theirs.recv(1 << 20)
            yield sleep(0.001)

    order, (ours, theirs) = [], wanting
    fill(ours)
    ours.wants, ours.asked = [ssl.SSLWantWriteError()], []
    theirs.send(b"answer")
    play(core, reads(), makes_room())
    assert order == ["room", b"answer"]


def test_a_write_that_wants_to_read_while_another_reads(core, wanting):
    """Both want the same: the second tries again in a moment, and neither is refused."""

    def reads():
        return (yield nonblocking_read(ours))

    def writes():
        yield sleep(0)
        ours.wants = [ssl.SSLWantReadError(), ssl.SSLWantReadError()]
        return (yield nonblocking_write(ours, b"question"))

    def answers():
        while True:
            with suppress(BlockingIOError):
                assert theirs.recv(100) == b"question"
                break
            yield sleep(0.001)
        theirs.send(b"answer")

    ours, theirs = wanting
    assert play(core, reads(), writes(), answers()) == [b"answer", 8, None]
