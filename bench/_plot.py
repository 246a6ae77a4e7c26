"""The results as a picture: one SVG, no other file and no library needed, readable on a light and on a dark page.

One panel for each of a few columns, one bar for each implementation, the quickest on top. The scale is logarithmic: from one grid line to
the next is a factor of ten, so a bar's end counts and its length does not.
"""

from __future__ import annotations

import html
import math
from typing import Any

from bench._table import amount

PANELS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("calls", ("return",), "Call and return: fib(18), one pseudothread. Time for one call"),
    ("turns", ("10,000", "2,000"), "Calls shared out to {column} pseudothreads (tasks, greenlets, ...) in turn. Time for one call"),
    ("depth", ("900", "100"), "The innermost of {column} nested coroutines makes a call (others: a switch). Time for one"),
)
DRAWN = {name for name, _, _ in PANELS}
GROUPS = {"C core": "ours", "Python core": "ours", "recipe": "recipe", "yield from": "floor", "await": "floor"}
WIDTH, LABEL, VALUE, ROW, BAR, HEAD, TAIL = 820, 130, 70, 18, 12, 34, 26
STYLE = """
  .page { fill: #ffffff } text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 14px; font-weight: 600 }
  .small { font-size: 11px; fill: #59636e } .grid { stroke: #d1d9e0 } .bar { fill: #9aa4af } .ours { fill: #0969da }
  .recipe { fill: #bc4c00 } .floor { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #f0f6fc } .small { fill: #9198a1 } .grid { stroke: #3d444d } .bar { fill: #656c76 }
    .ours { fill: #4493f8 } .recipe { fill: #f0883e } .floor { fill: #b7bdc8 }
  }
"""


def draw(results: dict[str, Any]) -> str:
    """Return the SVG. ValueError if the results have none of the columns that are drawn."""
    panels, height = [], 58
    for name, columns, title in PANELS:
        workload = next((found for found in results["workloads"] if found["name"] == name), None)
        found = chosen(workload, columns) if workload else None
        if workload and found:
            drawn, used = panel(workload, found, title.format(column=found), height)
            panels.append(drawn)
            height += used
    if not panels:
        raise ValueError(f"nothing to draw: the plot shows the workloads {', '.join(sorted(DRAWN))}")
    python, machine = results["python"], results["machine"]
    about = f"{python['implementation']} {python['version']}, {machine['processor']}, {results['date'][:10]}"
    note = f"CPU time, best of interleaved rounds{' (quick run)' if results['quick'] else ''}; logarithmic scale, further left is faster"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
            f"<title>{html.escape(about)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
            text(16, 24, about, "title"),
            text(16, 42, note, "small"),
            *legend(),
            *panels,
            "</svg>\n",
        ]
    )


def legend() -> list[str]:
    """Return what the colours mean, at the top right."""
    parts, x = [], WIDTH - 320
    for kind, meaning, width in (("ours", "this package", 96), ("recipe", "PEP 342's class", 112), ("floor", "Python's own", 80)):
        parts.append(f'<rect class="bar {kind}" x="{x}" y="15" width="10" height="10" rx="2"/>')
        parts.append(text(x + 14, 24, meaning, "small"))
        x += width
    return parts


def chosen(workload: dict[str, Any], columns: tuple[str, ...]) -> str | None:
    """Return the first of the columns that has a figure."""
    for column in columns:
        if any(column in figures for figures in workload["figures"].values()):
            return column
    return None


def panel(workload: dict[str, Any], column: str, title: str, top: int) -> tuple[str, int]:
    """Return one panel, drawn from `top` on, and its height."""
    bars = [(figures[column]["best"], name) for name, figures in workload["figures"].items() if column in figures]
    bars.sort()
    low, high = math.floor(math.log10(bars[0][0])), math.ceil(math.log10(bars[-1][0]))
    if math.log10(bars[0][0]) - low < 0.1:
        low -= 1
    high = max(high, low + 1)
    room = WIDTH - LABEL - VALUE - 16
    bottom = top + HEAD + ROW * len(bars)
    parts = [text(16, top + 22, title, "title")]
    for power in range(low, high + 1):
        x = LABEL + room * (power - low) / (high - low)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top + HEAD - 2}" y2="{bottom}"/>')
        parts.append(text(x, bottom + 13, amount(10.0**power, workload["unit"]).replace(".00", "").replace(".0", ""), "small", "middle"))
    for i, (value, name) in enumerate(bars):
        y = top + HEAD + ROW * i
        length = max(1.0, room * (math.log10(value) - low) / (high - low))
        parts.append(text(LABEL - 6, y + 11, name, "", "end"))
        parts.append(f'<rect class="bar {GROUPS.get(name, "")}" x="{LABEL}" y="{y + 1}" width="{length:.1f}" height="{BAR}" rx="2"/>')
        parts.append(text(LABEL + length + 5, y + 11, amount(value, workload["unit"]), "small"))
    return "\n".join(parts), HEAD + ROW * len(bars) + TAIL


def text(x: float, y: float, content: str, kind: str, anchor: str = "start") -> str:
    """Return a text element."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{html.escape(content)}</text>'
