"""The blocks of Python on the pages of docs/ run as they are printed, those of a page one after the other."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import trampoline

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
if not DOCS.is_dir():
    pytest.skip(f"the documents are not here: there is no {DOCS}", allow_module_level=True)


NOT_ON_WINDOWS = ("host_loops.md", "seeing.md")  # a descriptor to watch, and a signal to ask by
RUN_HERE = [page for page in PAGES if sys.platform != "win32" or page.name not in NOT_ON_WINDOWS]


@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: page.name)
def test_every_block_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [page.stem])
    known = {"__name__": "__main__"}
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        above = text.count("\n", 0, block.start(1))  # so that an error names the page's own line
        exec(compile("\n" * above + block[1], str(page), "exec"), known)


def test_no_block_of_python_is_left_out():
    """But what is quoted from others, and the program that forks, which has a test of its own."""
    tags = re.compile(r"^ *```(\S+)", re.MULTILINE)
    left_out = {page.name for page in PAGES if set(tags.findall(page.read_text(encoding="utf-8"))) & {"py", "pycon", "python3"}}
    assert left_out == {"porting.md", "scaling.md"}


@pytest.mark.skipif(not hasattr(os, "fork") or not hasattr(socket, "SO_REUSEPORT"), reason="this system cannot fork, or share a port out")
def test_the_program_that_forks_serves_in_each_process():
    (block,) = re.findall(r"^```py\n(.*?)^```$", (DOCS / "scaling.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block.count(", 8000,") == 1
    serve = "def serve(listener):\n    os.write(1, b'serves\\n')\n    listener.close()\n    return\n    yield\n"
    script = f"import os\nos.cpu_count = lambda: 3\n{serve}\n{block.replace(', 8000,', ', 0,')}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, 3 * "serves\n", "")


def test_the_api_has_every_public_name():
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    assert [name for name in trampoline.__all__ if f"trampoline.{name}" not in text] == []
