"""A profile as one picture: a flame graph in SVG, of running and, below that, of waiting, callers above what they called.

It needs nothing from elsewhere and has no script: any browser shows it, also inside of a page that forbids scripts. A tooltip tells the
numbers of each frame. Colours follow the reader's light or dark scheme. What would be narrower than half a pixel is left out, or than
the few thousand widest frames, and that is said, so that a tree of any size makes a small file.
"""

from __future__ import annotations

import os
from zlib import crc32

from trampoline._profile_text import duration
from trampoline._profile_tree import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WIDTH, _MARGIN, _ROW, _HEAD = 1200, 10, 18, 26
_NARROWEST = 0.5  # pixels of a frame
_MOST_FRAMES = 6000  # of one kind of time
_MOST_LEVELS = 200
_LETTER = 6.6  # pixels, in the font and size of the style
_SHADES = 6
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_LIGHT = {
    "run": ("#fdd0a2", "#fdbe85", "#fcae6b", "#f9c784", "#f7b29c", "#f5c6a5"),
    "wait": ("#c6dbef", "#b3cde3", "#bcd5d1", "#ccd7ea", "#a9cbe0", "#c3d9e6"),
}
_DARK = {
    "run": ("#7a3e12", "#86481a", "#8c3b1f", "#744a10", "#7d3030", "#6d4526"),
    "wait": ("#1f4468", "#27506f", "#23515a", "#2c4770", "#1b4f6b", "#304a63"),
}


def as_svg(root: Node, title: str = "trampoline") -> bytes:
    """Return the picture of a summed-up tree."""
    body: list[str] = []
    top = _MARGIN
    panels = [("run", "Running", "cumulative", "self_time")]
    if root.cumulative_wait:
        panels.append(("wait", "Waiting (queued while others ran, or parked)", "cumulative_wait", "wait"))
    for kind, text, attribute, own in panels:
        drawn, height = _panel(root, kind, text, attribute, own, top)
        body += drawn
        top += height + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}" role="img" '
        f'aria-label="{_escape(title)}">\n<title>{_escape(title)}</title>\n<style>{_style()}</style>\n'
        f'<rect class="page" width="{_WIDTH}" height="{top}"/>\n' + "\n".join(body) + "\n</svg>\n"
    ).encode("ascii", "xmlcharrefreplace")


def _style() -> str:
    def rules(page: str, ink: str, faint: str, shades: Mapping[str, tuple[str, ...]]) -> str:
        fills = "".join(f".{kind}{place}{{fill:{shade}}}" for kind, of_kind in shades.items() for place, shade in enumerate(of_kind))
        return f"svg{{background:{page}}}.page{{fill:{page}}}text{{fill:{ink}}}.frame{{stroke:{page}}}.note{{fill:{faint}}}{fills}"

    return (
        "text{font:11px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;pointer-events:none}.head{font-weight:bold;font-size:13px}"
        f".frame{{stroke-width:.5}}g:hover>.frame{{stroke:#888;stroke-width:2}}{rules('#ffffff', '#1a1a1a', '#555555', _LIGHT)}"
        f"@media(prefers-color-scheme:dark){{{rules('#14171c', '#f2f2f2', '#b0b0b0', _DARK)}}}"
    )


def _panel(root: Node, kind: str, text: str, attribute: str, own: str, top: int) -> tuple[list[str], int]:
    """Return what is drawn of one kind of time, and how high it is."""
    whole = getattr(root, attribute) - getattr(root, own)
    wide = [found for found in _laid_out(root, attribute, whole) if found[3] >= _NARROWEST and found[1] < _MOST_LEVELS]
    if len(wide) > _MOST_FRAMES:
        least = sorted(width for *_, width in wide)[-_MOST_FRAMES]  # a callee is no wider than its caller
        wide = [found for found in wide if found[3] > least]
    drawn = [_frame(node, kind, attribute, own, whole, x, top + _HEAD + level * _ROW, width) for node, level, x, width in wide]
    levels = max([level + 1 for _, level, _, _ in wide], default=0)
    note = "callers above callees; point at a frame for its numbers"
    spent = sum(1 for node in root.walk() if getattr(node, attribute) and node is not root)
    if len(wide) < spent:
        note += f"; {spent - len(wide):,} left out: too narrow or too deep"
    head = [
        f'<text class="head" x="{_MARGIN}" y="{top + 13}">{_escape(text)}: {duration(whole)}</text>',
        f'<text class="note" x="{_WIDTH - _MARGIN}" y="{top + 13}" text-anchor="end">{note}</text>',
    ]
    return head + drawn, _HEAD + levels * _ROW


def _laid_out(root: Node, attribute: str, whole: int) -> Iterator[tuple[Node, int, float, float]]:
    """Go through the frames: node, level, left edge and width in pixels. What is below a frame that is left out is not gone through."""
    scale = (_WIDTH - 2 * _MARGIN) / whole if whole > 0 else 0.0
    left: list[tuple[Node, int, float]] = [(root, -1, float(_MARGIN))]
    while left:
        node, level, x = left.pop()
        width = getattr(node, attribute) * scale
        if node is not root:
            yield node, level, x, width
            if width < _NARROWEST or level >= _MOST_LEVELS:
                continue
        below = []
        for child in sorted(node.children, key=lambda child: (-getattr(child, attribute), child.function)):
            below.append((child, level + 1, x))
            x += getattr(child, attribute) * scale
        left.extend(reversed(below))


def _frame(node: Node, kind: str, attribute: str, own: str, whole: int, x: float, y: int, width: float) -> str:
    where = f" ({os.path.basename(node.file)}:{node.line})" if node.line else ""
    share = 100 * getattr(node, attribute) / whole
    spent = f"{duration(getattr(node, attribute))} ({share:.1f}%), {duration(getattr(node, own))} itself"
    waits = f"; ready {duration(node.ready)}, parked {duration(node.parked)}" if kind == "wait" else ""
    told = f"{node.name}{where}\n{spent}{waits}\n{node.calls:,} calls, {node.resumes:,} resumes"
    shade = crc32(repr(node.function[::2]).encode()) % _SHADES
    room = int((width - 6) / _LETTER)
    label = node.name if len(node.name) <= room else node.name[: room - 2] + ".." if room > 4 else ""
    written = f'<text x="{x + 3:.1f}" y="{y + 12}">{_escape(label)}</text>' if label and room > 2 else ""
    at = f'x="{x:.1f}" y="{y}" width="{max(width, _NARROWEST):.1f}" height="{_ROW - 1}"'
    return f'<g><title>{_escape(told)}</title><rect class="frame {kind}{shade}" {at}/>{written}</g>'


def _escape(text: str) -> str:
    """Return `text` as it may stand in XML, which has no way to write most control characters."""
    return "".join(_ENTITIES.get(letter, letter) if _is_writable(letter) else "?" for letter in text)


def _is_writable(letter: str) -> bool:
    return letter == "\n" or letter >= " " and not "\ud800" <= letter <= "\udfff" and letter not in "\ufffe\uffff"
