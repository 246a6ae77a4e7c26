"""Depth has no limit but memory (C10): each script of `scripts/depth_*.py` goes a million calls deep and ends in its own way, in a process
of its own, so that a crash is a failure and not the end of the tests. A script says what is wrong by an assertion.

The slower core goes 250,000 deep, for the time it takes; TRAMPOLINE_TEST_DEPTH=1000000 makes both go as deep as that.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CORES

DEPTHS = {"c": "1000000", "python": "250000"}
SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("depth_*.py"))


def run_script(script, core):
    """Run a script on a core, with warnings as errors, and return its exit status and the last of what it wrote."""
    arguments = [
        sys.executable,
        "-W",
        "error",
        "-X",
        "faulthandler",
        str(script),
        core,
        os.environ.get("TRAMPOLINE_TEST_DEPTH") or DEPTHS[core],
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=200, env=environment)
    return done.returncode, (done.stdout + done.stderr)[-2000:]


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_depth(script, core):
    assert run_script(script, core) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="it asks Linux how much memory it has, and limits that")
@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy's collector gives up where it gets no memory")
@pytest.mark.skipif(sys.version_info[:2] != (3, 12), reason="with no memory at all other CPythons abort, 3.13 without this package, too")
@pytest.mark.parametrize("core", CORES)
def test_no_memory_for_another_call(core):
    assert run_script(Path(__file__).parent / "scripts" / "memory_for_a_call.py", core) == (0, "")
