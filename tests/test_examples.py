"""Every program in examples/ does what it says, on both cores, as a process of its own with real clients. None may be left running."""

import contextlib
import http.server
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from conftest import CORES, REFERENCE_COUNTS
from processes import EXAMPLES, PATIENCE, connect, descriptors_served, echoed, on, received, run, server, spent, until
from wires import reset

pytestmark = [
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"the examples are not here: there is no {EXAMPLES}"),
    pytest.mark.skipif(not hasattr(select, "poll"), reason="the clients need POSIX"),
]


DATA = bytes(range(256)) * 2000


def test_the_echo_server_of_the_pep(environment):
    """Several clients at a time, large and small; some leave, some reset. None takes the processor or a descriptor with it."""
    with server(environment, "echo_pep342.py", 0, ends=-signal.SIGINT, complains=True) as process:
        before = descriptors_served(process)
        clients = [connect(process.port) for _ in range(20)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
        for number, client in enumerate(clients):
            assert received(client, len(b"%d" % number)) == b"%d" % number
        assert echoed(clients[0], DATA) == DATA
        for number, client in enumerate(clients):
            if number % 2:
                reset(client)
            else:
                client.close()
        with connect(process.port) as last:
            assert echoed(last, b"still here") == b"still here"
        if REFERENCE_COUNTS:  # the PEP's server closes no socket
            until(lambda: descriptors_served(process) <= before)
        if sys.platform == "linux":
            busy = spent(process)
            time.sleep(0.3)
            assert spent(process) - busy < 0.1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The files that the docstring's command makes."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    where = tmp_path_factory.mktemp("tls")
    told = (EXAMPLES / "echo_tls.py").read_text().replace("\\\\\n", "").splitlines()
    (line,) = (line.split() for line in told if line.strip().startswith("openssl req"))
    subprocess.run(line, cwd=where, check=True, capture_output=True, timeout=PATIENCE)
    return where / "cert.pem", where / "key.pem"


def test_the_tls_echo_server(environment, certificate):
    """What does not speak TLS, and who says nothing, is let go; the others do not notice."""
    context = ssl.create_default_context(cafile=certificate[0])
    with server(environment, "echo_tls.py", "--port", 0, "--seconds", 0.5, *certificate, complains=True) as process:
        before = descriptors_served(process)
        with connect(process.port) as silent, connect(process.port) as plain, connect(process.port) as gone:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            reset(gone)
            for _ in range(2):
                with context.wrap_socket(connect(process.port), server_hostname="localhost") as client:
                    for start in range(0, len(DATA), 50000):  # not echoed(): an SSLSocket is not for two threads, 3.12 crashes
                        client.sendall(DATA[start : start + 50000])
                        assert received(client, len(DATA[start : start + 50000])) == DATA[start : start + 50000]
            assert silent.recv(1) == b""
            with contextlib.suppress(ConnectionResetError):
                received(plain, 1000)  # an alert, perhaps
        until(lambda: descriptors_served(process) <= before)


class ChatClient:
    """A client that has said its name."""

    def __init__(self, port, name, most=None):
        self.sock = connect(port, most)
        self.lines = self.sock.makefile("rb")
        assert self.heard() == "* what is your name?"
        self.say(name)

    def say(self, line):
        self.sock.sendall(line.encode() + b"\n")

    def heard(self):
        return self.lines.readline().decode().rstrip("\n")

    def close(self):
        self.lines.close()
        self.sock.close()


def test_the_chat_server(environment):
    """Who speaks is heard by the others, in order; who leaves or is lost is announced; a name is given once."""
    with server(environment, "chat.py", "--port", 0) as process:
        ann = ChatClient(process.port, "ann")
        assert ann.heard() == "* ann has come"
        bob = ChatClient(process.port, "ann")
        assert bob.heard() == "* another name, please"
        bob.say("bob")
        assert ann.heard() == bob.heard() == "* bob has come"
        for number in range(100):
            ann.say(f"line {number}")
        bob.say("grüße")
        assert [bob.heard() for _ in range(100)] == [f"ann: line {number}" for number in range(100)]
        assert ann.heard() == "bob: grüße"
        bob.sock.sendall(b"half a li")
        bob.close()
        assert ann.heard() == "* bob has left"
        reset(connect(process.port))  # it has no name: that is not announced
        carol = ChatClient(process.port, "carol")
        assert ann.heard() == carol.heard() == "* carol has come"
        carol.lines.close()
        reset(carol.sock)
        assert ann.heard().startswith("* carol is lost: [Errno ")
        ann.sock.sendall(b"x" * 10000)
        with contextlib.suppress(ConnectionResetError):
            assert ann.heard() == ""
        ann.close()


def test_a_slow_reader_of_the_chat_stops_nobody(environment):
    """It is put out when its lines are too many, and that is announced; whoever reads gets every line."""
    with server(environment, "chat.py", "--port", 0, "--most", 50) as process:
        ann, slow, carol = ChatClient(process.port, "ann"), ChatClient(process.port, "slow", 4096), ChatClient(process.port, "carol")
        while carol.heard() != "* carol has come":
            pass
        chunk = "".join(f"{number}{'x' * 900}\n" for number in range(40))
        announced = 0
        for _ in range(1000):
            ann.sock.sendall(chunk.encode())
            for number in range(40):
                line = carol.heard()
                if line.startswith("* slow was put out"):
                    announced += 1
                    line = carol.heard()
                assert line == f"ann: {number}{'x' * 900}"
            if announced:
                break
        assert announced == 1
        for client in (ann, slow, carol):
            client.close()


OK = b"HTTP/1.1 200 OK\r\n"


class Pages(http.server.BaseHTTPRequestHandler):
    """Pages, some of which are slow, missing, in chunks, broken off or no HTTP. Counts how many are asked for at the same time."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()

    def do_GET(self):
        """Answer by the path."""
        served = self.server
        with self.lock:
            served.now += 1
            served.most = max(served.most, served.now)
        time.sleep(0.05)
        with self.lock:
            served.now -= 1
        answers = {
            "/slow": lambda: served.release.wait(PATIENCE),
            "/missing": lambda: self.send_error(404),
            "/chunks": lambda: self.wfile.write(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n4\r\n you\r\n0\r\n\r\n"),
            "/broken": lambda: self.wfile.write(OK + b"Content-Length: 100\r\n\r\nhello"),
            "/nonsense": lambda: self.wfile.write(b"what?\r\n"),
        }
        answers.get(self.path.partition("?")[0], self.page)()
        self.close_connection = True

    def page(self):
        """Answer with 100,000 bytes."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 100000)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def pages():
    """A web server on a thread."""
    with http.server.ThreadingHTTPServer(("localhost", 0), Pages) as found:
        found.now = found.most = 0
        found.release = threading.Event()
        found.url = f"http://localhost:{found.server_port}"
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.release.set()
        found.shutdown()
        thread.join()


def test_the_fetcher(environment, pages):
    """All are fetched, never more than so many at once; each failure is said and stops nobody."""
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        closed = f"http://localhost:{unused.getsockname()[1]}/"
        good = [f"{pages.url}/{number}?q" for number in range(9)]
        bad = [f"{pages.url}/{name}" for name in ("slow", "missing", "broken", "nonsense")] + [closed, "https://localhost/", "http://"]
        done = run(environment, "fetch.py", "--at-once", 3, "--timeout", 0.7, *good, f"{pages.url}/chunks", *bad)
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert done.returncode == 1
    assert done.stderr == ""
    assert all(said.pop(url).startswith("200 OK, 100,000 bytes, ") for url in good)
    assert said.pop(f"{pages.url}/chunks").startswith("200 OK, 9 bytes, ")
    assert said.pop(f"{pages.url}/slow") == "TimeoutError: the 0.7 seconds of timeout() were up"
    assert said.pop(f"{pages.url}/missing").startswith("404 Not Found, ")
    assert said.pop(f"{pages.url}/broken").startswith("IncompleteRead: ")
    assert said.pop(f"{pages.url}/nonsense").startswith("BadStatusLine: ")
    assert said.pop(closed).startswith("ConnectionRefusedError: ")
    assert [said.pop(url) for url in bad[-2:]] == ["ValueError: only http://host/... is fetched"] * 2
    assert said == {}
    assert pages.most == 3


def test_the_fetcher_ends_well(environment, pages):
    """When nothing failed the exit status says so."""
    done = run(environment, "fetch.py", f"{pages.url}/a")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def original():
    """The program for asyncio that was ported, after its run."""
    return run(None, "ported_from_asyncio.py")


def test_the_port_of_an_asyncio_program(environment, original):
    """The program and its port print the same; on a busy machine a later answer may overtake, in either, as they are only 0.1 s apart."""
    port = run(environment, "ported_to_trampoline.py")
    assert original.returncode == 0  # what asyncio says of a handler that it cancels at the end (3.11) is its own
    assert (port.returncode, port.stderr) == (0, "")
    assert original.stdout.splitlines()[-1] == "29"
    lines, wanted = port.stdout.splitlines(), original.stdout.splitlines()
    assert sorted(lines[:3]) == sorted(wanted[:3])
    assert lines[3:] == wanted[3:]


def test_the_thumbnails_of_the_pep(tmp_path):
    """Five pictures at four a page are two pages, each thumbnail in its place; what is no picture is said and left out."""
    pictures = pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install pillow")
    made = {"red.jpg": (640, 480), "lime.png": (40, 30), "blue.jpg": (480, 640), "yellow.gif": (7, 7), "black.png": (640, 480)}
    names = [tmp_path / name for name in made]
    for name, size in zip(names, made.values(), strict=True):
        pictures.new("RGB", size, name.stem).save(name)
    names.insert(2, tmp_path / "no picture.jpg")
    names[2].write_text("hello")
    done = run(on(CORES[0]), "thumbnails_pep342.py", "--page", "200x150", "--thumb", "100x75", tmp_path / "pages", *names)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.count("\n") == 1
    assert "no picture.jpg" in done.stderr
    assert sorted(os.listdir(tmp_path / "pages")) == ["page0001.jpg", "page0002.jpg"]
    centres = [(50, 37), (150, 37), (50, 112), (150, 112)]
    seen = []
    for number in (1, 2):
        with pictures.open(tmp_path / "pages" / f"page000{number}.jpg") as page:
            assert (page.format, page.size) == ("JPEG", (200, 150))
            seen += [page.getpixel(centre) for centre in centres]
    wanted = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 0, 0)] + [(255, 255, 255)] * 3
    assert all(abs(a - b) < 12 for pair in zip(seen, wanted, strict=True) for a, b in zip(*pair, strict=True)), seen


def test_thumbnails_larger_than_the_page_are_refused(tmp_path):
    """The PEP's pager would never ask for a picture."""
    pytest.importorskip("PIL", reason="Pillow is not installed: pip install pillow")
    done = run(on(CORES[0]), "thumbnails_pep342.py", "--page", "10x10", "--thumb", "20x5", tmp_path, "a.jpg")
    assert done.returncode == 2
    assert "at least as large" in done.stderr
