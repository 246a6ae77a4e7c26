"""`python -m trampoline` and its demonstration, in this process."""

import os
import subprocess
import sys

import pytest
from conftest import CORES

from trampoline import __main__, _demo


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
