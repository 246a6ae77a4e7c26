"""The tree that a profile has collected, as plain objects that no run changes any more: what reports and files are made from.

A collector's own nodes go on counting, belong to one thread, and hold code objects. Here each is copied to a `Node` under the name of its
function, `(file, line, name)`, so that trees of several threads, runs and files can be added and subtracted path by path. No function is
recursive, for trees may be deep; each is linear in the number of nodes.
"""

from __future__ import annotations

import contextlib
import gc
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

FIELDS = ("calls", "resumes", "self_time", "span", "ready", "parked", "exceptions", "closed", "live", "partial")
SORTS = ("cumulative", "self", "wait", "calls", "resumes", "span", "exceptions")


class Function(NamedTuple):
    """The function of a coroutine. One without a code object has the name of its type, "~" as its file and 0 as its line."""

    file: str
    line: int
    name: str


RUN_LOOP = Function("~", 0, "<run loop>")


class Node:
    """What the coroutines of one function did when they were called on one path. Times are integer nanoseconds.

    `calls`, `resumes`, `exceptions` (that left it), `closed` (early), `live` (not ended yet) and `partial` (older than the profile) are
    counts. `self_time`: running, itself; `cumulative`: with all that it called. `ready`: queued while others ran; `parked`: on a
    suspension; `wait`: both, itself; `cumulative_wait`: with all that it called. `span`: from each call to its end. `children` are the
    functions called from here. The root stands for the run loop: its `self_time` is the time outside of coroutines, its `cumulative`
    that inside `run()`.
    """

    __slots__ = ("function", "parent", "by_function", *FIELDS, "cumulative", "cumulative_wait", "cumulative_calls")

    def __init__(self, function: Function, parent: Node | None) -> None:
        self.function = function
        self.parent = parent
        self.by_function: dict[Function, Node] = _NONE
        self.calls = self.resumes = self.self_time = self.span = self.ready = self.parked = 0
        self.exceptions = self.closed = self.live = self.partial = 0
        self.cumulative = self.cumulative_wait = self.cumulative_calls = 0

    @property
    def name(self) -> str:
        """The qualified name of the function, or of the type where there is no code."""
        return self.function.name

    @property
    def file(self) -> str:
        """The file of the function, "~" where there is no code."""
        return self.function.file

    @property
    def line(self) -> int:
        """The first line of the function, 0 where there is no code."""
        return self.function.line

    @property
    def wait(self) -> int:
        """Nanoseconds that it was ready or parked, itself."""
        return self.ready + self.parked

    @property
    def children(self) -> tuple[Node, ...]:
        """What was called from here, in the order of the first call."""
        return tuple(self.by_function.values())

    def child(self, function: Function) -> Node:
        """Return the node of `function` called from here, made if there is none."""
        found = self.by_function.get(function)
        if found is None:
            if self.by_function is _NONE:
                self.by_function = {}
            found = self.by_function[function] = Node(function, self)
        return found

    def walk(self) -> Iterator[Node]:
        """Go through this node and all below it, callers before callees."""
        left: list[Node] = [self]
        while left:
            node = left.pop()
            yield node
            left.extend(reversed(node.by_function.values()))

    def __repr__(self) -> str:
        return f"<Node {self.name!r} {self.calls:,} calls, {self.cumulative:,} ns, {len(self.by_function)} children>"


_NONE: dict[Function, Node] = {}  # what leaves share


class Row(NamedTuple):
    """One function, wherever it was called from. Counts and times are as in `Node`; what is in recursion is counted once."""

    file: str
    line: int
    name: str
    calls: int
    resumes: int
    self_time: int
    cumulative: int
    span: int
    ready: int
    parked: int
    exceptions: int
    closed: int
    live: int
    partial: int

    @property
    def wait(self) -> int:
        """Nanoseconds that it was ready or parked."""
        return self.ready + self.parked


@contextlib.contextmanager
def much_is_made() -> Iterator[None]:
    """Hold the garbage collector off: to go through 100,000 new nodes again and again takes it four times as long as to make them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def new_root() -> Node:
    """Return the root of an empty tree."""
    return Node(RUN_LOOP, None)


def grow(root: Node, source: Any, function_of: Callable[[Any], Function], sign: int = 1) -> None:
    """Add (or with a `sign` of -1 subtract) all nodes from `source` on to those of the same path from `root` on."""
    left = [(root, source)]
    while left:
        node, found = left.pop()
        node.calls += sign * found.calls
        node.resumes += sign * found.resumes
        node.self_time += sign * found.self_time
        node.span += sign * found.span
        node.ready += sign * found.ready
        node.parked += sign * found.parked
        node.exceptions += sign * found.exceptions
        node.closed += sign * found.closed
        node.live += sign * found.live
        node.partial += sign * found.partial
        below = [(node.child(function_of(child)), child) for child in found.children]
        left.extend(reversed(below))


def grow_from_collector(root: Node, collector: Any) -> None:
    """Add what a collector has; the run loop's time goes to the root."""
    known: dict[int, Function] = {}  # by identity: to hash code objects takes longer than all else, and the nodes keep them

    def function_of(node: Any) -> Function:
        code = node.code
        found = known.get(id(code))
        if found is None:
            found = known[id(code)] = name_code(code)
        return found

    root.self_time += collector.loop
    grow(root, collector.root, function_of)


def name_code(code: Any) -> Function:
    """Return the function of a code object, or of the type of a coroutine that has none."""
    if isinstance(code, type):
        return Function("~", 0, f"{code.__module__}.{code.__qualname__}")
    return Function(
        code.co_filename, code.co_firstlineno, getattr(code, "co_qualname", code.co_name)
    )  # from Python 3.11 on it is qualified


def sum_up(root: Node) -> Node:
    """Set what each node has together with all below it, and return the root."""
    nodes = list(root.walk())
    for node in nodes:
        node.cumulative, node.cumulative_wait, node.cumulative_calls = node.self_time, node.ready + node.parked, node.calls
    for node in reversed(nodes):
        above = node.parent
        if above is not None and node is not root:
            above.cumulative += node.cumulative
            above.cumulative_wait += node.cumulative_wait
            above.cumulative_calls += node.cumulative_calls
    return root


def enter_and_leave(root: Node) -> Iterator[tuple[Node, bool]]:
    """Go through all below `root`: (node, True) before those that it called and (node, False) after them."""
    left = [(child, True) for child in reversed(root.by_function.values())]
    while left:
        node, entering = left.pop()
        yield node, entering
        if entering:
            left.append((node, False))
            left.extend([(child, True) for child in reversed(node.by_function.values())])


def flatten(root: Node) -> list[Row]:
    """Return a row for each function, in the order of the first call. Its cumulative time is that of the outermost calls of it."""
    totals: dict[Function, list[int]] = {}
    inside: dict[Function, int] = {}
    for node, entering in enter_and_leave(root):
        depth = inside.get(node.function, 0)
        if not entering:
            inside[node.function] = depth - 1
            continue
        inside[node.function] = depth + 1
        total = totals.get(node.function)
        if total is None:
            total = totals[node.function] = [0] * 11
        for place, amount in enumerate((node.calls, node.resumes, node.self_time, 0 if depth else node.cumulative, node.span, node.ready)):
            total[place] += amount
        for place, amount in enumerate((node.parked, node.exceptions, node.closed, node.live, node.partial), 6):
            total[place] += amount
    return [Row(*function, *total) for function, total in totals.items()]


def check_sort(sort: str) -> str:
    """Return `sort`, or raise the ValueError that says what there is to sort by."""
    if sort not in SORTS:
        raise ValueError(f"cannot sort a profile by {sort!r}: sort by {', '.join(SORTS)}")
    return sort


def row_key(sort: str) -> Callable[[Row], int]:
    """Return what rows are sorted by, the greatest first."""
    attribute = "self_time" if check_sort(sort) == "self" else sort
    return lambda row: int(getattr(row, attribute))


def tree_weights(root: Node, sort: str) -> dict[int, int]:
    """Return by the identity of each node what it is sorted by: what it has of that together with all below it, but for `span`."""
    check_sort(sort)
    if sort in ("cumulative", "self", "wait", "calls"):
        attribute = {"self": "cumulative", "wait": "cumulative_wait", "calls": "cumulative_calls"}.get(sort, sort)
        return {id(node): getattr(node, attribute) for node in root.walk()}
    nodes = list(root.walk())
    found = {id(node): getattr(node, sort) for node in nodes}
    for node in reversed(nodes):
        if node.parent is not None and node is not root:
            above = id(node.parent)
            found[above] = max(found[above], found[id(node)]) if sort == "span" else found[above] + found[id(node)]
    return found
