"""dump_on_signal(): who waits where, asked by a signal; in a process of its own where that is stuck. And `ps`, asked from outside."""

import contextlib
import io
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import CORES

from trampoline import __main__ as command_line
from trampoline import _ps, dump_on_signal

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has no signal to ask by")

PROGRAM = """
import os, sys, threading, time
from trampoline import Trampoline, dump_on_signal, sleep

def helper():
    print("stuck", flush=True)
    while not done:
        pass

def stuck():
    yield helper()

def waits():
    yield sleep(3600)

def idle():
    print("idle", flush=True)
    yield sleep(3600)

done = []
dump_on_signal()
t = Trampoline()
t.add({first}(), name="first")
t.add(waits(), name="second")
t.run()
"""


@contextlib.contextmanager
def program(core, first):
    """Start it, and give the process when it has come to where it stays."""
    environment = {**os.environ, "TRAMPOLINE_NO_EXTENSIONS": "" if core == "c" else "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(first=first)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout.readline().strip() == first
        yield process
    finally:
        process.kill()
        process.communicate()


def told(process, states):
    """Ask until the process is in these states, and return the lines that it wrote then. A signal may come just before it waits."""
    written, pause = "", 0.001
    while written.count("\n") < 6 or f"({states})" not in written or not written.endswith("in waits\n"):
        process.send_signal(signal.SIGUSR1)
        if select.select([process.stderr], [], [], 1)[0]:
            written += os.read(process.stderr.fileno(), 65536).decode()
        time.sleep(pause)  # on a busy machine it would be asked again before it waits, each time
        pause = min(2 * pause, 1)
    return written[written.rindex(f"({states})") :].splitlines()[1:]


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("first", "states"), [("stuck", "1 running, 1 queued"), ("idle", "2 parked")])
def test_a_process_that_stands_still_says_where(core, first, states):
    with program(core, first) as process:
        lines = told(process, states)
    assert lines[0].startswith("first, running" if first == "stuck" else "first, parked for sleep(3600")
    assert lines[1].endswith(f", in {first}")
    if first == "stuck":
        assert lines[2] == "  in the functions"
        assert lines[3].endswith(", in helper")


@pytest.fixture
def usual():
    """The handler of SIGUSR1, which is put back."""
    before = signal.getsignal(signal.SIGUSR1)
    yield before
    signal.signal(signal.SIGUSR1, before)


def test_it_writes_to_the_file_that_it_is_given_and_calls_who_was_there(core, usual):
    called, written = [], io.StringIO()

    def before(number, frame):
        called.append(number)

    def root():
        number = 42
        signal.raise_signal(signal.SIGUSR1)
        yield number

    assert dump_on_signal(file=io.StringIO()) is usual
    signal.signal(signal.SIGUSR1, before)
    assert dump_on_signal(signal.SIGUSR1, written, locals=True, chain=True) is before
    t = core.Trampoline()
    t.add(root(), name="root")
    t.run()
    assert called == [signal.SIGUSR1]
    assert "root, running, added at " in written.getvalue()
    assert "    number = 42\n" in written.getvalue()


def test_what_cannot_be_told_ends_nothing(usual, monkeypatch):
    def fails(locals):
        raise LookupError("no stacks")

    monkeypatch.setattr("trampoline._stacks.told_all", fails)
    written = io.StringIO()
    dump_on_signal(file=written)
    signal.raise_signal(signal.SIGUSR1)
    assert written.getvalue() == "the stacks cannot be told: LookupError('no stacks')\n"


def test_a_file_that_is_written_to_just_then_is_not_entered_twice(usual, tmp_path):
    with open(tmp_path / "out", "w", encoding="utf-8") as file:
        dump_on_signal(file=file)
        signal.raise_signal(signal.SIGUSR1)
    assert (tmp_path / "out").read_text(encoding="utf-8").strip()


def test_what_it_refuses(usual):
    with pytest.raises(ValueError, match=r"signal .*SIGKILL.* cannot be caught: .*SIGUSR1 can"):
        dump_on_signal(signal.SIGKILL)
    with pytest.raises(ValueError, match="signal 12345 cannot be caught"):
        dump_on_signal(12345)
    with pytest.raises(ValueError, match="signal 'USR1' cannot be caught"):
        dump_on_signal("USR1")
    with pytest.raises(TypeError, match=r"takes a file that is open for text, not 'stacks\.txt'"):
        dump_on_signal(signal.SIGUSR1, "stacks.txt")
    errors = []

    def elsewhere():
        try:
            dump_on_signal()
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert errors == ["dump_on_signal() is called in the main thread: only there signals can be given a handler"]
    assert signal.getsignal(signal.SIGUSR1) is usual


def test_ps_refuses_where_it_cannot_attach(capsys, monkeypatch):
    monkeypatch.delattr(sys, "remote_exec", raising=False)
    assert command_line.main(["ps", "1"]) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert "cannot attach to another process: that takes CPython 3.14" in written.err
    assert "kill -USR1" in written.err


def test_ps_says_why_it_could_not(capsys, monkeypatch):
    mine = os.getpid()
    for error, why in (
        (ProcessLookupError(), f"there is no process {mine}"),
        (PermissionError(1, "Not permitted"), f"cannot attach to process {mine}: .*Not permitted.* It must be of CPython 3"),
        (RuntimeError("another version"), f"cannot attach to process {mine}: another version"),
    ):

        def refuses(number, script, error=error):
            assert (number, os.path.exists(script)) == (mine, True)
            raise error

        monkeypatch.setattr(sys, "remote_exec", refuses, raising=False)
        assert command_line.main(["ps", str(mine)]) == 2
        assert re.search(why, capsys.readouterr().err)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a process cannot be asked whether it exists")
def test_ps_of_a_process_that_has_ended(capsys, monkeypatch):
    monkeypatch.setattr(sys, "remote_exec", lambda number, script: pytest.fail("asked"), raising=False)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert _ps.ps(ended.pid) == 2
    assert f"there is no process {ended.pid}" in capsys.readouterr().err


def test_ps_runs_its_lines_there_and_prints_the_answer(core, capsys, monkeypatch):
    def root():
        asks()
        yield

    def asks():
        assert command_line.main(["ps", str(os.getpid()), "--locals"]) == 0

    def attaches(number, script):
        with open(script, encoding="utf-8") as file:
            exec(file.read(), {})

    t = core.Trampoline()
    t.add(root(), name="found by ps")
    monkeypatch.setattr(sys, "remote_exec", attaches, raising=False)
    asks()
    assert "found by ps, queued, added at " in capsys.readouterr().out
    t.run()
    told = capsys.readouterr().out
    assert "found by ps, running, added at " in told
    assert re.search(r"in the functions\n  File .*, in .*asks\n", told)
    assert "in ask\n" not in told  # its own lines
    monkeypatch.setattr(sys, "remote_exec", lambda number, script: None)
    assert _ps.ps(os.getpid(), seconds=0.01) == 2
    assert "did not come to a line of Python within 0.01 s" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process is stopped for a moment here")
def test_ps_nudges_a_process_that_waits(capsys, monkeypatch):
    """It is told to stop, and at once to go on."""
    sent = []
    monkeypatch.setattr(sys, "remote_exec", lambda number, script: None, raising=False)
    monkeypatch.setattr(os, "kill", lambda number, what: sent.append((number, what)))
    mine = os.getpid()
    assert command_line.main(["ps", str(mine), "--nudge", "--seconds", "0.01"]) == 2
    assert sent[-2:] == [(mine, signal.SIGSTOP), (mine, signal.SIGCONT)]
    told = capsys.readouterr().err
    assert "within 0.01 s" in told
    assert "--nudge" not in told  # that was done
    assert command_line.main(["ps", str(mine), "--seconds", "0.01"]) == 2
    assert "--nudge stops it for a moment" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.isdir("/proc/self") or getattr(os, "geteuid", os.getpid)() != 0, reason="takes root, and Linux")
def test_ps_gives_the_folder_to_the_user_of_the_process(tmp_path):
    with subprocess.Popen(["sleep", "60"], user=65534) as other:
        _ps._give(str(tmp_path), other.pid)
        other.kill()
    assert tmp_path.stat().st_uid == 65534


@pytest.mark.skipif(sys.version_info < (3, 14), reason="attaching takes CPython 3.14")
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("first", ["stuck", "idle"])
def test_ps_attaches(core, first):
    with program(core, first) as process:
        command = [sys.executable, "-m", "trampoline", "ps", str(process.pid), "--seconds", "60"]
        asked = subprocess.run([*command, *(["--nudge"] if first == "idle" else [])], capture_output=True, text=True, timeout=120)
        if asked.returncode and "Operation not permitted" in asked.stderr:
            pytest.skip("this machine forbids to attach to a process (ptrace)")
        assert asked.returncode == 0, asked.stderr
        assert "first, " in asked.stdout
        assert "second, " in asked.stdout
