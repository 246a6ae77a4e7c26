"""Where there is no epoll: `selectors`; and where there are no sockets, as in a browser, time at least passes."""

import errno
import select
import selectors
import socket
import sys

import pytest
from wires import pair, play

from trampoline import Reactor, nonblocking_read, nonblocking_write, readable, sleep, timeout
from trampoline._pollers import Selectors


def test_without_epoll_sockets_are_waited_for_all_the_same(core, monkeypatch):
    monkeypatch.delattr(select, "epoll", raising=False)
    ours, theirs = pair()

    def asks():
        yield nonblocking_write(ours, b"question")
        return (yield nonblocking_read(ours))

    def answers():
        assert (yield nonblocking_read(theirs)) == b"question"
        yield sleep(0.001)
        yield nonblocking_write(theirs, b"answer")

    with ours, theirs:
        reactor = Reactor()
        assert play(core, asks(), answers(), reactor=reactor) == [b"answer", None]
        reactor.close()


@pytest.mark.parametrize("waited_for", [False, True])
def test_with_select_alone_as_on_windows_a_closed_socket_ends_nothing_but_its_own_wait(core, monkeypatch, waited_for):
    """It refuses to look at any, where one is closed that it knows."""
    monkeypatch.delattr(select, "epoll", raising=False)
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    ours, theirs = pair()
    closing, other = pair()

    def closes():
        yield nonblocking_write(other, b"first")
        yield nonblocking_read(closing)  # since then it is known
        if waited_for:
            yield core.spawn(waits())
            yield sleep(0.001)
        closing.close()
        yield sleep(0.001)
        yield nonblocking_write(theirs, b"second")

    def waits():
        with pytest.raises(OSError, match=r"closed|Bad file descriptor") as raised:
            yield nonblocking_read(closing)
        told.append(raised.value.errno)

    def reads():
        return (yield nonblocking_read(ours))

    told = []
    with ours, theirs, closing, other:
        reactor = Reactor()
        assert play(core, closes(), reads(), reactor=reactor) == [None, b"second"]
        reactor.close()
    assert told == [errno.EBADF] * waited_for


def test_without_epoll_too_a_file_that_is_always_ready_is_refused(core, monkeypatch):
    monkeypatch.delattr(select, "epoll", raising=False)

    def waits(file):
        with pytest.raises(PermissionError, match="always ready, as regular files are"):
            yield readable(file)
        return "refused"

    with open(__file__) as file:
        reactor = Reactor()
        assert play(core, waits(file), reactor=reactor) == ["refused"]
        assert not reactor.waiting
        reactor.close()


def test_an_error_of_select_that_no_closed_file_explains_leaves_poll(monkeypatch):
    def fails(timeout):
        raise OSError(errno.ENOMEM, "no memory")

    selector = Selectors()
    monkeypatch.setattr(selector._selector, "select", fails)
    with pytest.raises(OSError, match="no memory"):
        selector.poll(0)
    selector.close()


def test_what_is_no_file_of_the_system_is_left_to_the_selector(monkeypatch):
    """A socket on Windows has a number of another kind."""
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    selector = Selectors()
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    ours.close()
    selector.register(number, selectors.EVENT_READ)
    assert selector.poll(0) == [(number, selectors.EVENT_READ)]
    selector.close()
    theirs.close()


@pytest.fixture
def browser(monkeypatch):
    """A reactor as one is made in Pyodide."""
    monkeypatch.setattr(sys, "platform", "emscripten")
    reactor = Reactor()
    yield reactor
    reactor.close()


def test_in_a_browser_time_passes(core, browser):
    woken = []

    def sleeper(seconds):
        yield sleep(seconds)
        woken.append(seconds)

    def late():
        with pytest.raises(TimeoutError):
            yield timeout(0.002, sleep(1000))
        woken.append("late")

    browser.knock()
    play(core, sleeper(0.02), sleeper(0.001), late(), reactor=browser)
    assert sorted(map(str, woken)) == ["0.001", "0.02", "late"]


def test_in_a_browser_a_knock_ends_a_wait_or_the_next_one(browser, monkeypatch):
    def knocked(seconds):
        slept.append(seconds)
        if len(slept) > 1:
            browser.knock()

    slept = []
    monkeypatch.setattr("time.sleep", knocked)
    for _ in range(3):
        browser.knock()
    browser.dispatch(browser.poll(60))  # at once
    assert slept == []
    browser.dispatch(browser.poll(0.5))
    browser.dispatch(browser.poll(60))
    assert slept == [0.5, 1]


def test_in_a_browser_a_file_cannot_be_waited_for(core, browser):
    ours, theirs = socket.socketpair()

    def waits():
        with pytest.raises(OSError, match="there are no sockets on emscripten"):
            yield readable(ours)

    with ours, theirs:
        play(core, waits(), reactor=browser)
