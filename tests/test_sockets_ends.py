"""How connections end ("Clean ends" of issue 3): each end has one stated outcome, none hangs, none polls without end, and nothing is left
over. What becomes of who waits is in `test_sockets_waiters.py`, what is wrong from the start in `test_sockets_bad_input.py`.
"""

import errno
import gc
import os
import socket
import sys
import weakref
from contextlib import suppress

import pytest
from conftest import collect
from wires import LIMIT, Counting, descriptors, error_of, pair, place, play, reset, value_of

from trampoline import (
    ConnectionLost,
    listening_socket,
    nonblocking_accept,
    nonblocking_connect,
    nonblocking_read,
    nonblocking_write,
    sleep,
    timeout,
)


def test_a_peer_that_resets(core, tcp):
    def resets():
        theirs.sendall(b"the last words")
        yield sleep(0)
        reset(theirs)

    def reads():
        got = b""
        try:
            while True:
                got += yield nonblocking_read(ours, 5)
        except ConnectionLost as error:
            return got, error

    ours, theirs = tcp
    (got, error), _ = play(core, reads(), resets())
    assert got in (b"the last words", b""), "whole, or dropped by the kernel"
    assert isinstance(error.__cause__, ConnectionResetError)
    assert error.errno == errno.ECONNRESET
    assert error.__context__ is error.__cause__ or error.__context__ is None


def test_a_peer_that_resets_under_a_writer(core, tcp):
    def resets():
        yield sleep(0)
        reset(tcp[1])

    error, _ = play(core, error_of(nonblocking_write(tcp[0], bytes(10_000_000)), ConnectionLost), resets())
    assert isinstance(error.__cause__, (ConnectionResetError, BrokenPipeError))


def test_the_end_of_a_stream(core, ends):
    def reads():
        for _ in range(3):
            error = yield error_of(nonblocking_read(ours), ConnectionLost)
            assert error.__cause__ is None
            assert repr(ours) in str(error)

    ours, theirs = ends
    theirs.close()
    play(core, reads())


def test_a_half_closed_connection_can_still_be_written(core, tcp):
    def ours_after_the_end():
        assert (yield nonblocking_read(ours)) == b"question"
        yield error_of(nonblocking_read(ours), ConnectionLost)
        assert (yield nonblocking_write(ours, answer)) == len(answer)
        ours.shutdown(socket.SHUT_WR)

    def asks():
        yield nonblocking_write(theirs, b"question")
        theirs.shutdown(socket.SHUT_WR)
        got = bytearray()
        with suppress(ConnectionLost):
            while True:
                got += yield nonblocking_read(theirs)
        yield error_of(nonblocking_write(theirs, b"more"), ConnectionLost)
        return bytes(got)

    ours, theirs = tcp
    answer = os.urandom(1_000_000)
    assert play(core, ours_after_the_end(), asks())[1] == answer


def test_a_slow_reader_slows_its_writer_alone(core, tcp, ends):
    def slow():
        got = 0
        while got < len(data):
            got += len((yield nonblocking_read(tcp[1], 50_000)))
            yield sleep(0.0005)
        return got

    def writes():
        yield nonblocking_write(tcp[0], data)
        order.append("slow")

    def quick():
        for _ in range(20):
            yield nonblocking_write(ends[0], b"ping")
            yield nonblocking_read(ends[1], 4)
        order.append("quick")

    order = []
    data = bytes(8_000_000)
    assert play(core, slow(), writes(), quick())[0] == len(data)
    assert order == ["quick", "slow"]


def test_nothing_is_left_after_close(core):
    def serves():
        while True:
            t.add(echoes((yield nonblocking_accept(listener))))

    def echoes(sock):
        with sock:
            while True:
                yield nonblocking_write(sock, (yield nonblocking_read(sock)))

    def connects(go_on):
        with (yield nonblocking_connect(*where)) as sock:
            for _ in range(3):
                yield nonblocking_write(sock, b"ping")
                yield nonblocking_read(sock)
            while go_on:
                yield nonblocking_write(sock, bytes(1_000_000))

    def ends_it():
        while not all(p.done for p in finished):
            yield sleep(0.01)
        t.stop()

    gc.collect()
    before = descriptors()
    with place("IPv4") as (listener, where):
        t = core.Waiting()
        t.add(serves())
        finished = [t.add(connects(False)) for _ in range(10)]
        left = [t.add(connects(True)) for _ in range(5)]
        t.add(timeout(LIMIT, ends_it()))
        with suppress(ConnectionLost):
            while t.run():
                pass
        while not all(p.done for p in finished):
            with suppress(ConnectionLost):
                t.run()
        reactor = t.reactor
        t.close()
        assert all(p.done for p in (*finished, *left))
        assert not reactor._files
        assert not reactor.waiting
    gc.collect()
    assert descriptors() == before


def test_a_writer_that_is_dropped_lets_its_socket_go(core):
    ours, theirs = pair()
    watched = weakref.ref(ours)
    with theirs:
        t = core.Waiting()
        t.add(value_of(nonblocking_write(ours, bytes(10_000_000))))
        t.add(value_of(sleep(0)))
        while t.queue:
            t.queue.popleft()()
        ours.setblocking(False)
        del t, ours
        with pytest.warns(ResourceWarning, match="unclosed"):
            collect()
        assert watched() is None


def echo_handler(sock):
    """PEP 342's, as printed."""
    while True:
        try:
            data = yield nonblocking_read(sock)
            yield nonblocking_write(sock, data)
        except ConnectionLost:
            pass  # exit normally if connection lost


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # as printed, it leaves that to the garbage collector
@pytest.mark.parametrize("how", ["close", "reset"])
def test_the_echo_handler_of_the_pep_ends_each_connection_and_never_spins(core, how):
    def serves():
        for _ in range(5):
            handlers.append(t.add(echo_handler((yield nonblocking_accept(listener)))))

    def connects():
        sock = yield nonblocking_connect(*where)
        yield nonblocking_write(sock, b"ping")
        assert (yield nonblocking_read(sock)) == b"ping"
        sock.close() if how == "close" else reset(sock)

    before = descriptors()
    handlers, reactor = [], Counting()
    with place("IPv4") as (listener, where), core.Waiting(reactor=reactor) as t:
        t.add(timeout(LIMIT, serves()))
        for _ in range(5):
            t.add(timeout(LIMIT, connects()))
        t.run()
        assert [handler.done for handler in handlers] == [True] * 5
        assert reactor.polls < 500
        handlers.clear()
    reactor.close()
    del reactor
    collect()
    assert descriptors() == before


def listen_on(trampoline, sock, handler):
    """PEP 342's, as printed: until the next connection it holds the last one."""
    while True:
        connected_socket = yield nonblocking_accept(sock)
        trampoline.add(handler(connected_socket))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # as printed, it leaves that to the garbage collector
def test_a_client_of_the_peps_server_that_closes_its_own_half_gets_its_end(core):
    def asks():
        with (yield nonblocking_connect(*where)) as sock:
            yield nonblocking_write(sock, b"question")
            sock.shutdown(socket.SHUT_WR)
            with suppress(ConnectionLost):
                while True:
                    got.append((yield nonblocking_read(sock)))
        t.stop()

    got = []
    with place("IPv4") as (listener, where), core.Waiting() as t:
        t.add(listen_on(t, listener, echo_handler))
        t.add(timeout(LIMIT, asks()))
        t.run()
        assert got == [b"question"]
    collect()


def test_a_lost_connection_that_somebody_writes_to_is_not_shut_down(core, tcp):
    def reads_for_ever():
        while True:
            with suppress(ConnectionLost):
                yield nonblocking_read(ours)

    def reads():
        yield sleep(0.05)
        got = 0
        while got < 10_000_000:
            got += len((yield nonblocking_read(theirs)))
        return got

    ours, theirs = tcp
    with core.Waiting() as t:
        writer = t.add(timeout(LIMIT, value_of(nonblocking_write(ours, bytes(10_000_000)))))
        reader = t.add(reads_for_ever())
        theirs.shutdown(socket.SHUT_WR)
        other = t.add(timeout(LIMIT, reads()))
        t.run()
        assert (writer.result(), other.result(), reader.done) == (10_000_000, 10_000_000, True)
        with pytest.raises(RuntimeError, match="was closed before it had a result"):
            reader.result()


def test_each_of_many_is_told_that_a_connection_is_lost(core, ends):
    def reads():
        for _ in range(3):
            yield error_of(nonblocking_read(ours), ConnectionLost)
        return "told"

    ours, theirs = ends
    theirs.close()
    for _ in range(9):  # one after the other: 27 reads of what is lost
        assert play(core, reads()) == ["told"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of descriptors")
def test_no_descriptor_left_for_an_accept(core):
    resource = pytest.importorskip("resource", reason="limits of descriptors are POSIX's")

    def accepts():
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        number = os.dup(0)
        os.close(number)
        caller.connect(listener.getsockname())
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))  # the lowest that is free may not be used
        try:
            errors = []
            for _ in range(3):
                errors.append((yield error_of(nonblocking_accept(listener))).errno)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        (yield nonblocking_accept(listener)).close()
        return errors

    with listening_socket("127.0.0.1", 0) as listener, socket.socket() as caller, core.Waiting() as t:
        assert t.reactor.waiting is False  # it is made before none is left
        p = t.add(timeout(LIMIT, accepts()))
        t.run()
        assert p.result() == [errno.EMFILE] * 3


def test_a_caller_that_is_gone_before_it_is_accepted(core):
    def accepts():
        got = []
        while b"here" not in got:
            with (yield nonblocking_accept(listener)) as sock, suppress(ConnectionLost):
                got.append((yield nonblocking_read(sock)))
        return got

    with listening_socket("127.0.0.1", 0) as listener:
        for _ in range(3):
            reset(socket.create_connection(listener.getsockname()))
        with socket.create_connection(listener.getsockname()) as caller:
            caller.send(b"here")
            assert play(core, accepts()) == [[b"here"]]
