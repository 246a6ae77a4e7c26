"""What a profile is saved as can be read by what it is for, says the same numbers, and is written whole or not at all."""

import errno
import io
import json
import os
import pstats
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from profiles import called, large, profile, sample, tree

from trampoline import Profile
from trampoline._profile_files import SUFFIXES, as_collapsed, as_json, as_pstats, as_speedscope, from_json
from trampoline._profile_svg import as_svg
from trampoline._profile_tree import sum_up


def numbers(root):
    """Return what each path did."""
    found = {}
    for node in root.walk():
        path, above = [], node
        while above is not None:
            path.append(above.function)
            above = above.parent
        found[tuple(path)] = tuple(getattr(node, field) for field in type(node).__slots__[3:])
    return found


def loaded(tmp_path, of):
    of.save(tmp_path / "x.prof")
    return pstats.Stats(str(tmp_path / "x.prof")).stats


def test_pstats_has_the_logical_callers(tmp_path):
    """A leaf that two coroutines call has two callers, with what each made it do."""
    stats = {key[2]: row for key, row in loaded(tmp_path, sample()).items()}
    primitive, calls, own, cumulative, callers = stats["leaf"]
    assert (primitive, calls) == (10, 10)
    assert (own, cumulative) == pytest.approx((100e-9, 100e-9))
    by = {key[2]: row for key, row in callers.items()}
    assert set(by) == {"cheap", "dear"}
    assert by["cheap"] == pytest.approx((1, 1, 10e-9, 10e-9))
    assert by["dear"] == pytest.approx((9, 9, 90e-9, 90e-9))
    assert [key[2] for key in stats["main"][4]] == ["<run loop>"]
    assert stats["<run loop>"][2:4] == pytest.approx((50e-9, sample().tree.cumulative * 1e-9))
    assert ("~", 0, "cython.Coroutine") in loaded(tmp_path, sample())


def test_pstats_counts_recursion_once(tmp_path):
    """Its cumulative time is that of the outermost call; primitive calls are those from outside."""
    stats = {key[2]: row for key, row in loaded(tmp_path, sample()).items()}
    assert stats["fib"][:2] == (1, 7)
    assert stats["fib"][2:4] == pytest.approx((7e-9, 7e-9))
    by = {key[2]: row for key, row in stats["fib"][4].items()}
    assert by["fib"] == pytest.approx((2, 6, 6e-9, 6e-9))


def test_pstats_prints(tmp_path, capsys):
    """The standard library's own reports work on it."""
    sample().save(tmp_path / "x.pstats")
    stats = pstats.Stats(str(tmp_path / "x.pstats"))
    stats.sort_stats("cumulative").print_stats()
    stats.print_callers("leaf")
    said = capsys.readouterr().out
    assert "(20 primitive calls)" in said
    assert re.search(r"leaf\).*<-.*dear\)\n.*cheap\)", said)


def test_gprof2dot_reads_it(tmp_path):
    """It draws an edge from each logical caller."""
    pytest.importorskip("gprof2dot", reason="gprof2dot is not installed: it is in the dev extra")
    sample().save(tmp_path / "x.prof")
    command = [sys.executable, "-W", "ignore", "-m", "gprof2dot", "-f", "pstats", "-n", "0", "-e", "0", str(tmp_path / "x.prof")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    labels = dict(re.findall(r'^\t(\d+) \[.*?label="[^"]*?:([\w<> .]+)\\n', done.stdout, re.MULTILINE))
    edges = {(labels.get(a), labels.get(b)) for a, b in re.findall(r"^\t(\d+) -> (\d+)", done.stdout, re.MULTILINE)}
    assert {("cheap", "leaf"), ("dear", "leaf"), ("main", "dear")} <= edges


def test_snakeviz_reads_it(tmp_path):
    """It makes its rows and its tree of callers of it."""
    snakeviz = pytest.importorskip("snakeviz.stats", reason="snakeviz is not installed: it is in the dev extra")
    sample().save(tmp_path / "x.prof")
    stats = pstats.Stats(str(tmp_path / "x.prof"))
    assert len(snakeviz.table_rows(stats)) == len(stats.stats)
    (leaf,) = (row for key, row in snakeviz.json_stats(stats).items() if key.endswith("(leaf)"))
    assert sorted(caller.rpartition("(")[2] for caller in leaf["callers"]) == ["cheap)", "dear)"]


def test_speedscope_has_running_and_waiting():
    """Two profiles of events that open and close in order, whose lengths are the cumulative times."""
    root = sample().tree
    found = json.loads(as_speedscope(root))
    assert found["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert [made["name"] for made in found["profiles"]] == ["running", "waiting"]
    names = [frame["name"] for frame in found["shared"]["frames"]]
    for made, wanted in zip(found["profiles"], (root.cumulative - root.self_time, root.cumulative_wait), strict=True):
        assert (made["type"], made["unit"], made["startValue"], made["endValue"]) == ("evented", "nanoseconds", 0, wanted)
        stack, spent, last = [], {}, 0
        for event in made["events"]:
            assert event["at"] >= last
            last = event["at"]
            if event["type"] == "O":
                stack.append((event["frame"], last))
            else:
                frame, start = stack.pop()
                assert frame == event["frame"]
                key = (*(names[above] for above, _ in stack), names[frame])
                spent[key] = last - start
        assert not stack
        assert spent[("reader",)] == (6 if made["name"] == "running" else 1030)
        assert spent[("main", "dear", "leaf")] == (90 if made["name"] == "running" else 0)


def test_collapsed_stacks_have_a_line_a_path():
    """What a name may have of their own marks is replaced."""
    root = tree(called("a", called("b;c\nd", self_time=3), called("idle"), self_time=2, line=7), called("~", file="~", line=0, self_time=1))
    lines = as_collapsed(root).decode().splitlines()
    place = sum(map(ord, "b;c\nd"))
    assert sorted(lines) == ["a (program.py:7) 2", f"a (program.py:7);b:c d (program.py:{place}) 3", "~ 1"]
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == root.cumulative


def test_json_is_read_again(tmp_path):
    """It says the same numbers of the same paths, and which schema it has."""
    sample().save(tmp_path / "x.json")
    assert numbers(Profile.load(tmp_path / "x.json").tree) == numbers(sample().tree)
    found = json.loads((tmp_path / "x.json").read_text())
    assert (found["format"], found["schema"], found["run"], found["loop"]) == ("trampoline-profile", 1, sample().tree.cumulative, 50)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no profile that was saved as .json"),
        ("[]", "is no profile that was saved as .json"),
        ('{"format": "other"}', "is no profile that was saved as .json"),
        ('{"format": "trampoline-profile", "schema": 2}', "has schema 2, and this version reads 1"),
        ('{"format": "trampoline-profile", "schema": 1}', "is a broken profile: KeyError: 'loop'"),
        (as_json(sample().tree).decode().replace('"nodes":[[-1,', '"nodes":[[3,'), "the caller of node 0 is 3"),
        (as_json(sample().tree).decode().replace('"nodes":[[-1,0', '"nodes":[[-1,99'), "is a broken profile: IndexError"),
        (as_json(sample().tree).decode().replace('"parked"', '"barked"'), "is a broken profile: ValueError"),
    ],
)
def test_what_is_no_profile_is_refused_by_name(tmp_path, text, said):
    """The error names the file and what is wrong with it."""
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        Profile.load(tmp_path / "x.json")
    assert str(tmp_path / "x.json") in str(caught.value)


def test_a_file_that_is_not_there_is_not_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        Profile.load(tmp_path / "x.json")


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix != ".trace.json"])
def test_every_suffix_makes_a_file_and_nothing_else(tmp_path, suffix):
    """In capital letters too; what was there is replaced, its mode kept, and through a link."""
    path = tmp_path / f"x{suffix.upper()}"
    path.write_text("before")
    path.chmod(0o640)
    (tmp_path / f"link{suffix}").symlink_to(path)
    sample().save(tmp_path / f"link{suffix}")
    assert path.read_bytes() not in (b"before", b"")
    assert (tmp_path / f"link{suffix}").is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_written_to_and_stays(tmp_path):
    sample().save(tmp_path / "x.json")
    os.mkfifo(tmp_path / "pipe.json")
    reader = os.open(tmp_path / "pipe.json", os.O_RDONLY | os.O_NONBLOCK)
    try:
        sample().save(tmp_path / "pipe.json")
        assert os.read(reader, 65536) == (tmp_path / "x.json").read_bytes()
    finally:
        os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe.json").stat().st_mode)


def test_a_new_file_has_the_mode_of_any_other(tmp_path):
    (tmp_path / "other").touch()
    sample().save(tmp_path / "x.json")
    assert (tmp_path / "x.json").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("name", ["x", "x.jpg", "json", ".prof.gz"])
def test_an_unknown_suffix_is_named(tmp_path, name):
    """With those that there are; a format that is named serves."""
    with pytest.raises(ValueError, match=r"\.speedscope\.json, .*\.svg") as caught:
        sample().save(tmp_path / name)
    assert repr(str(tmp_path / name)) in str(caught.value)
    assert os.listdir(tmp_path) == []
    sample().save(tmp_path / name, "json")
    assert Profile.load(tmp_path / name).tree.cumulative == sample().tree.cumulative


def test_an_unknown_format_is_named(tmp_path):
    with pytest.raises(ValueError, match="no format 'xml' for a profile: the formats are text, json"):
        sample().save(tmp_path / "x.svg", "xml")


def test_a_path_is_text(tmp_path):
    with pytest.raises(TypeError, match="a path as text"):
        sample().save(os.fsencode(tmp_path / "x.svg"))


def test_a_folder_is_refused(tmp_path):
    """And one that does not exist; the error names the path."""
    (tmp_path / "x.svg").mkdir()
    with pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path / "x.svg"))):
        sample().save(tmp_path / "x.svg")
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "no" / "x.svg"))):
        sample().save(tmp_path / "no" / "x.svg")
    assert os.listdir(tmp_path) == ["x.svg"]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full here")
def test_a_full_disk_is_said_and_the_device_stays(tmp_path):
    """A device is written to, never replaced, by its own name and by a link."""
    (tmp_path / "x.json").symlink_to("/dev/full")
    for path in ("/dev/full", str(tmp_path / "x.json")):
        with pytest.raises(OSError, match=re.escape(path)) as caught:
            sample().save(path, "json")
        assert caught.value.errno == errno.ENOSPC
        assert Path("/dev/full").is_char_device()
    assert os.listdir(tmp_path) == ["x.json"]


def test_no_half_of_a_file_is_left(tmp_path, monkeypatch):
    """What was there before stays whole when the writing fails."""
    (tmp_path / "x.json").write_text("before")

    def fails(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(OSError, match=re.escape(str(tmp_path / "x.json"))):
        sample().save(tmp_path / "x.json")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["x.json"]
    assert (tmp_path / "x.json").read_text() == "before"


def test_merge_and_diff():
    """Path by path; both stay as they were; a difference has no picture."""
    more = profile(called("main", called("dear", calls=1, self_time=100), called("new", calls=1, self_time=1), calls=1), loop=5)
    both, less = sample().merge(more), sample().diff(more)
    assert both.tree.self_time == 55
    assert less.tree.self_time == 45
    (main,) = (node for node in both.tree.children if node.name == "main")
    assert {node.name: node.self_time for node in main.children} == {"cheap": 5, "dear": 115, "fib": 1, "new": 1}
    (main,) = (node for node in less.tree.children if node.name == "main")
    assert {node.name: node.self_time for node in main.children} == {"cheap": 5, "dear": -85, "fib": 1, "new": -1}
    assert main.calls == 0
    said = io.StringIO()
    less.print(file=said)
    assert said.getvalue().startswith("difference: 104 ns in run(), 59 ns of it")
    assert "%" not in said.getvalue()
    assert "-85 ns" in said.getvalue()
    with pytest.raises(ValueError, match="negative times, which svg cannot show"):
        less.save("x.svg")
    with pytest.raises(TypeError, match=r"merge\(\) takes a Profile, not 3"):
        sample().merge(3)
    with pytest.raises(TypeError, match=r"diff\(\) takes a Profile, not None"):
        sample().diff(None)
    assert numbers(sample().merge(profile()).tree) == numbers(sample().tree)
    assert all(node.self_time == node.calls == node.cumulative == 0 for node in sample().diff(sample()).tree.walk())


def test_a_large_tree_goes_there_and_back():
    """Nothing is recursive, and a name is any text."""
    root = large(5000)
    deep = tree(called("x"))
    node = deep
    for level in range(20_000):
        node = node.child(node.function._replace(name=f"\ud800<{level}>"))
        node.calls = node.self_time = 1
    found = from_json(as_json(root), "x")
    assert [node.function for node in found.walk()] == [node.function for node in root.walk()]
    assert [node.cumulative for node in found.walk()] == [node.cumulative for node in root.walk()]
    for writer in (as_json, as_pstats, as_speedscope, as_svg):
        assert writer(root)
        assert writer(sum_up(deep))
    assert as_collapsed(root)
