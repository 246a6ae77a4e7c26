"""Who waits for a socket: what becomes of them when it is closed, when a second comes, when they give up; and nobody is asked in vain."""

import errno
import os
import socket
import sys
from contextlib import suppress

import pytest
from wires import LIMIT, Counting, error_of, fill, pair, play, value_of

from trampoline import (
    listening_socket,
    nonblocking_accept,
    nonblocking_read,
    nonblocking_recvfrom,
    nonblocking_write,
    readable,
    sleep,
    timeout,
    writable,
)

WAITS = {
    "read": nonblocking_read,
    "write": lambda sock: nonblocking_write(sock, bytes(10_000_000)),
    "accept": nonblocking_accept,
    "recvfrom": nonblocking_recvfrom,
    "readable": readable,
    "writable": writable,
    "number": lambda sock: readable(sock.fileno()),
}


def waited_for(name):
    """Return a socket for which `WAITS[name]` waits, and another that must be kept."""
    if name == "accept":
        return listening_socket("127.0.0.1", 0), socket.socket()
    ours, theirs = pair()
    if name == "writable":
        fill(ours)
    return ours, theirs


@pytest.mark.parametrize("when", ["at once", "after an idle moment", "in the next run"])
@pytest.mark.parametrize("name", WAITS)
def test_a_socket_closed_under_a_waiter(core, name, when):
    def closes():
        yield sleep(0.12 if when == "after an idle moment" else 0.01)
        sock.close()
        yield sleep(0.3)  # what is closed is found while this waits
        order.append("slept")

    def waits():
        error = yield error_of(WAITS[name](sock))
        order.append("told")
        return error

    def stops():
        yield sleep(0.12)
        t.stop()

    order = []
    sock, other = waited_for(name)
    with sock, other, core.Waiting() as t:
        waiting = t.add(timeout(LIMIT, waits()))
        if when == "in the next run":
            t.add(stops())
            t.run()
        t.add(closes())
        t.run()
        assert waiting.result().errno == errno.EBADF
        assert order == ["told", "slept"]


def test_a_descriptor_number_used_again(core, ends):
    def replaces():
        number = ours.fileno()
        ours.close()
        made.extend(socket.socketpair())
        assert number in (made[0].fileno(), made[1].fileno()), "the lowest number is used first"
        new, peer = made if made[0].fileno() == number else made[::-1]
        peer.send(b"for the new one")
        return (yield nonblocking_read(new))

    made = []
    ours, _ = ends
    try:
        told, got = play(core, error_of(nonblocking_read(ours)), replaces())
    finally:
        for sock in made:
            sock.close()
    assert (told.errno, got) == (errno.EBADF, b"for the new one")


def test_a_file_that_opens_another_descriptor_of_the_same_number(core):
    class Reconnecting:
        def open(self):
            self.sock, self.peer = socket.socketpair()
            return self

        def fileno(self):
            return self.sock.fileno()

    def waits():
        numbers = []
        for _ in range(3):
            with file.open().sock, file.peer:
                file.peer.send(b"1")
                yield readable(file)
                numbers.append(file.fileno())
        return numbers

    file = Reconnecting()
    (numbers,) = play(core, waits())
    assert len(set(numbers)) == 1


@pytest.mark.parametrize("second", [lambda sock: sock.dup().detach(), lambda sock: sock.makefile("rb", 0), lambda sock: sock.fileno()])
def test_two_that_stand_for_one_socket(core, ends, second):
    def sends():
        yield sleep(0.02)
        theirs.setblocking(False)
        while True:
            with suppress(BlockingIOError):
                theirs.recv(1 << 20)
            yield sleep(0.001)
            if written.done:
                theirs.send(b"1")
                return

    ours, theirs = ends
    reactor = Counting()
    fill(ours)
    other = second(ours)
    with core.Waiting(reactor=reactor) as t:
        read = t.add(timeout(LIMIT, value_of(nonblocking_read(ours))))
        written = t.add(timeout(LIMIT, value_of(writable(other))))
        t.add(timeout(LIMIT, sends()))
        t.run()
        assert (read.result(), written.result()) == (b"1", None)
    assert reactor.polls < 1000
    if isinstance(other, int) and other != ours.fileno():
        os.close(other)
    elif not isinstance(other, int):
        other.close()


@pytest.mark.parametrize("name", [name for name in WAITS if name != "number"])
def test_a_second_waiter_is_refused_and_the_first_goes_on(core, name):
    def second():
        error = yield error_of(WAITS[name](sock), RuntimeError)
        assert f"another pseudothread {'writes to' if name == 'write' else 'waits to '}" in str(error)
        assert repr(sock) in str(error)
        if name == "accept":
            other.connect(sock.getsockname())
        elif name in ("write", "writable"):
            other.setblocking(False)
            while not first.done:
                with suppress(BlockingIOError):
                    other.recv(1 << 20)
                yield sleep(0.001)
        else:
            other.send(b"for the first")

    sock, other = waited_for(name)
    with sock, other, core.Waiting() as t:
        first = t.add(timeout(LIMIT, value_of(WAITS[name](sock))))
        t.add(timeout(LIMIT, second()))
        t.run()
        got = first.result()
        if name == "accept":
            got.close()
        else:
            assert got in (b"for the first", (b"for the first", None), 10_000_000, None)


def test_one_suspension_is_not_for_two(core, ends):
    def second():
        assert "another pseudothread waits" in str((yield error_of(read, RuntimeError)))
        ends[1].send(b"for the first")

    read = nonblocking_read(ends[0])
    assert play(core, value_of(read), second())[0] == b"for the first"


@pytest.mark.parametrize("how", ["thrown into", "closed", "timed out"])
@pytest.mark.parametrize("name", WAITS)
def test_what_was_given_up_can_be_waited_for_again(core, name, how):
    def gives_up():
        yield timeout(0.01, WAITS[name](sock))

    def interrupts():
        first.throw(KeyError("thrown")) if how == "thrown into" else first.close()
        yield

    sock, other = waited_for(name)
    with sock, other, core.Waiting() as t:
        first = t.add(gives_up() if how == "timed out" else value_of(WAITS[name](sock)))
        if how != "timed out":
            t.add(interrupts())
        with suppress(KeyError, TimeoutError):
            t.run()
        t.run()
        assert first.done
        assert not t.reactor.waiting
        if name == "accept":
            other.connect(sock.getsockname())
        elif name in ("write", "writable"):
            other.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    other.recv(1 << 20)
        else:
            other.send(b"x")
        wait = nonblocking_write(sock, b"again") if name == "write" else WAITS[name](sock)
        again = t.add(timeout(LIMIT, value_of(wait)))
        t.run()
        got = again.result()
        if name == "accept":
            got.close()
        assert got in (b"x", (b"x", None), 5, None) or name == "accept"


def test_what_comes_while_nobody_waits_is_not_polled_for(core, tcp):
    def reads():
        first = yield nonblocking_read(ours, 1)
        yield nonblocking_write(ours, b"full" * 1_000_000)
        yield sleep(0.2)
        looked.append(reactor.polls)
        return first + (yield nonblocking_read(ours)) + (yield value_of(connects()))

    def connects():
        caller.connect(listener.getsockname())
        yield sleep(0.1)
        looked.append(reactor.polls)
        (yield nonblocking_accept(listener)).close()
        return b"."

    def answers():
        theirs.send(b"1")
        left = 4_000_000
        while left:
            left -= len((yield nonblocking_read(theirs)))
        looked.append(reactor.polls)
        theirs.send(b"2345")

    ours, theirs = tcp
    looked, reactor = [], Counting()
    with listening_socket("127.0.0.1", 0) as listener, socket.socket() as caller:
        assert play(core, reads(), answers(), reactor=reactor)[0] == b"12345."
    after_the_writes, after_the_sleep, after_the_call = looked
    assert after_the_sleep - after_the_writes < 20
    assert after_the_call - after_the_sleep < 20


@pytest.mark.parametrize("event", ["data", "end"])
def test_a_closed_socket_that_lives_on_elsewhere_is_not_polled_for(core, ends, event):
    def waits():
        yield error_of(nonblocking_read(ours))
        theirs.send(b"for the copy") if event == "data" else theirs.close()
        before = reactor.polls
        yield sleep(0.2)
        return reactor.polls - before

    def closes():
        yield sleep(0.01)
        ours.close()

    ours, theirs = ends
    reactor = Counting()
    with ours.dup():  # as a child made by fork() has one
        assert play(core, waits(), closes(), reactor=reactor)[0] < 1100  # then all is registered anew


def test_two_sockets_of_one_number_one_after_the_other(core, ends):
    def reads():
        yield readable(ours)
        yield sleep(0)
        return (yield nonblocking_read(twin))

    ours, theirs = ends
    theirs.send(b"data")
    twin = socket.socket(fileno=ours.fileno())
    try:
        assert play(core, reads()) == [b"data"]
    finally:
        twin.detach()


@pytest.mark.skipif(not hasattr(os, "dup2"), reason="no number can be given to a copy here")
def test_a_copy_that_gets_the_number_of_the_closed_socket(core, ends):
    """The system knows it under that number still."""

    def reads():
        number = ours.fileno()
        yield sleep(0.01)
        ours.close()
        yield waiting[0]
        os.dup2(copy.fileno(), number)
        with socket.socket(fileno=number) as again:
            theirs.send(b"for the copy")
            return (yield nonblocking_read(again))

    ours, theirs = ends
    with ours.dup() as copy, core.Waiting() as t:
        waiting = [t.add(error_of(nonblocking_read(ours)))]
        reader = t.add(timeout(LIMIT, reads()))
        t.run()
        assert waiting[0].result().errno == errno.EBADF
        assert reader.result() == b"for the copy"


@pytest.mark.skipif(sys.platform == "win32", reason="there the lowest number is not used first")
def test_what_comes_for_the_copy_of_a_closed_socket_whose_number_another_has_is_not_polled_for(core, ends):
    def waits():
        number = ours.fileno()
        yield error_of(nonblocking_read(ours))
        made.extend(socket.socketpair())
        assert number in (made[0].fileno(), made[1].fileno()), "the lowest number is used first"
        new, peer = made if made[0].fileno() == number else made[::-1]
        reader = yield core.spawn(value_of(nonblocking_read(new)))
        yield sleep(0.01)
        theirs.send(b"for the copy")
        before = reactor.polls
        yield sleep(0.2)
        looked.append(reactor.polls - before)
        peer.send(b"for the new one")
        return (yield reader)

    def closes():
        yield sleep(0.01)
        ours.close()

    ours, theirs = ends
    reactor, made, looked = Counting(), [], []
    try:
        with ours.dup():
            assert play(core, waits(), closes(), reactor=reactor)[0] == b"for the new one"
    finally:
        for sock in made:
            sock.close()
    assert looked[0] < 1100  # then all is registered anew
