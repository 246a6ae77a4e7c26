"""The examples that are driven by another loop: Tk's, on a display of its own, and a game's. Their steps are counted: nobody polls."""

import contextlib
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import pytest
from processes import EXAMPLES, PATIENCE, run

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"the examples are not here: there is no {EXAMPLES}")


def test_a_game(environment):
    done = run(environment, "in_a_game.py", "--frames", 60)
    assert (done.returncode, done.stderr) == (0, "")
    frames, moves, steps = map(int, re.fullmatch(r"(\d+) frames, (\d+) moves, (\d+) steps\n", done.stdout).groups())
    assert frames == 60
    assert moves >= 2
    assert steps <= frames + 2 * moves + 20, "more than the ends of frames and the deadlines woke it"
    assert run(environment, "in_a_game.py", "--frames", 3, "--draw").stdout.startswith("\n....")  # text: a carriage return is one


@contextlib.contextmanager
def display(environment):
    """Give an environment with a display: an X server without a screen, where there is one, else the user's own."""
    if shutil.which("Xvfb") is None:
        if not os.environ.get("DISPLAY"):
            pytest.skip("Tk needs a display: there is no DISPLAY and no Xvfb")
        yield environment
        return
    inlet, outlet = os.pipe()
    with tempfile.TemporaryFile() as errors:
        command = ["Xvfb", "-displayfd", str(outlet), "-screen", "0", "320x240x24", "-nolisten", "tcp"]
        server = subprocess.Popen(command, pass_fds=[outlet], stdout=errors, stderr=errors)
        os.close(outlet)
        try:
            with os.fdopen(inlet) as said:
                number = said.readline().strip()  # empty if it ends before
            if not number:
                errors.seek(0)
                pytest.skip(f"Tk needs a display, and Xvfb does not start: {errors.read()[-200:]!r}")
            yield {**environment, "DISPLAY": f":{number}"}
        finally:
            server.kill()
            server.wait()


@pytest.mark.skipif(importlib.util.find_spec("tkinter") is None, reason="this Python has no tkinter")
@pytest.mark.skipif(sys.platform == "win32", reason="X servers are for POSIX")
def test_tk(environment):
    pytest.importorskip("tkinter", reason="this Python has a tkinter without Tk", exc_type=ImportError)
    with display(environment) as shown:
        command = [sys.executable, "-W", "error", str(EXAMPLES / "in_tk.py"), "--port", "0"]
        process = subprocess.Popen(command, env=shown, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            port = int(process.stdout.readline().rpartition(" ")[2])
            with socket.create_connection(("localhost", port), PATIENCE) as client:
                for n in range(5):
                    client.sendall(b"line %d\n" % n)
                    assert client.recv(100) == b"shown: line %d\n" % n
                client.sendall(b"quit\n")
                assert client.recv(100) == b""
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            watchdog.cancel()
            process.kill()
            process.communicate()
    assert (process.returncode, err) == (0, "")
    ticks, lines, steps = map(int, re.fullmatch(r"(\d+) ticks, (\d+) lines, (\d+) steps\n", out).groups())
    assert lines == 5
    assert steps <= 2 * ticks + 4 * lines + 20, "more than the deadlines and what came in woke it"
