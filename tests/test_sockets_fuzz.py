"""Peers that split, delay, half-close and reset at random: no byte is lost or doubled, whatever times out meanwhile; and nothing is left
behind, no pseudothread, no wait and no descriptor.
"""

import gc
import itertools
import socket
from contextlib import suppress

import pytest
from conftest import CORES, REFERENCE_COUNTS, load
from hypothesis import given, settings
from hypothesis import strategies as st
from wires import LIMIT, Counting, descriptors, pair, reset

from trampoline import ConnectionLost, nonblocking_read, nonblocking_write, readable, sleep, timeout, writable

PATTERN = bytes(n * 7 % 251 for n in range(251)) * 8000  # a byte that is lost or doubled shifts all that follow


class Connection:
    """One connection, and what came and went at each end. The peer uses its socket itself, without the functions that are tested."""

    def __init__(self, kind, room, script, sizes, limits, chunks):
        self.ours, self.theirs = pair(kind)
        if room:  # the least that the system gives: most writes fill it
            for sock in (self.ours, self.theirs):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        self.theirs.setblocking(False)
        self.script, self.chunks = script, chunks
        self.sizes, self.limits = itertools.cycle([*sizes, 10_000]), itertools.cycle([*limits, None])
        self.read = self.written = 0  # by us
        self.sent = self.received = 0  # by the peer
        self.rude = False  # whether the peer has closed, or reset, so that bytes may be lost
        self.half_closed = False

    def reads(self):
        """Read all, and give up and begin again whenever the time is up. Return the number of bytes."""
        got = bytearray()
        with suppress(ConnectionLost):
            while True:
                limit, size = next(self.limits), next(self.sizes)
                with suppress(TimeoutError):
                    read = nonblocking_read(self.ours, size)
                    data = yield (read if limit is None else timeout(limit, read))
                    assert 1 <= len(data) <= size
                    got += data
        assert got == PATTERN[: len(got)]
        self.read = len(got)

    def writes(self):
        """Write all, and say so."""
        for size in self.chunks:
            data = PATTERN[self.written : self.written + size]
            try:
                assert (yield nonblocking_write(self.ours, bytearray(data) if size % 2 else data)) == len(data)
            except ConnectionLost:
                self.written = sum(self.chunks)
                return
            self.written += len(data)
            if size % 5 == 0:
                yield writable(self.ours)
        with suppress(OSError):  # it was reset
            self.ours.shutdown(socket.SHUT_WR)

    def both(self, t):
        """Read and write at once, and close in the end."""
        writer = t.add(timeout(LIMIT, self.writes()))
        yield self.reads()
        while not writer.done:
            yield sleep(0.0002)
        writer.result()
        self.ours.close()

    def peer(self):
        """Do what the script says, then end in good manners."""
        for word, number in self.script:
            if word == "pause":
                yield sleep(number / 1e6)
            elif not self.rude:
                with suppress(BlockingIOError, ConnectionError):
                    self.do(word, number)
                if number % 3:
                    yield sleep(0)
        if not self.rude:
            self.half_close()
            with suppress(ConnectionError):
                while self.receive(1 << 20) != b"":
                    yield readable(self.theirs)
            self.theirs.close()

    def do(self, word, number):
        if word == "send" and not self.half_closed:
            self.sent += self.theirs.send(PATTERN[self.sent : self.sent + number])
        elif word == "receive":
            self.receive(number)
        elif word == "half-close":
            self.half_close()
        elif word in ("close", "reset"):
            self.rude = True
            self.theirs.close() if word == "close" else reset(self.theirs)

    def receive(self, number):
        """Return what there is, None if it would block."""
        try:
            data = self.theirs.recv(number)
        except BlockingIOError:
            return None
        assert data == PATTERN[self.received : self.received + len(data)]
        self.received += len(data)
        return data

    def half_close(self):
        if not self.half_closed:
            self.half_closed = True
            with suppress(OSError):
                self.theirs.shutdown(socket.SHUT_WR)

    def check(self):
        assert self.read <= self.sent
        assert self.received <= sum(self.chunks)
        if not self.rude:
            assert self.read == self.sent
            assert self.received == self.written == sum(self.chunks)
        assert self.ours.fileno() == self.theirs.fileno() == -1


SIZES = st.sampled_from([1, 2, 3, 7, 100, 4096, 65536, 200_000])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["send", "send", "receive"]), SIZES),
    st.tuples(st.just("pause"), st.sampled_from([0, 1, 300])),
    st.tuples(st.sampled_from(["half-close", "close", "reset"]), st.integers(0, 2)),
)
LIMITS = st.sampled_from([None, 0, 0.0001, 0.001])
CONNECTIONS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["Unix", "TCP"]),
        "room": st.sampled_from([0, 4096]),
        "script": st.lists(STEPS, max_size=12),
        "sizes": st.lists(SIZES, max_size=4),
        "limits": st.lists(LIMITS, max_size=3),
        "chunks": st.lists(SIZES | st.just(0), max_size=5),
    }
)


@pytest.mark.parametrize("name", CORES)
@settings(max_examples=80 if REFERENCE_COUNTS else 20, deadline=None, derandomize=True)
@given(programs=st.lists(CONNECTIONS, min_size=1, max_size=4))
def test_random_peers(name, programs):
    before = descriptors()
    connections = [Connection(**program) for program in programs]
    reactor = Counting()
    with load(name).Waiting(reactor=reactor) as t:
        started = [t.add(timeout(LIMIT, each)) for one in connections for each in (one.both(t), one.peer())]
        t.run()
        for pseudothread in started:
            pseudothread.result()
        assert t._all_parked() == []
        assert not t._limits
        assert not reactor.waiting
    for one in connections:
        one.check()
    reactor.close()
    connections.clear()
    del t, reactor
    if descriptors() != before:
        gc.collect()
    assert descriptors() == before
