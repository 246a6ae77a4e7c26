"""CHANGELOG.md begins with the version that the package says it is, and every section has its date or says that it is not released."""

import re
from pathlib import Path

import pytest

import trampoline

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"
if not CHANGELOG.is_file():
    pytest.skip(f"the changes are not here: there is no {CHANGELOG}", allow_module_level=True)

HEADING = re.compile(r"^## (\d+)\.(\d+)\.(\d+) \((unreleased|\d{4}-\d\d-\d\d)\)$", re.MULTILINE)
TEXT = CHANGELOG.read_text(encoding="utf-8")


def test_each_section_has_a_version_and_a_date_and_a_line():
    assert len(HEADING.findall(TEXT)) == TEXT.count("\n## ") > 0
    for section in TEXT.split("\n## ")[1:]:
        assert "\n- " in section, section.splitlines()[0]


def test_the_newest_comes_first_and_is_this_one():
    versions = [tuple(map(int, found[:3])) for found in HEADING.findall(TEXT)]
    assert versions == sorted(set(versions), reverse=True)
    assert ".".join(map(str, versions[0])) == trampoline.__version__


def test_only_the_newest_is_unreleased():
    assert "unreleased" not in [found[3] for found in HEADING.findall(TEXT)[1:]]
