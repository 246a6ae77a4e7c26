"""What the tests of sockets share: connections of every kind, peers, a reactor that counts, and a run that cannot hang."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager

from conftest import let_go

import trampoline
from trampoline import Reactor, listening_socket, timeout

LIMIT = 60  # seconds, for what takes a fraction of one: no test waits for ever


def _ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


HAS_IPV6 = _ipv6()


class Counting(Reactor):
    """A reactor that counts how often it was asked what is ready: who polls without end burns the processor."""

    def __init__(self):
        super().__init__()
        self.polls = 0

    def poll(self, timeout=None):
        """Count, and ask."""
        self.polls += 1
        return super().poll(timeout)


def play(core, *coroutines, reactor=None):
    """Run coroutines to their end, return their results, and see that nothing is parked then and that nobody waits for a file."""
    with core.Waiting(reactor=reactor) as t:
        started = [t.add(timeout(LIMIT, coroutine)) for coroutine in coroutines]
        t.run()
        assert t._all_parked() == []
        assert "reactor" not in vars(t) or not t.reactor.waiting
        return [pseudothread.result() for pseudothread in started]


@contextmanager
def place(kind):
    """Give a listening socket of that kind, and the arguments with which `nonblocking_connect()` finds it."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are too deep for the path of a Unix socket
        path = os.path.join(folder, "socket")
        where = {"IPv4": ("127.0.0.1", 0), "IPv6": ("::1", 0), "Unix": (path,)}[kind]
        with listening_socket(*where) as listener:
            yield listener, (path,) if kind == "Unix" else listener.getsockname()[:2]


def pair(kind="Unix"):
    """Return two connected blocking sockets."""
    if kind == "Unix":
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        return one, listener.accept()[0]


def reset(sock):
    """Close a TCP socket so that the other end gets a reset, not an end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def fill(sock):
    """Send until no more goes in, and return how many bytes went."""
    sock.setblocking(False)
    sent = 0
    for size in (65536, 1):
        try:
            while True:
                sent += sock.send(bytes(size))
        except BlockingIOError:
            pass
    return sent


def descriptors():
    """Return the numbers of the descriptors that this process has open."""
    let_go()  # on PyPy those that nobody holds are open until then
    if sys.platform == "win32":  # which has no folder of them
        return []
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    return sorted(map(int, os.listdir(folder)))[:-1]  # without that of the look itself


@contextmanager
def on_a_thread(function, *args):
    """Call a function on a thread meanwhile, and raise what it raises."""
    errors = []

    def body():
        try:
            function(*args)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(LIMIT)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def error_of(suspension, kind=OSError):
    """Wait, and return the error that comes."""
    try:
        yield suspension
    except kind as error:
        return error
    raise AssertionError(f"no error came out of {suspension!r}")


def value_of(suspension):
    return (yield suspension)


def script_on(core, script):
    """Return the command that runs a script in which `core` is that core's namespace."""
    path = [os.path.dirname(__file__), os.path.dirname(os.path.dirname(trampoline.__file__))]
    head = f"import sys\nsys.path[:0] = {path!r}\nfrom conftest import load\ncore = load({core.name!r})\n"
    return [sys.executable, "-c", head + script]


def run_script(core, script):
    """Run it, and return its status and what it wrote."""
    done = subprocess.run(script_on(core, script), capture_output=True, text=True, timeout=LIMIT, check=False)
    return done.returncode, done.stdout, done.stderr
