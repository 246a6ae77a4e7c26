"""One suspension, or one socket, for two that wait; one whose wake-up fails; one that fails when it is to be waited for once more."""

import errno
import gc
import os
import socket
import ssl
import sys
from concurrent.futures import Future

import pytest
from coroutines import Mishap, native, waits
from crowds import FREE
from wires import error_of, pair, play

import trampoline
from trampoline import (
    ChannelClosed,
    Event,
    listening_socket,
    nonblocking_accept,
    nonblocking_handshake,
    nonblocking_read,
    nonblocking_sendto,
    nonblocking_write,
)


def test_the_outcome_of_a_future_is_not_for_two(core):
    future, told = Future(), []

    def second():
        suspension = first.waits_for
        told.append(repr(suspension))
        told.append(str((yield error_of(suspension, RuntimeError))))
        future.set_result("for the first")
        yield first
        told.append(repr(suspension))

    with core.Waiting() as t:
        first = t.add(waits(future))
        t.add(second())
        t.run()
        assert first.result() == "for the first"
    assert told[0].startswith("the outcome of <Future")
    assert told[1] == f"this {told[0]} was waited for already: make one for each wait, or yield the future itself"
    assert told[2] == "the outcome of a future"


@pytest.mark.parametrize("fails", [False, True])
def test_where_who_is_woken_cannot_be_queued_that_error_leaves_run(core, fails):
    """A RuntimeError of the user's own is not taken for the refusal of one that waits no longer."""

    class Full(core.Waiting):
        full = False

        def schedule(self, *continuation):
            if self.full:
                raise RuntimeError("full")
            return super().schedule(*continuation)

    future = Future()
    with Full() as t:
        waiter = t.add(waits(future))
        t.step()
        assert waiter.state == "parked"
        if fails:
            future.set_exception(Mishap())
        else:
            future.set_result("value")
        t.full = True
        with pytest.raises(RuntimeError, match=r"^full$"):
            t.run()
        t.full = False


def test_an_event_that_is_set_gives_others_their_turns(core):
    """However often it is waited for: after so many times at once it goes by the queue."""
    log, event = [], Event()
    event.set()

    def asks():
        for _ in range(250):
            log.append((yield event))
        yield event
        log.append((yield native("called in the same turn")))

    def other():
        log.append("other")
        return
        yield

    play(core, asks(), other())
    assert log.count(True) == 250
    assert log[-1] == "called in the same turn"
    assert 0 < log.index("other") < 250


class Odd(socket.socket):
    """A socket with which something happens at each attempt."""

    __slots__ = ("attempts",)

    def recv(self, *arguments):
        self.attempts.pop(0)()
        return super().recv(*arguments)

    def send(self, data):
        self.attempts.pop(0)()
        return super().send(data)

    def do_handshake(self):
        self.attempts.pop(0)()

    def accept(self):
        self.attempts.pop(0)()


def raises(error):
    raise error


@pytest.fixture
def odd():
    """Such a socket, and its peer."""
    ours, theirs = pair()
    ours = Odd(fileno=ours.detach())
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_who_is_to_try_again_in_a_moment_may_be_given_up(core, odd):
    """It wants to read in order to write, while another reads. Nothing is left of it."""
    ours, theirs = odd
    ours.attempts = [lambda: raises(ssl.SSLWantReadError()), lambda: None]

    with core.Waiting() as t:
        reader = t.add(waits(nonblocking_read(ours)))
        t.step()
        writer = t.add(waits(nonblocking_write(ours, b"question")))
        while len(ours.attempts) == 2:
            t.step()
        writer.close()
        theirs.send(b"answer")
        t.run()
        assert reader.result() == b"answer"
        assert not t.reactor.waiting


def test_a_socket_that_is_closed_between_an_attempt_and_the_next(core, odd):
    ours, theirs = odd

    def closes():
        ours.close()
        raise BlockingIOError

    ours.attempts = [closes]
    theirs.send(b"answer")
    (error,) = play(core, error_of(nonblocking_read(ours)))
    assert error.errno == errno.EBADF


@pytest.mark.parametrize("same", [False, True], ids=["two operations", "one operation"])
def test_two_that_make_the_handshake_of_one_socket(core, odd, same):
    """The second is refused where both would wait for the same, and the first goes on."""
    ours, theirs = odd
    ours.attempts = [lambda: raises(ssl.SSLWantReadError())] * (1 if same else 2) + [lambda: None]
    first = nonblocking_handshake(ours)

    def second():
        error = yield error_of(first if same else nonblocking_handshake(ours), RuntimeError)
        theirs.send(b"answer")
        return str(error)

    none, said = play(core, waits(first), second())
    assert none is None
    assert said.startswith(f"another pseudothread waits {'for' if same else 'to read from'} ")
    assert ours.attempts == []


class Listener(Odd):
    __slots__ = ("context", "suppress_ragged_eofs")


@pytest.fixture
def listener():
    """A listening socket with a connection to be accepted, and the other end of that."""
    with Listener() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        made.setblocking(False)
        made.suppress_ragged_eofs = True
        with socket.create_connection(made.getsockname()) as theirs:
            yield made, theirs


def test_an_error_of_accept_that_no_hint_explains_arrives_as_it_is(core, listener):
    made, failure = listener[0], OSError(errno.EINVAL, "of the system")
    made.context, made.attempts = None, [lambda: raises(failure)]
    (error,) = play(core, error_of(nonblocking_accept(made)))
    assert error is failure


def test_an_error_of_a_tls_context_arrives_and_the_connection_is_closed(core, listener):
    class Fails:
        def wrap_socket(self, *_, **__):
            raise OSError(errno.EMFILE, "no descriptor left")

    made, theirs = listener
    made.context = Fails()
    (error,) = play(core, error_of(nonblocking_accept(made)))
    assert error.errno == errno.EMFILE
    assert theirs.recv(1) == b""


@pytest.mark.skipif(sys.platform != "linux", reason="what the system says of that port")
def test_an_error_of_writing_that_no_hint_explains_arrives_as_it_is(core):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        (error,) = play(core, error_of(nonblocking_sendto(sock, b"data", ("127.0.0.1", 0))))
    assert (error.errno, error.strerror) == (errno.EINVAL, os.strerror(errno.EINVAL))


def test_a_backlog_that_is_no_number_leaves_no_socket_open():
    with pytest.raises(TypeError):
        listening_socket("127.0.0.1", 0, backlog="many")
    gc.collect()  # which would warn of one that is open


def test_a_channel_that_is_closed_after_any_number_of_values(core):
    """The end is told whether it is seen at once or by the queue, after a hundred values in a row."""
    for count in range(95, 106):
        log, t, channel = [], core.Trampoline(), core.Channel(None)

        def gets(log=log, channel=channel):
            try:
                while True:
                    log.append((yield channel.get()))
            except ChannelClosed:
                return "told"

        for number in range(count):
            t.add(waits(channel.put(number)))
        t.run()
        channel.close()
        t.add(gets())
        assert t.run() == "told"
        assert log == list(range(count))


def test_an_operation_that_was_resumed_by_hand_may_be_waited_for_again(core):
    log, t, channel = [], core.Trampoline(), core.Channel(0)
    operation = channel.get()

    def gets():
        log.append((yield operation))
        log.append((yield operation))

    p = t.add(gets())
    t.run()
    p.resume("by hand")
    t.run()
    t.add(waits(channel.put("put")))
    t.run()
    assert log == ["by hand", "put"]
    assert p.done


class Stands(trampoline.Suspension):
    """Stands for another suspension, as one that measures does."""

    def __init__(self, inner):
        self.inner = inner

    def suspend(self, pseudothread):
        self.inner.suspend(pseudothread)


@pytest.mark.skipif(FREE, reason="without the GIL an operation of a channel serves only who waits for that itself")
def test_a_suspension_that_stands_for_another(core):
    """What that gives arrives, at once or later; and its error."""
    log, channel = [], core.Channel(1)
    event = Event()
    event.set()

    def root():
        log.append((yield Stands(event)))
        log.append((yield Stands(channel.put(1))))
        log.append((yield Stands(channel.get())))
        channel.close()
        with pytest.raises(ChannelClosed):
            yield Stands(channel.get())
        return "value"

    with core.Waiting() as t:
        t.add(root())
        assert t.run() == "value"
    assert log == [True, None, 1]
