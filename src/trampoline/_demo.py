"""`python -m trampoline demo`: the main job on real input, beside PEP 342's recipe.

Every source file of the running Python's standard library is parsed, and its syntax tree walked with one coroutine a node and one
pseudothread a file: once by the recipe (mended), once by this package. Both must count the nodes that `ast.walk` counts. What is walked are
plain tuples of the same shape, for the time it takes to ask an ast node for its children is the same for all. Then an expression nested
100,000 deep is evaluated, which plain recursion cannot, and an error is raised at its bottom and unwinds to the top.
"""

from __future__ import annotations

import ast
import gc
import sys
import sysconfig
import warnings
from pathlib import Path
from time import process_time

from trampoline._core import accelerated, reason
from trampoline._recipe import Mended
from trampoline._trampoline import Trampoline, trampoline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import Any

_FILES_AT_ONCE = 100  # so many pseudothreads, and so many trees in memory
_DEPTH = 100_000
_RECIPE = "the recipe of PEP 342, mended"
_SCHEDULERS: dict[str, Any] = {_RECIPE: Mended, f"ctrampoline, core in {'C' if accelerated else 'Python'}": Trampoline}


def demo(files: int | None = None) -> int:
    """Run the demonstration, print its table, and return the exit status: 0 if every count agrees. `files` bounds how many are walked."""
    paths = sorted(_standard_library())[:files]
    if not paths:
        print("the source of the standard library is not on this machine: nothing to walk", file=sys.stderr)
        return 1
    counts, seconds = _walk_all(paths)
    print(
        f"{len(paths):,} files of the standard library, one pseudothread a file, {_FILES_AT_ONCE} at a time, one coroutine a node; CPU time"
    )
    print(f"{'':<32}{'nodes':>12}{'seconds':>10}{'times as fast':>18}")
    print(f"{'ast.walk, to compare the count':<32}{counts['ast.walk']:>12,}")
    for name in _SCHEDULERS:
        print(f"{name:<32}{counts[name]:>12,}{seconds[name]:>10.2f}{seconds[_RECIPE] / max(seconds[name], 1e-9):>17.1f}x")
    if not accelerated:
        print(f"The core is in Python, and so slower than that in C: {reason}")
    if len(set(counts.values())) != 1:
        print("the counts differ", file=sys.stderr)
        return 1
    return _go_deep()


def _go_deep() -> int:
    expression: Any = 1
    for _ in range(_DEPTH):
        expression = ("+", expression, 1)
    try:
        _plainly(expression)
        plain = "succeeds"
    except RecursionError:
        plain = "RecursionError"
    start = process_time()
    value = trampoline(_evaluate(expression))
    took = process_time() - start
    print(f"\nan expression nested {_DEPTH:,} deep: plain recursion: {plain}; ctrampoline: {value:,} in {took:.2f} s")

    broken: Any = ("/", 1, 0)
    for _ in range(_DEPTH):
        broken = ("+", broken, 1)
    cleaned_up = [0]
    start = process_time()
    try:
        trampoline(_evaluate(broken, cleaned_up))
        error = "none"
    except ZeroDivisionError as caught:
        error = type(caught).__name__
    took = process_time() - start
    print(f"an error raised at its bottom: {error}, {cleaned_up[0]:,} levels cleaned up in {took:.2f} s")
    return 0 if value == _DEPTH + 1 and error == "ZeroDivisionError" and cleaned_up[0] == _DEPTH + 1 else 1


def _walk(children: Any) -> Generator[Any, Any, None]:
    count = 1
    for child in children:
        count += yield _walk(child)
    yield count


def _walk_with(scheduler: Any, trees: list[Any]) -> int:
    counts = []

    def count(tree: Any) -> Generator[Any, Any, None]:
        counts.append((yield _walk(tree)))

    t = scheduler()
    for tree in trees:
        t.add(count(tree))
    t.run()
    return sum(counts)


def _walk_all(paths: list[Path]) -> tuple[dict[str, int], dict[str, float]]:
    counts, seconds = dict.fromkeys(["ast.walk", *_SCHEDULERS], 0), dict.fromkeys(_SCHEDULERS, 0.0)
    for batch in _batches(_progress(paths)):
        parsed = [tree for tree in map(_parse, batch) if tree is not None]
        counts["ast.walk"] += sum(1 for tree in parsed for _ in ast.walk(tree))
        trees = [_shape(tree) for tree in parsed]
        del parsed
        gc.collect()
        gc.disable()  # or it would time how the collector goes through the trees
        for name, scheduler in _SCHEDULERS.items():
            start = process_time()
            counts[name] += _walk_with(scheduler, trees)
            seconds[name] += process_time() - start
        gc.enable()
    return counts, seconds


def _shape(tree: ast.AST) -> Any:
    """Return the tuple of the shapes of the children of `tree`."""
    shapes: dict[int, Any] = {}
    for node in reversed(list(ast.walk(tree))):  # children come before their parents
        shapes[id(node)] = tuple([shapes[id(child)] for child in ast.iter_child_nodes(node)])
    return shapes[id(tree)]


def _standard_library() -> Iterator[Path]:
    root = Path(sysconfig.get_path("stdlib"))
    for path in root.rglob("*.py"):
        if not {"site-packages", "dist-packages"} & set(path.parts):
            yield path


def _parse(path: Path) -> ast.AST | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sources are not ours to judge
        try:
            return ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # the library's own tests hold files that are broken on purpose
            return None


def _batches(paths: Iterable[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    for path in paths:
        batch.append(path)
        if len(batch) == _FILES_AT_ONCE:
            yield batch
            batch = []
    yield batch


def _progress(paths: list[Path]) -> Iterator[Path]:
    show = sys.stderr.isatty()
    for done, path in enumerate(paths):
        if show and done % 10 == 0:
            bar = "#" * (40 * done // len(paths))
            print(f"\r[{bar:<40}] {done:,} of {len(paths):,} files", end="", file=sys.stderr, flush=True)
        yield path
    if show:
        print("\r" + " " * 79 + "\r", end="", file=sys.stderr, flush=True)


def _evaluate(expression: Any, cleaned_up: list[int] | None = None) -> Generator[Any, Any, int]:
    if not isinstance(expression, tuple):
        return int(expression)
    operator, left, right = expression
    try:
        a = yield _evaluate(left, cleaned_up)
        b = yield _evaluate(right, cleaned_up)
        return int(a + b if operator == "+" else a / b)
    finally:
        if cleaned_up is not None:
            cleaned_up[0] += 1


def _plainly(expression: Any) -> int:
    if not isinstance(expression, tuple):
        return int(expression)
    operator, left, right = expression
    a, b = _plainly(left), _plainly(right)
    return int(a + b if operator == "+" else a / b)
