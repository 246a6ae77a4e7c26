"""`python -m trampoline` and its demonstration, in this process."""

import ast
import errno
import os
import subprocess
import sys

import pytest
from conftest import CORES

import trampoline
from trampoline import __main__, _demo

ON_CPYTHON = sys.implementation.name == "cpython"


def test_it_says_what_it_is(capsys):
    assert __main__.main([]) == 0
    told = capsys.readouterr().out
    assert "core: " in told
    assert "sub-commands" in told


@pytest.mark.skipif(not any(_demo._standard_library()), reason="the standard library's source is not here")
def test_the_demonstration(capsys, monkeypatch):
    monkeypatch.setattr(_demo, "_DEPTH", 5000)
    assert __main__.main(["demo", "--files", "3"]) == 0
    told = capsys.readouterr().out
    assert "5,000 deep" in told
    assert "ZeroDivisionError, 5,001 levels" in told
    assert ("The core is in Python, and so slower" in told) == (not trampoline.accelerated and ON_CPYTHON)


def test_the_demonstration_without_the_standard_librarys_source(capsys, monkeypatch):
    monkeypatch.setattr(_demo, "_standard_library", lambda: iter(()))
    assert __main__.main(["demo"]) == 1
    assert "nothing to walk" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_number_of_files_that_is_none(capsys, number):
    with pytest.raises(SystemExit):
        __main__.main(["demo", f"--files={number}"])
    assert "a number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("arguments", [[], ["demo", "--files", "1"]], ids=["alone", "demo"])
def test_it_ends_quietly_when_nobody_reads_what_it_says(core, arguments):
    environment = {**os.environ, "TRAMPOLINE_NO_EXTENSIONS": "1" if core == "python" else ""}
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as stdout:
        command = [sys.executable, "-m", "trampoline", *arguments]
        ended = subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_without_a_standard_output_it_says_nothing():
    command = "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, '-m', 'trampoline'])"
    ended = subprocess.run([sys.executable, "-c", command], stderr=subprocess.PIPE, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")


def of_files(monkeypatch, folder, *sources):
    """Have the demonstration walk these files, two at a time."""
    for number, source in enumerate(sources):
        (folder / f"{number}.py").write_text(source)
    monkeypatch.setattr(_demo, "_standard_library", lambda: iter(folder.glob("*.py")))
    monkeypatch.setattr(_demo, "_FILES_AT_ONCE", 2)
    monkeypatch.setattr(_demo, "_DEPTH", 5)


def test_the_demonstration_shows_on_a_terminal_how_far_it_is(tmp_path, capsys, monkeypatch):
    of_files(monkeypatch, tmp_path, *["1"] * 11)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert __main__.main(["demo"]) == 0
    shown = capsys.readouterr().err.split("\r")
    assert shown[1] == f"[{'':<40}] 0 of 11 files"
    assert shown[2] == f"[{'#' * 36:<40}] 10 of 11 files"
    assert "".join(shown[3:]).strip() == ""


def test_the_demonstration_leaves_out_files_that_are_broken(tmp_path, capsys, monkeypatch):
    of_files(monkeypatch, tmp_path, "a = 1", "a b", "f()", "x = '\0'", "1")
    assert __main__.main(["demo"]) == 0
    told = capsys.readouterr().out
    nodes = sum(1 for source in ("a = 1", "f()", "1") for _ in ast.walk(ast.parse(source)))
    assert told.count(f" {nodes}") == 3
    assert "plain recursion: succeeds; ctrampoline: 6 in" in told


def test_the_demonstration_fails_where_the_counts_differ(tmp_path, capsys, monkeypatch):
    class Loses(_demo.Trampoline):
        def add(self, coroutine):
            coroutine.close()

    of_files(monkeypatch, tmp_path, "1")
    monkeypatch.setitem(_demo._SCHEDULERS, list(_demo._SCHEDULERS)[1], Loses)
    assert __main__.main(["demo"]) == 1
    assert "the counts differ" in capsys.readouterr().err


def test_the_demonstration_fails_where_an_error_is_lost(tmp_path, capsys, monkeypatch):
    of_files(monkeypatch, tmp_path, "1")
    monkeypatch.setattr(_demo, "trampoline", lambda coroutine: coroutine.close() or 6)
    assert __main__.main(["demo"]) == 1
    assert "an error raised at its bottom: none, 0 levels" in capsys.readouterr().out


def test_without_the_extension_it_says_why_and_how_to_learn_more():
    command = "import sys; sys.modules['trampoline._ctrampoline'] = None; from trampoline.__main__ import main; main([])"
    told = subprocess.run(
        [sys.executable, "-c", command], env={**os.environ, "TRAMPOLINE_NO_EXTENSIONS": ""}, capture_output=True, text=True, timeout=60
    )
    assert told.stderr == ""
    (core,) = [line for line in told.stdout.splitlines() if line.startswith("core: ")]
    if ON_CPYTHON:
        assert core.startswith("core: Python (slower), accelerated = False: the extension cannot be imported: ")
        assert "TRAMPOLINE_REQUIRE_EXTENSIONS=1" in core
    else:
        assert core == "core: Python, accelerated = False: the extension is for CPython alone"


def test_an_error_of_writing_that_is_no_closed_pipe_is_told(monkeypatch):
    def fails():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(__main__, "main", fails)
    with pytest.raises(OSError, match="No space left"):
        __main__._until_the_pipe_breaks()
