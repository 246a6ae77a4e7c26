"""The examples as processes of their own, on one of the cores, and clients for those that serve."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import trampoline

EXAMPLES = Path(__file__).parent.parent / "examples"
PATIENCE = 30  # seconds, after which whatever hangs is killed


def on(core):
    """Return what an example is run with: the package under test, on one of the cores."""
    found = {**os.environ, "PYTHONPATH": str(Path(trampoline.__file__).parent.parent), "PYTHONUNBUFFERED": "1"}
    found.pop("TRAMPOLINE_NO_EXTENSIONS", None)
    if core == "python":
        found["TRAMPOLINE_NO_EXTENSIONS"] = "1"
    return found


def command(name, *arguments):
    unclosed = ["-W", "ignore::ResourceWarning"] if name == "echo_pep342.py" else []
    return [sys.executable, "-W", "error", *unclosed, str(EXAMPLES / name), *map(str, arguments)]


def run(environment, name, *arguments):
    return subprocess.run(command(name, *arguments), env=environment, capture_output=True, text=True, timeout=PATIENCE)


@contextlib.contextmanager
def server(environment, name, *arguments, ends=0, complains=False):
    """Run a server that prints its port; give the port and the process. In the end Ctrl-C it: it must end with the status `ends`."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command(name, *arguments), env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            said = process.stdout.readline().rpartition(" ")
            assert said[0] == "listening at port", said
            drain = threading.Thread(target=process.stdout.read)  # a full pipe would stop it
            drain.start()
            process.port = int(said[2])
            yield process
            settle(process)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            status = process.wait(PATIENCE)
            errors.seek(0)
            text = errors.read()
            assert status == ends, text
            assert "Exception ignored" not in text
            assert complains or not text
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()
            drain.join()
            process.stdout.close()


def connect(port, most=None):
    sock = socket.socket()
    if most is not None:  # that wait to be received
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, most)
    sock.settimeout(PATIENCE)
    sock.connect(("localhost", port))
    return sock


def echoed(sock, data):
    """Send all of `data`, and return what comes back: as many bytes, or those before the end."""
    sender = threading.Thread(target=sock.sendall, args=(data,))
    sender.start()
    got = received(sock, len(data))
    sender.join()
    return got


def received(sock, nbytes):
    got = bytearray()
    while len(got) < nbytes and (more := sock.recv(min(65536, nbytes - len(got)))):
        got += more
    return bytes(got)


def spent(process):
    """Return the seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def descriptors_served(process):
    """Return how many descriptors a server has when one more client has come and gone: some it opens, and some it closes, only then."""
    with connect(process.port) as one, contextlib.suppress(ConnectionError):
        one.sendall(b"\n")
        received(one, 1)
    if sys.platform != "linux":
        return 0
    least = descriptors(process)
    for _ in range(10):
        time.sleep(0.01)
        least = min(least, descriptors(process))
    return least


def settle(process):
    """Wait until the server sleeps: Ctrl-C in the midst of a handler's `finally` would leave its socket open."""
    asleep = 0 if sys.platform == "linux" else 10
    while asleep < 10 and process.poll() is None:
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        asleep = asleep + 1 if state == "S" else 0
        time.sleep(0.005)


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
