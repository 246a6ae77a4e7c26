"""What a profile prints, on a terminal and in a pipe, what it draws, and that both are quick however large it is."""

import functools
import io
import re
import time
from xml.etree import ElementTree

import pytest
from profiles import called, large, profile, sample, tree

from trampoline._profile_files import as_json, as_pstats, as_speedscope, from_json
from trampoline._profile_svg import as_svg
from trampoline._profile_text import as_text, duration, terminal_width
from trampoline._profile_tree import Function, flatten, new_root, sum_up


class Terminal(io.StringIO):
    """A terminal of 80 columns."""

    encoding = "utf-8"

    def isatty(self):
        return True

    def fileno(self):
        raise io.UnsupportedOperation


@pytest.fixture
def terminal(monkeypatch):
    """A terminal with colours."""
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("WT_SESSION", "1")
    return Terminal()


def names(text):
    """Return the names in the tree and those in the table, in order."""
    found = []
    for part in text.split("\n\n")[1:]:
        rows = [re.search(r"  (\S+)( \(program.py:\d+\))?( \[.*\])?$", line) for line in part.splitlines()[1:]]
        found.append([row[1] for row in rows if row])
    return found


def test_the_report(capsys):
    """The tree has callees below their callers, the heaviest first; the table has a function once."""
    sample().print()
    said = capsys.readouterr().out
    assert said == as_text(sample().tree, limit=40)
    head, in_tree, in_table = said.split("\n\n")
    assert head == "profile: 210 ns in run(), 160 ns of it in coroutines; they waited 1.03 us; 25 calls, 39 resumes"
    assert in_tree.splitlines()[1:5] == [
        "    147 ns  91.9%      20 ns       0 ns           1  main (program.py:421)",
        "    105 ns  65.6%      15 ns       0 ns           1    dear (program.py:412)",
        "     90 ns  56.2%      90 ns       0 ns           9      leaf (program.py:408)",
        "     15 ns   9.4%       5 ns       0 ns           1    cheap (program.py:515)".replace("515", str(sum(map(ord, "cheap")))),
    ]
    assert "       10          20     100 ns     100 ns       0 ns       0 ns  leaf (program.py:408)" in in_table
    assert "reader (program.py:627) [1 left by an error, 1 closed early, 1 not ended, 1 older than the profile]" in in_tree
    assert said.endswith("\n")
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("sort", "tree_first", "table_first"),
    [
        ("cumulative", ["main", "dear", "leaf"], ["main", "dear", "leaf"]),
        ("self", ["main", "dear", "leaf"], ["leaf", "main", "dear"]),
        ("wait", ["reader", "main"], ["reader", "fib"]),
        ("calls", ["main", "dear", "leaf"], ["leaf", "fib", "cython.Coroutine"]),
        ("resumes", ["main", "dear", "leaf"], ["leaf", "dear", "reader"]),
        ("span", ["main", "dear", "leaf"], ["main", "dear", "leaf"]),
        ("exceptions", ["reader", "main"], ["reader", "fib"]),
    ],
)
def test_the_order(sort, tree_first, table_first):
    said = io.StringIO()
    sample().print(sort, file=said)
    in_tree, in_table = names(said.getvalue())
    assert in_tree[: len(tree_first)] == tree_first
    assert in_table[: len(table_first)] == table_first
    assert sorted(in_table) == ["cheap", "cython.Coroutine", "dear", "fib", "leaf", "main", "reader"]
    assert len(in_tree) == 10


def test_the_limit_keeps_the_heaviest_with_their_callers():
    """What is left out is said, with what it took."""
    said = io.StringIO()
    sample().print(limit=3, file=said)
    assert names(said.getvalue()) == [["main", "dear", "leaf"], ["main", "dear", "leaf"]]
    assert re.search(r"    22 ns  13.8%       6 ns       0 ns           2    \.\.\. 2 more, and what they called", said.getvalue())
    assert re.search(r"^    13 ns .* \.\.\. 2 more, and what they called$", said.getvalue(), re.MULTILINE | re.VERBOSE) is None
    assert "... 4 more functions" in said.getvalue()


@pytest.mark.parametrize("limit", [0, -1, 1.5, "3"])
def test_a_bad_limit_is_named(limit):
    with pytest.raises(ValueError, match=f"an int from 1 on, or None for all: not {limit!r}"):
        sample().print(limit=limit)


def test_a_bad_order_is_named(tmp_path):
    with pytest.raises(ValueError, match="cannot sort a profile by 'tottime': sort by cumulative, self, wait, calls"):
        sample().print("tottime")
    with pytest.raises(ValueError, match="cannot sort a profile by 'x'"):
        sample().save(tmp_path / "x.txt", sort="x")


def test_nothing_to_report():
    said = io.StringIO()
    profile().print(file=said)
    assert said.getvalue().splitlines()[1] == "no coroutine was resumed meanwhile"


def test_a_terminal_gets_colours_and_its_width(terminal):
    """Lines are cut to its width; the hot ones are red, the cold ones faint."""
    shown = profile(called("x" * 200, called("warm", self_time=200), called("cold", self_time=5), self_time=795))
    shown.print(file=terminal)
    lines = terminal.getvalue().splitlines()
    plain = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    assert max(map(len, plain)) == 80
    (hot,) = (line for line in lines[:5] if "xxx" in line)
    assert hot.startswith("\x1b[1;31m")
    assert hot.endswith("...\x1b[0m")
    assert any(line.startswith("\x1b[33m") and "warm" in line for line in lines)
    assert any(line.startswith("\x1b[2m") and "cold" in line for line in lines)


def test_columns_is_the_width(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    profile(called("x" * 200, self_time=1)).print(file=terminal)
    assert max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in terminal.getvalue().splitlines()) == 50


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(terminal, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    sample().print(file=terminal)
    assert "\x1b" not in terminal.getvalue()


def test_a_pipe_is_plain_and_not_cut(terminal):
    said = io.StringIO()
    profile(called("x" * 300, self_time=1)).print(file=said)
    assert "x" * 300 in said.getvalue()
    assert "\x1b" not in said.getvalue()


def test_letters_that_the_file_has_not():
    """They are written by their numbers."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    profile(called("grüße", self_time=1)).print(file=file)
    file.flush()
    assert rb"gr\xfc\xdfe" in raw.getvalue()


def test_deep_trees_say_their_level():
    """They are not indented for ever."""
    root = tree(called("x", self_time=1))
    node = root
    for level in range(3000):
        node = node.child(node.function._replace(name=f"level{level}"))
        node.calls = 1
    longest = max(as_text(root).splitlines(), key=len)
    assert len(longest) < 200
    assert "[2999] level2999" in as_text(root)


@pytest.mark.parametrize(
    ("nanoseconds", "said"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1000, "1.00 us"),
        (999_499, "999 us"),
        (999_500, "1.00 ms"),
        (12_345_678, "12.3 ms"),
        (-123_456_789, "-123 ms"),
        (1_500_000_000, "1.50 s"),
        (86_400_000_000_000, "86,400 s"),
    ],
)
def test_durations(nanoseconds, said):
    assert duration(nanoseconds) == said


def test_functions_are_rows():
    """A function wherever it was called; recursion counts once."""
    rows = {row.name: row for row in sample().functions()}
    assert (rows["leaf"].calls, rows["leaf"].resumes, rows["leaf"].self_time, rows["leaf"].cumulative) == (10, 20, 100, 100)
    assert (rows["fib"].calls, rows["fib"].self_time, rows["fib"].cumulative) == (7, 7, 7)
    assert (rows["reader"].ready, rows["reader"].parked, rows["reader"].wait) == (30, 1000, 1030)
    assert (rows["cython.Coroutine"].file, rows["cython.Coroutine"].line) == ("~", 0)
    assert sum(row.self_time for row in rows.values()) + 50 == sample().tree.cumulative


@pytest.mark.parametrize("columns", [40, 50, 60, 70, 80, 90, 100, 120])
def test_a_narrow_terminal_shows_names_rather_than_all_numbers(terminal, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    sample().print(file=terminal)
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert sum("dear (program.py:412)" in line for line in lines) == 2  # in the tree and in the table
    assert ("resumes" in terminal.getvalue()) == (columns >= 100)
    assert ("%" in terminal.getvalue()) == (columns >= 50)


SVG = "{http://www.w3.org/2000/svg}"


def frames(data):
    """Return x, y, width and tooltip of each frame, after a look at all that a picture must not have."""
    root = ElementTree.fromstring(data)
    assert {element.tag for element in root.iter()} <= {SVG + tag for tag in ("svg", "title", "style", "rect", "text", "g")}
    links = re.findall(rb"https?://[^\"]*|url\(|@import|href", data)
    assert links == [b"http://www.w3.org/2000/svg"]
    found = []
    for group in root.iter(SVG + "g"):
        place = group.find(SVG + "rect").attrib
        found.append((float(place["x"]), float(place["y"]), float(place["width"]), group.find(SVG + "title").text))
    return found


def test_the_picture():
    """A frame for each path, as wide as its time, below its caller and within it; waiting has a part of its own."""
    data = as_svg(sample().tree)
    by_name = {}
    for x, y, width, told in frames(data):
        by_name.setdefault(told.split()[0], []).append((x, y, width))
    assert [round(width) for _, _, width in by_name["main"]] == [round(1180 * 147 / 160)]
    assert sorted(round(width) for _, _, width in by_name["leaf"]) == [round(1180 * 10 / 160), round(1180 * 90 / 160)]
    ((main_x, main_y, main_width),) = by_name["main"]
    for name in ("cheap", "dear", "fib"):
        x, y, width = by_name[name][0]
        assert y - main_y == 18
        assert main_x - 0.1 <= x
        assert x + width <= main_x + main_width + 0.2
    assert len(by_name["reader"]) == 2
    assert round(by_name["reader"][1][2]) == 1180
    told = [told for *_, told in frames(data) if told.startswith("leaf (program.py:408)\n90 ns (56.2%), 90 ns itself\n9 calls, 18 resumes")]
    assert len(told) == 1
    assert b"prefers-color-scheme:dark" in data
    assert data.count(b"svg{background:") == 2  # around the picture, too


def luminance(colour):
    """Return how light a colour is. Source: WCAG 2.1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_colours_can_be_read():
    """In both schemes the letters stand out from every frame and from the page, by WCAG's measure for small text."""
    style = as_svg(sample().tree).decode().partition("<style>")[2].partition("</style>")[0]
    for scheme in style.split("@media(prefers-color-scheme:dark)"):
        (ink,) = re.findall(r"[}{]text\{fill:(#\w+)\}", scheme)
        (faint,) = re.findall(r"\.note\{fill:(#\w+)\}", scheme)
        (page,) = re.findall(r"\.page\{fill:(#\w+)\}", scheme)
        shades = re.findall(r"\.(?:run|wait)\d\{fill:(#\w+)\}", scheme)
        assert len(set(shades)) == 12
        for over, under in [(ink, shade) for shade in shades] + [(ink, page), (faint, page)]:
            light, dark = sorted((luminance(over), luminance(under)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) > 4.5, (over, under)


def test_the_picture_of_nothing_and_of_anything():
    """No name breaks it, and an empty one is a picture too."""
    assert frames(as_svg(profile().tree)) == []
    odd = "<a & 'b'>\x00\x1b\ud800\uffff\"grüße\""
    ((*_, told),) = frames(as_svg(tree(called(odd, file="</title>", self_time=1))))
    assert told.startswith("<a & 'b'>????\"grüße\" (title>")


def test_what_is_too_narrow_is_left_out_and_said():
    """So the picture stays small."""
    root = large(20_000)
    data = as_svg(root)
    assert len(data) < 3_000_000
    drawn = len(frames(data))
    assert 0 < drawn <= 12_000
    left_out = sum(int(told.replace(b",", b"")) for told in re.findall(rb"([\d,]+) left out: too narrow", data))
    assert drawn + left_out == sum((node.cumulative > 0) + (node.cumulative_wait > 0) for node in root.walk()) - 2
    assert b"left out" not in as_svg(sample().tree)
    heads = re.findall(r'class="head".*?>(.*?)</text>\s*<text class="note".*?>(.*?)</text>', data.decode())
    assert len(heads) == 2
    assert all(7.9 * (len(head) + 6) + 6.7 * (len(note) + 3) < 1180 for head, note in heads)  # one beside the other, as wide as letters are


made = functools.cache(large)
loaded = functools.cache(lambda count: as_json(made(count)))


@pytest.mark.parametrize("make", [as_text, as_svg, as_pstats, as_speedscope, as_json, flatten, from_json])
def test_a_large_profile_takes_time_in_proportion(make):
    """100,000 nodes take no more than 10 times of what 10,000 take, and the noise of a busy machine."""

    def seconds(count, rounds):
        given = {as_text: {"limit": 40}, from_json: {"path": "x"}}.get(make, {})
        source = loaded(count) if make is from_json else made(count)
        best = float("inf")
        for _ in range(rounds):
            start = time.process_time()
            make(source, **given)
            best = min(best, time.process_time() - start)
        return best

    few = seconds(10_000, 3)
    assert seconds(100_000, 1) < 40 * few


def test_a_file_that_is_less_than_one_gets_plain_text(capsys):
    """It has a write() and nothing else; and one that was closed is no terminal."""

    class Written(list):
        write = list.append

    written, closed = Written(), io.StringIO()
    profile().print(file=written)
    assert "".join(written) == as_text(profile().tree)
    closed.close()
    assert terminal_width(closed) is None


def test_a_node_says_what_it_is():
    root = new_root()
    node = root.child(Function("program.py", 1, "main"))
    node.child(Function("program.py", 2, "leaf"))
    node.calls, node.self_time = 1234, 5678
    sum_up(root)
    assert repr(node) == "<Node 'main' 1,234 calls, 5,678 ns, 1 children>"
