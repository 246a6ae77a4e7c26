"""A profile as text: the tree of callers, the heaviest first, and the table of functions.

On a terminal it is coloured and as wide as that, with fewer numbers where else no room was left for the names; in a pipe or a file it is
plain, and no line is cut. NO_COLOR and TERM=dumb are honoured.
"""

from __future__ import annotations

import heapq
import os
import sys

from trampoline._profile_tree import Node, Row, flatten, row_key, tree_weights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    Columns = tuple[tuple[str, int], ...]

_HOT, _WARM, _COLD = "1;31", "33", "2"  # red, yellow and faint, by the share of the whole
_MOST_INDENT = 24  # levels that are indented: what lies deeper says its level
_NARROWEST = 40
_ROOM = 24  # letters for a name, before numbers are left out
_TREE = ("cumulative", 10), ("", 6), ("self", 10), ("wait", 10), ("calls", 11)
_TABLE = ("calls", 11), ("resumes", 11), ("self", 10), ("cumulative", 10), ("ready", 10), ("parked", 10)
_TREE_WITHOUT, _TABLE_WITHOUT = (4, 3, 2, 1), (1, 4, 5, 3, 0)  # the columns that are left out, the first of them first
DIFFERENCE = "difference"  # the title of one


def show(root: Node, sort: str, limit: int | None, file: Any = None, title: str = "profile") -> None:
    """Write the report of a summed-up tree to `file`, by default sys.stdout: at most `limit` lines of tree and as many of table."""
    file = sys.stdout if file is None else file
    width = terminal_width(file)
    colour = width is not None and is_coloured()
    lines = report(root, sort, limit, title, width)
    text = "".join(_finished(line, share, width, colour) + "\n" for line, share in lines)
    encoding = getattr(file, "encoding", None)
    if encoding:  # a name may have letters that the terminal has not
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    file.write(text)


def as_text(root: Node, sort: str = "cumulative", limit: int | None = None, title: str = "profile") -> str:
    """Return the report, plain."""
    return "".join(f"{line}\n" for line, _ in report(root, sort, limit, title))


def terminal_width(file: Any) -> int | None:
    """Return how many columns the terminal has that `file` is, or None if it is none."""
    try:
        if not file.isatty():
            return None
    except (AttributeError, ValueError):
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return max(_NARROWEST, int(columns))
    try:
        return max(_NARROWEST, os.get_terminal_size(file.fileno()).columns)
    except (OSError, AttributeError, ValueError):
        return 80


def is_coloured() -> bool:
    """Whether a terminal may be sent colours. Source: no-color.org."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and (os.name != "nt" or "WT_SESSION" in os.environ)


def _finished(line: str, share: float | None, width: int | None, colour: bool) -> str:
    if width is not None and len(line) > width:
        line = line[: width - 3] + "..."
    if not colour or share is None:
        return line
    code = _HOT if share >= 0.5 else _WARM if share >= 0.1 else _COLD if share < 0.01 else ""
    return f"\x1b[{code}m{line}\x1b[0m" if code else line


def report(root: Node, sort: str, limit: int | None, title: str, width: int | None = None) -> list[tuple[str, float | None]]:
    """Return the lines, for a terminal of that `width`, each with its share of the whole by which it is coloured (None: none)."""
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit is the most lines to print, an int from 1 on, or None for all: not {limit!r}")
    weights = tree_weights(root, sort)
    rows = sorted(flatten(root), key=lambda row: (-abs(row_key(sort)(row)), row))
    in_coroutines = root.cumulative - root.self_time
    whole = in_coroutines if title != DIFFERENCE else 0  # of which there are no shares
    summary = (
        f"{title}: {duration(root.cumulative)} in run(), {duration(in_coroutines)} of it in coroutines; they waited "
        f"{duration(root.cumulative_wait)}; {root.cumulative_calls:,} calls, {sum(row.resumes for row in rows):,} resumes"
    )
    if not rows:
        return [(summary, None), ("no coroutine was resumed meanwhile", None)]
    lines: list[tuple[str, float | None]] = [(summary, None), ("", None)]
    lines += _tree(root, weights, limit, whole, _columns(_TREE, _TREE_WITHOUT, width))
    lines.append(("", None))
    lines += _table(rows, row_key(sort), limit, whole, _columns(_TABLE, _TABLE_WITHOUT, width))
    return lines


def _columns(columns: Columns, without: Iterable[int], width: int | None) -> list[int]:
    """Return the places of the columns for which there is room."""
    kept = list(range(len(columns)))
    for place in without:
        if width is None or sum(columns[at][1] + 1 for at in kept) + 1 + _ROOM <= width:
            break
        kept.remove(place)
    return kept


def _row(columns: Columns, kept: list[int], cells: Sequence[str], text: str) -> str:
    return " ".join(f"{cells[at]:>{columns[at][1]}}" for at in kept) + f"  {text}"


def _head(columns: Columns, kept: list[int], text: str) -> str:
    return _row(columns, kept, [name for name, _ in columns], text)


def _tree(root: Node, weights: dict[int, int], limit: int | None, whole: int, kept: list[int]) -> list[tuple[str, float | None]]:
    lines: list[tuple[str, float | None]] = [(_head(_TREE, kept, "coroutine, below its caller"), None)]
    shown = _heaviest(root, weights, limit)
    left: list[tuple[Node | None, int, str]] = [(root, -1, "")]
    while left:
        node, level, text = left.pop()
        if node is None:
            lines.append((text, 0.0 if whole else None))
            continue
        if node is not root:
            line = _tree_line([node], f"{_indent(level)}{_name(node)}{_marks(node)}", whole, kept)
            lines.append((line, node.cumulative / whole if whole else None))
        below = sorted(node.children, key=lambda child: -abs(weights[id(child)]))
        chosen = [child for child in below if id(child) in shown]
        if len(chosen) < len(below):
            rest = [child for child in below if id(child) not in shown]
            left.append((None, level, _tree_line(rest, f"{_indent(level + 1)}... {len(rest):,} more, and what they called", whole, kept)))
        left.extend([(child, level + 1, "") for child in reversed(chosen)])
    return lines


def _heaviest(root: Node, weights: dict[int, int], limit: int | None) -> set[int]:
    """Return the identities of the `limit` heaviest nodes, no callee without its caller."""
    if limit is None:
        return {id(node) for node in root.walk()}
    shown: set[int] = set()
    heap = [(-abs(weights[id(child)]), place, child) for place, child in enumerate(root.children)]
    heapq.heapify(heap)
    made = len(heap)
    while heap and len(shown) < limit:
        _, _, node = heapq.heappop(heap)
        shown.add(id(node))
        for child in node.children:
            heapq.heappush(heap, (-abs(weights[id(child)]), made, child))
            made += 1
    return shown


def _tree_line(nodes: list[Node], text: str, whole: int, kept: list[int]) -> str:
    cumulative = sum(node.cumulative for node in nodes)
    cells = (
        duration(cumulative),
        f"{100 * cumulative / whole:.1f}%" if whole else "",
        duration(sum(node.self_time for node in nodes)),
        duration(sum(node.wait for node in nodes)),
        f"{sum(node.calls for node in nodes):,}",
    )
    return _row(_TREE, kept, cells, text)


def _indent(level: int) -> str:
    return "  " * level if level <= _MOST_INDENT else "  " * _MOST_INDENT + f"[{level}] "


def _table(rows: list[Row], key: Callable[[Row], int], limit: int | None, whole: int, kept: list[int]) -> list[tuple[str, float | None]]:
    lines: list[tuple[str, float | None]] = [(_head(_TABLE, kept, "function, wherever it was called"), None)]
    total = whole if key(rows[0]) == rows[0].cumulative else sum(key(row) for row in rows)
    for row in rows[:limit]:
        times = (duration(time) for time in (row.self_time, row.cumulative, row.ready, row.parked))
        line = _row(_TABLE, kept, (f"{row.calls:,}", f"{row.resumes:,}", *times), f"{_name(row)}{_marks(row)}")
        lines.append((line, key(row) / total if whole and total else None))
    if limit is not None and len(rows) > limit:
        lines.append((f"... {len(rows) - limit:,} more functions", None))
    return lines


def _name(what: Node | Row) -> str:
    return f"{what.name} ({os.path.basename(what.file)}:{what.line})" if what.line else what.name


def _marks(what: Node | Row) -> str:
    said = [
        f"{count:,} {text}"
        for count, text in (
            (what.exceptions, "left by an error"),
            (what.closed, "closed early"),
            (what.live, "not ended"),
            (what.partial, "older than the profile"),
        )
        if count
    ]
    return f" [{', '.join(said)}]" if said else ""


def duration(nanoseconds: float) -> str:
    """Return nanoseconds as a reader takes them in: three digits and a unit."""
    for unit, scale in (("ns", 1), ("us", 1_000), ("ms", 1_000_000)):
        if abs(nanoseconds) < 999.5 * scale:
            return f"{_digits(nanoseconds / scale) if scale > 1 else format(nanoseconds, '.0f')} {unit}"
    return f"{_digits(nanoseconds / 1e9)} s"


def _digits(value: float) -> str:
    size = abs(value)
    return f"{value:.2f}" if size < 9.995 else f"{value:.1f}" if size < 99.95 else f"{value:,.0f}"
