"""Nothing is kept alive after its end, nor longer than the recipe keeps it (C12, C2): each script of `scripts/leaks_*.py` in its process.

They count objects and blocks of memory over many repetitions, watch weak references with the garbage collector off, and name the cases
that fail in what they write.
"""

import sys
from pathlib import Path

import pytest
from conftest import CORES
from test_depth import run_script

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("leaks_*.py"))


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="without reference counts the garbage collector decides")
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_leaks(script, core):
    assert run_script(script, core) == (0, "")
