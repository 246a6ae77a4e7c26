"""A profile as a file: for pstats and what reads that, for speedscope, for flame graph programs, for Perfetto, and to be read again.

Each writer takes a summed-up tree and returns the bytes; `write()` puts them where they belong, whole or not at all. None needs more than
the standard library, and each is linear in the number of nodes but for collapsed stacks, which repeat the callers in every line.
"""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import stat
import sys

from trampoline._profile_tree import FIELDS, RUN_LOOP, Function, Node, enter_and_leave, much_is_made, new_root, sum_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Event = tuple[str, int, Any, int, int]

SUFFIXES = {  # the longer ones first
    ".speedscope.json": "speedscope",
    ".trace.json": "trace",
    ".json": "json",
    ".pstats": "pstats",
    ".prof": "pstats",
    ".collapsed": "collapsed",
    ".folded": "collapsed",
    ".svg": "svg",
    ".txt": "text",
}
FORMATS = ("text", "json", "pstats", "speedscope", "collapsed", "svg", "trace")
FORMAT, SCHEMA = "trampoline-profile", 1
_SPEEDSCOPE = "https://www.speedscope.app/file-format-schema.json"


def format_of(path: str) -> str:
    """Return the format that the suffix of `path` means. ValueError that lists the suffixes if it means none."""
    name = os.path.basename(path).lower()
    for suffix, found in SUFFIXES.items():
        if name.endswith(suffix):
            return found
    raise ValueError(f"cannot tell from its suffix in which format to save {path!r}: the suffixes are {', '.join(SUFFIXES)}")


def write(path: str, data: bytes) -> None:
    """Write `data` to the file `path`, whole or not at all; what is no regular file (a device, a pipe) is written to, never replaced.

    OSError that names `path` if it cannot be written.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(21, "cannot save a profile in place of a folder", path)
    place = os.path.realpath(path)
    try:
        mode = os.stat(place).st_mode
    except OSError:
        mode = None
    try:
        if mode is not None and not stat.S_ISREG(mode):
            with open(place, "wb", buffering=0) as device:
                _write_all(device, data)
            return
        _replace(place, data, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error  # the file that was asked for, not the one of ours beside it


def _write_all(file: Any, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _replace(place: str, data: bytes, mode: int | None) -> None:
    beside = f"{place}.{os.urandom(4).hex()}.part"
    try:
        with open(beside, "xb") as file:
            file.write(data)
        if mode is not None:
            with contextlib.suppress(OSError):  # a file system without modes
                os.chmod(beside, stat.S_IMODE(mode))
        os.replace(beside, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def as_pstats(root: Node) -> bytes:
    """Return what `pstats.Stats(path)` loads: the callers are the coroutines that yielded the call, times are seconds of running."""
    rows: dict[Function, list[int]] = {}  # calls that are not in recursion, calls, self time, cumulative time
    callers: dict[Function, dict[Function, list[int]]] = {}
    inside: dict[Function | tuple[Function, Function], int] = {}
    for node, entering in enter_and_leave(root):
        assert node.parent is not None
        function, edge = node.function, (node.parent.function, node.function)
        for key in (function, edge):
            inside[key] = inside.get(key, 0) + (1 if entering else -1)
        if not entering:
            continue
        edges = callers.setdefault(function, {})
        for total, depth in (
            (rows.setdefault(function, [0, 0, 0, 0]), inside[function]),
            (edges.setdefault(edge[0], [0, 0, 0, 0]), inside[edge]),
        ):
            total[1] += node.calls
            total[2] += node.self_time
            if depth == 1:
                total[0] += node.calls
                total[3] += node.cumulative
    stats: dict[Any, Any] = {tuple(RUN_LOOP): (1, 1, root.self_time / 1e9, root.cumulative / 1e9, {})}
    for function, (primitive, calls, self_time, cumulative) in rows.items():
        above = {tuple(by): (of[0], of[1], of[2] / 1e9, of[3] / 1e9) for by, of in callers[function].items()}
        stats[tuple(function)] = (primitive, calls, self_time / 1e9, cumulative / 1e9, above)
    return marshal.dumps(stats)


def as_speedscope(root: Node, name: str = "trampoline") -> bytes:
    """Return a file for speedscope.app with two profiles, of running and of waiting, in nanoseconds."""
    frames: dict[Function, int] = {}
    for node in root.walk():
        frames.setdefault(node.function, len(frames))
    shared = [
        {"name": function.name, "file": function.file, "line": function.line} if function.line else {"name": function.name}
        for function in frames
    ]
    profiles = []
    for kind, attribute in (("running", "self_time"), ("waiting", "wait")):
        now = 0
        events = []
        for node, entering in enter_and_leave(root):
            events.append({"type": "O" if entering else "C", "frame": frames[node.function], "at": now})
            if entering:
                now += getattr(node, attribute)
        profiles.append({"type": "evented", "name": kind, "unit": "nanoseconds", "startValue": 0, "endValue": now, "events": events})
    from trampoline import __version__

    found = {
        "$schema": _SPEEDSCOPE,
        "name": name,
        "exporter": f"ctrampoline {__version__}",
        "activeProfileIndex": 0,
        "shared": {"frames": shared},
        "profiles": profiles,
    }
    return json.dumps(found, separators=(",", ":")).encode()


def as_collapsed(root: Node) -> bytes:
    """Return a line for each path on which time was spent: its functions, root first, with `;` between them, and the nanoseconds."""
    lines: list[str] = []
    path: list[str] = []
    for node, entering in enter_and_leave(root):
        if not entering:
            path.pop()
            continue
        where = f" ({os.path.basename(node.file)}:{node.line})" if node.line else ""
        path.append((node.name + where).replace(";", ":").replace("\n", " "))
        if node.self_time:
            lines.append(f"{';'.join(path)} {node.self_time}\n")
    return "".join(lines).encode("utf-8", "backslashreplace")


def as_json(root: Node) -> bytes:
    """Return the whole profile for `Profile.load()` and other programs.

    `nodes` has a row for each path, callers first: the place of its caller in `nodes` (-1: the root), the place of its function in
    `functions` (file, line, name), and the `columns`; `run` and `loop` are the nanoseconds in `run()` and of those outside of coroutines.
    """
    functions: dict[Function, int] = {}
    places = {id(root): -1}
    nodes: list[list[int]] = []
    for node in root.walk():
        if node is root:
            continue
        places[id(node)] = len(nodes)
        function = functions.setdefault(node.function, len(functions))
        nodes.append([places[id(node.parent)], function, *(getattr(node, field) for field in FIELDS)])
    from trampoline import __version__

    found = {
        "format": FORMAT,
        "schema": SCHEMA,
        "version": __version__,
        "python": sys.version.split()[0],
        "unit": "nanoseconds",
        "run": root.cumulative,
        "loop": root.self_time,
        "columns": ["caller", "function", *FIELDS],
        "functions": list(functions),
        "nodes": nodes,
    }
    return json.dumps(found, separators=(",", ":")).encode()


def from_json(data: bytes, path: str) -> Node:
    """Return the tree in a file that `as_json()` made. ValueError that names `path` and what is wrong, if it is another."""
    try:
        found = json.loads(data)
    except ValueError as error:
        raise ValueError(f"{path!r} is no profile that was saved as .json: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f'{path!r} is no profile that was saved as .json: it has no "format": "{FORMAT}"')
    if found.get("schema") != SCHEMA:
        raise ValueError(f"{path!r} has schema {found.get('schema')!r}, and this version reads {SCHEMA}: save it with the same version")
    try:
        root = new_root()
        root.self_time = int(found["loop"])
        with much_is_made():
            _add_rows(root, found)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"{path!r} is a broken profile: {type(error).__name__}: {error}") from None
    return sum_up(root)


def _add_rows(root: Node, found: Any) -> None:
    functions = [Function(str(file), int(line), str(name)) for file, line, name in found["functions"]]
    columns = found["columns"]
    caller_at, function_at, *places = [columns.index(column) for column in ("caller", "function", *FIELDS)]
    nodes: list[Node] = []
    for row in found["nodes"]:
        caller = int(row[caller_at])
        if not -1 <= caller < len(nodes):
            raise ValueError(f"the caller of node {len(nodes)} is {caller}, which does not come before it")
        node = (root if caller < 0 else nodes[caller]).child(functions[row[function_at]])
        for field, place in zip(FIELDS, places, strict=True):
            setattr(node, field, int(row[place]))
        nodes.append(node)


def as_trace(parts: Iterable[tuple[Iterable[Event], int]], cap: int, left_out: int, function_of: Callable[[Any], Function]) -> bytes:
    """Return the timelines as Chrome's trace events, which Perfetto opens: a process for each thread, a track for each pseudothread.

    A part is a thread's events and how many more there were than the `cap`; `left_out` are those of threads that were not kept at all.
    """
    made: list[dict[str, Any]] = []
    dropped_of_all, latest = left_out, 0
    for process, (events, dropped) in enumerate(parts, 1):
        dropped_of_all += dropped
        tracks = set()
        for kind, pseudothread, node, start, length in events:
            latest = max(latest, start + length)
            if pseudothread not in tracks:
                tracks.add(pseudothread)
                name = f"pseudothread {pseudothread}: {function_of(_root_of(node)).name}"
                made.append(_metadata("thread_name", process, pseudothread, name))
            made.append(_complete(kind, function_of(node), process, pseudothread, start, length))
        made.append(_metadata("process_name", process, 0, f"thread {process}, {_said(cap, dropped)}"))
    if dropped_of_all:
        said = f"the timeline is {_said(cap, dropped_of_all)}"
        made.append({"name": said, "ph": "i", "s": "g", "ts": latest / 1000, "pid": 1, "tid": 0})
    found = {"traceEvents": made, "displayTimeUnit": "ns", "otherData": {"cap": cap, "left_out": dropped_of_all}}
    return json.dumps(found, separators=(",", ":")).encode()


def _said(cap: int, dropped: int) -> str:
    return f"capped at {cap:,} events: {dropped:,} later ones are left out" if dropped else "complete"


def _complete(kind: str, function: Function, process: int, track: int, start: int, length: int) -> dict[str, Any]:
    name = function.name if kind == "run" else f"waits: {function.name}"
    where = {"file": function.file, "line": function.line}
    times = {"ts": start / 1000, "dur": length / 1000}  # microseconds
    return {"name": name, "cat": kind, "ph": "X", **times, "pid": process, "tid": track, "args": where}


def _metadata(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


def _root_of(node: Any) -> Any:
    while node.parent is not None and node.parent.parent is not None:
        node = node.parent
    return node
