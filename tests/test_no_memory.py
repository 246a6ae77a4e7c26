"""Where the C core gets no memory that is a MemoryError, and nothing else: `.ci/no_memory.py` refuses each of its allocations in turn.

That needs the sources, Linux with glibc and a compiler. `.ci/proof nomemory` does the same under AddressSanitizer.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from conftest import CORES

HERE = Path(__file__).resolve().parent.parent / ".ci"
HEADERS = Path(sysconfig.get_path("include"))
PROGRAMS = ["calls", "errors", "prompt", "channels", "times", "together", "contexts", "shown", "counted"]

pytestmark = [
    pytest.mark.skipif("c" not in CORES, reason="in the core in Python all allocations are the interpreter's"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="it catches groups of errors"),
    pytest.mark.skipif(not (HERE / "no_memory.h").exists(), reason="it is not in the sdist"),
    pytest.mark.skipif(
        sys.platform != "linux" or not shutil.which("gcc"), reason="the allocator that refuses is in C, and asks glibc who calls"
    ),
    pytest.mark.skipif(not (HEADERS / "Python.h").exists(), reason="the headers of Python are not installed"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The allocator that refuses."""
    made = tmp_path_factory.mktemp("no_memory") / "no_memory.so"
    command = ["gcc", "-O1", "-shared", "-fPIC", "-D_FORTIFY_SOURCE=0", f"-I{HEADERS}", "-x", "c", HERE / "no_memory.h", "-o", made, "-ldl"]
    subprocess.run(command, check=True)
    return made


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_allocation_refused(library, program):
    done = subprocess.run([sys.executable, HERE / "no_memory.py", library, program], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip().endswith(" 0 faults"), done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
