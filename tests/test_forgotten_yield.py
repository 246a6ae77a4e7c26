"""What a forgotten `yield` leaves is known where it is refused, and the refusal says what to write."""

import socket

import pytest

import trampoline
from trampoline import (
    Trampoline,
    first,
    gather,
    in_thread,
    nonblocking_accept,
    nonblocking_read,
    nonblocking_write,
    readable,
    sleep,
    timeout,
)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda sock: nonblocking_write(sock, nonblocking_read(sock)), "write `yield` before it"),
        (lambda sock: nonblocking_read(nonblocking_accept(sock)), "write `yield` before it"),
        (lambda sock: readable(nonblocking_accept(sock)), "write `yield` before it"),
        (lambda sock: nonblocking_read(trampoline.nonblocking_connect("localhost", 1)), "write `yield` before it"),
        (lambda sock: nonblocking_read(sock, in_thread(int)), "write `yield` before it"),
        (lambda sock: sleep(in_thread(int)), "write `yield` before it"),
        (lambda sock: timeout(nonblocking_read(sock), 5), "takes the seconds first"),
        (lambda sock: Trampoline().add(sleep(1)), r"write it in a coroutine, yield sleep\(1.0\)"),
        (lambda sock: gather([sleep(1), sleep(2)]), r"write gather\(\*...\) with a star"),
        (lambda sock: first({sleep(1)}), r"write first\(\*...\) with a star"),
        (lambda sock: Trampoline().add(print("", end="")), "is there no `yield`"),
    ],
)
def test_what_a_forgotten_yield_leaves_is_known(wrong, hint):
    """The refusal says what to write."""
    one, other = socket.socketpair()
    with one, other, pytest.raises(TypeError, match=hint):
        wrong(one)
