"""The blocks of Python on the pages of docs/ run as they are printed, those of a page one after the other."""

import re
import sys
from pathlib import Path

import pytest

import trampoline

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
if not DOCS.is_dir():
    pytest.skip(f"the documents are not here: there is no {DOCS}", allow_module_level=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [page.stem])
    known = {"__name__": "__main__"}
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        above = text.count("\n", 0, block.start(1))  # so that an error names the page's own line
        exec(compile("\n" * above + block[1], str(page), "exec"), known)


def test_the_api_has_every_public_name():
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    assert [name for name in trampoline.__all__ if f"trampoline.{name}" not in text] == []
