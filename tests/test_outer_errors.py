"""Errors of this package at a yield while whoever called `run()` handles an error: they have nothing of that, and no frame of ours.

What the user's code raises there gets the context that Python gives it.
"""

import asyncio
import os
import select
import socket
import sys
import traceback

import pytest
from conftest import REFERENCE_COUNTS

import trampoline

OPEN = []  # what a test has opened


@pytest.fixture(autouse=True)
def _closed():
    yield
    while OPEN:
        OPEN.pop().close()


def ended():
    return
    yield


def foreign(core):
    return core.Waiting().add(ended())


def abstract(core):
    return trampoline.Suspension()


def regular_file(core):
    OPEN.append(open(__file__))  # noqa: SIM115
    return trampoline.readable(OPEN[-1])


def closed_socket(core):
    sock = socket.socket()
    sock.setblocking(False)
    waits = trampoline.nonblocking_read(sock)
    sock.close()
    return waits


def lost_connection(core):
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.close()
    OPEN.append(ours)
    return trampoline.nonblocking_read(ours)


def closed_channel(core):
    channel = core.Channel(0)
    channel.close()
    return channel.get()


def spawned_twice(core):
    spawning, other = core.spawn(ended()), core.Trampoline()
    other.add(yields(spawning))
    other.run()
    return spawning


def of_asyncio(core):
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    loop.close()
    return awaits(future)


def yields(waits):
    yield waits


async def awaits(future):
    return await future


MAKERS = [foreign, abstract, closed_socket, closed_channel, spawned_twice, of_asyncio]
if sys.platform != "emscripten":  # which has no connections
    MAKERS.append(lost_connection)
if hasattr(select, "epoll"):  # elsewhere it is ready
    MAKERS.append(regular_file)
ERRORS = (RuntimeError, NotImplementedError, OSError, trampoline.ChannelClosed)


def run_while_handling(t, error):
    try:
        raise error
    except KeyError:
        t.run()


@pytest.mark.parametrize("maker", MAKERS)
def test_it_has_no_context_of_whoever_called_run(core, maker):
    caught = []

    def root():
        try:
            yield maker(core)
        except ERRORS as error:
            caught.append(error)

    t = core.Waiting()
    t.add(root())
    run_while_handling(t, KeyError("of the caller of run()"))
    (error,) = caught
    assert error.__context__ is None
    ours = os.path.dirname(trampoline.__file__)
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    assert files
    assert not [file for file in files if file.startswith(ours) or file.endswith((".pyx", ".pxi"))]


@pytest.mark.parametrize("maker", MAKERS)
def test_it_has_the_one_that_the_coroutine_handles_at_that_yield(core, maker):
    caught, handled = [], ValueError("handled at the yield")

    def root():
        try:
            raise handled
        except ValueError:
            try:
                yield maker(core)
            except ERRORS as error:
                caught.append(error)

    t = core.Waiting()
    t.add(root())
    run_while_handling(t, KeyError("of the caller of run()"))
    (error,) = caught
    assert error.__context__ in ([handled] if REFERENCE_COUNTS else [handled, None])  # PyPy gives none to what once had one taken away


def test_what_two_sleep_is_the_same(core):
    caught, shared = [], core.module.sleep(0.01)

    def sleeps():
        try:
            yield shared
        except RuntimeError as error:
            caught.append(error)

    t = core.Waiting()
    t.add(sleeps())
    t.add(sleeps())
    run_while_handling(t, KeyError("of the caller of run()"))
    assert [error.__context__ for error in caught] == [None]


def test_the_users_own_is_pythons_affair(core):
    """What a generator raises that is resumed in an `except` block has that error as its context; so has what `suspend()` raises."""
    caught, outer = [], KeyError("of the caller of run()")

    class Fails(core.Suspension):
        def suspend(self, pseudothread):
            raise LookupError("of suspend()")

    def fails():
        raise LookupError("of a coroutine")
        yield

    def root(what):
        try:
            yield what
        except LookupError as error:
            caught.append(error)

    t = core.Waiting()
    t.add(root(Fails()))
    t.add(root(fails()))
    run_while_handling(t, outer)
    assert [(error.args, error.__context__) for error in caught] == [(("of suspend()",), outer), (("of a coroutine",), outer)]
