"""What a core may do by itself, as it is common: to wait for a socket again, and to write what need not wait."""

import contextlib
import errno
import socket
import sys

import pytest
from conftest import CORES, load

from trampoline import ConnectionLost, nonblocking_read, nonblocking_write, sleep, timeout


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def read_once(ours, theirs):
    """Have `ours` registered."""
    theirs.send(b"first")
    assert (yield nonblocking_read(ours, 100)) == b"first"


def run(core, coroutine):
    with load(core).Waiting() as t:
        root = t.add(coroutine)
        t.run()
        assert not t.reactor.waiting
        return root.result()


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("nbytes", [1, 3, 100, 65536, 65537, 1_000_000])
def test_as_many_bytes_as_are_asked_for(core, pair, nbytes):
    def reads():
        yield read_once(*pair)
        pair[1].send(b"again")
        return (yield nonblocking_read(pair[0], nbytes))

    assert run(core, reads()) == b"again"[:nbytes]


@pytest.mark.parametrize("core", CORES)
def test_the_end_of_the_stream(core, pair):
    def reads():
        yield read_once(*pair)
        pair[1].close()
        with pytest.raises(ConnectionLost, match="the other end has closed the connection of") as caught:
            yield nonblocking_read(pair[0], 100)
        return caught.value

    lost = run(core, reads())
    assert lost.__cause__ is lost.__context__ is None


@pytest.mark.parametrize("core", CORES)
def test_a_reset_is_told_with_its_cause_and_once(core):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as theirs:
        ours, _address = server.accept()

        def reads():
            yield read_once(ours, theirs)
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            theirs.close()
            with pytest.raises(ConnectionLost) as caught:
                yield nonblocking_read(ours, 100)
            return caught.value

        with ours:
            lost = run(core, reads())
    assert type(lost.__cause__) is ConnectionResetError
    assert lost.errno == errno.ECONNRESET


@pytest.mark.parametrize("core", CORES)
def test_a_write_to_who_has_gone(core, pair):
    def writes():
        pair[1].close()
        with pytest.raises(ConnectionLost) as caught:
            yield nonblocking_write(pair[0], b"x")
        return caught.value

    assert isinstance(run(core, writes()).__cause__, (BrokenPipeError, ConnectionResetError, ConnectionAbortedError))  # the system's choice


@pytest.mark.parametrize("core", CORES)
def test_a_write_that_finds_room_for_a_part_or_none(core, pair):
    ours, theirs = pair
    theirs.setblocking(False)
    data = bytes(range(256)) * 20_000
    got = []

    def writes(count):
        for _ in range(count):
            assert (yield nonblocking_write(ours, data)) == len(data)

    def reads():
        while sum(map(len, got)) < 2 * len(data):
            got.append((yield nonblocking_read(theirs, 100_000)))

    with load(core).Waiting() as t:
        t.add(writes(2))
        t.add(reads())
        t.run()
    assert b"".join(got) == 2 * data


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("size", "most"), [(1, 100), (16383, 100), (16384, 50), (65536, 20)])
def test_who_need_not_wait_to_write_goes_on_but_not_for_ever(core, pair, size, most):
    def writes():
        for _ in range(150):
            written.append((yield nonblocking_write(pair[0], bytes(size))))
            left = size
            while left:
                left -= len(pair[1].recv(left))

    def other():
        while len(written) < 150:
            seen.append(len(written))
            yield sleep(0)

    written, seen = [], []
    with load(core).Waiting() as t:
        t.add(writes())
        t.add(other())
        t.run()
    assert written == [size] * 150
    assert seen[0] == most


@pytest.mark.parametrize("core", CORES)
def test_who_has_begun_to_write_may_be_unwound_before_it_waits(core, pair):
    def writes(data):
        yield nonblocking_write(pair[0], data)

    def root():
        with pytest.raises(TimeoutError):
            yield timeout(0, writes(bytes(10_000_000)))
        begun = len(pair[1].recv(10_000_000, socket.MSG_PEEK))
        assert (yield nonblocking_read(pair[1], 10_000_000)) == bytes(begun)
        while True:
            try:
                pair[1].recv(10_000_000)
            except BlockingIOError:
                break
        yield writes(b"whole")
        assert (yield nonblocking_read(pair[1], 100)) == b"whole"

    run(core, root())


@pytest.mark.skipif(sys.platform == "win32", reason="select() takes 512 files on Windows")
@pytest.mark.parametrize("core", CORES)
def test_more_files_are_ready_than_are_asked_for_at_once(core):
    def reads(sock):
        for _ in range(3):
            got.append((yield nonblocking_read(sock, 1)))

    got, count = [], 600
    with contextlib.ExitStack() as held, load(core).Waiting() as t:
        pairs = [socket.socketpair() for _ in range(count)]
        for ours, theirs in pairs:
            held.enter_context(ours)
            held.enter_context(theirs).send(b"abc")
            t.add(reads(ours))
        t.run()
    assert sorted(got) == [b"a"] * count + [b"b"] * count + [b"c"] * count


@pytest.mark.parametrize("core", CORES)
def test_a_clock_that_fails_while_a_file_is_waited_for(core, pair):
    def clock():
        if failing:
            raise ZeroDivisionError("the clock")
        return 0.0

    def waits():
        yield read_once(*pair)
        failing.append(True)
        return (yield nonblocking_read(pair[0], 100))

    failing = []
    with load(core).Waiting(clock=clock) as t:
        sleeps, p = t.add(iter(sleep(3600))), t.add(waits())
        with pytest.raises(ZeroDivisionError, match="the clock"):
            t.run()
        failing.clear()
        sleeps.close()
        pair[1].send(b"again")
        t.run()
        assert p.result() == b"again"


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("how", ["throw", "close"])
def test_who_is_unwound_leaves_the_socket_to_the_next(core, pair, how):
    def waits():
        yield read_once(*pair)
        with pytest.raises(ZeroDivisionError if how == "throw" else GeneratorExit):
            yield nonblocking_read(pair[0], 100)

    def unwinds():
        (waiting.throw(ZeroDivisionError()) if how == "throw" else waiting.close())
        pair[1].send(b"for the next")
        assert (yield nonblocking_read(pair[0], 100)) == b"for the next"

    with load(core).Waiting() as t:
        waiting = t.add(waits())
        while "nonblocking_read" not in repr(waiting.waits_for):  # a step has its time, and PyPy begins slowly
            t.step()
        t.add(unwinds())
        t.run()
        assert waiting.done
        assert not t.reactor.waiting


@pytest.mark.parametrize("core", CORES)
def test_two_who_read_the_same(core, pair):
    begun = []

    def waits():
        yield read_once(*pair)
        begun.append(True)
        return (yield nonblocking_read(pair[0], 100))

    def second():
        with pytest.raises(RuntimeError, match="another pseudothread waits to read from"):
            yield nonblocking_read(pair[0], 100)
        pair[1].send(b"to the first")

    with load(core).Waiting() as t:
        first = t.add(waits())
        while not begun or first.state != "parked":
            t.step()
        t.add(second())
        t.run()
        assert first.result() == b"to the first"


@pytest.mark.parametrize("core", CORES)
def test_a_socket_that_is_closed_while_it_is_waited_for(core, pair):
    def waits():
        yield read_once(*pair)
        with pytest.raises(OSError, match="is closed") as caught:
            yield nonblocking_read(pair[0], 100)
        return caught.value.errno

    with load(core).Waiting() as t:
        waiting = t.add(waits())
        t.step()
        pair[0].close()
        t.run()
        assert waiting.result() == errno.EBADF
