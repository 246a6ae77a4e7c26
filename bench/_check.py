"""`python -m bench --check`: hold the cores against the bars that the project set itself, and print each as ok or MISS.

A bar is a quotient of two figures (or bytes, or milliseconds). The cells of one group are measured in the same interleaved rounds, best of
many. A figure that cannot be had (no C core, no PyPI package) leaves its bar unmeasured, which counts as a miss.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import _machine
from bench._measure import Cell, Effort, Progress, measure
from bench._runner import cell
from bench._workloads import LOOPS as LOOPS_OF_AIO

Figure = tuple[str, str, str]
C, PYTHON, RECIPE, NATIVE, PYPI = "C core", "Python core", "recipe", "yield from", "PyPI trampoline"
BETTER = sys.version_info >= (3, 12)  # from there on cheaper than cProfile and yappi
CPYTHON = sys.implementation.name == "cpython"
HELD, ENDED = "generators", "generators ended"


@dataclass(frozen=True)
class Bar:
    """One bar: `over`, less what `less` is, divided by `under` (or by `scale`) is at most, or at least, `must`, and at best `aim`."""

    text: str
    over: Figure
    under: Figure | None
    must: float | None
    aim: float | None = None
    at_least: bool = False
    scale: float = 1.0
    unit: str = "x"
    less: Figure | None = None

    def meets(self, measured: float, wanted: float) -> bool:
        """Whether the measured value, as printed, is good enough."""
        compare: Callable[[float, float], bool] = operator.ge if self.at_least else operator.le
        return compare(float(self.show(measured)), wanted)

    def show(self, value: float) -> str:
        """Return the value with the digits that it is printed and compared with."""
        return f"{value:.2f}" if self.unit == "x" else f"{value:.1f}"


def _calls(implementation: str, way: str = "return") -> Figure:
    return "calls", implementation, way


def _turns(pseudothreads: str, implementation: str = C) -> Figure:
    return "turns", implementation, pseudothreads


def _memory(kind: str) -> tuple[Bar, Bar]:
    what, must, aim = ("a parked pseudothread", 200, 128) if kind == "parked" else ("a level of depth", 16, 8)
    first, second = (Bar(f"{what}, {how}", ("memory", C, f"{kind}, {how}"), None, must, aim, unit="bytes") for how in ("RSS", "traced"))
    return first, second


LOADS = ("c=1", "c=50", "c=500")
CORO_RIVALS = ("uvloop", "gevent", "trio", "curio")
LEVEL, NOT_BELOW = 1.03, 0.97  # what the noise makes of two equal figures


def _echo(rival: str, must: float, aim: float | None = None, loads: tuple[str, ...] = LOADS) -> tuple[Bar, ...]:
    """CPU of a request beside a rival's, at most."""
    return tuple(Bar(f"echo, CPU, {c} / {rival}", ("echo", C, f"CPU, {c}"), ("echo", rival, f"CPU, {c}"), must, aim) for c in loads)


def _served(rival: str, must: float | None, loads: tuple[str, ...] = LOADS) -> tuple[Bar, ...]:
    """Requests a second beside a rival's, at least: the seconds of one, the other way round."""
    return tuple(Bar(f"echo, requests/s, {c} / {rival}", ("echo", rival, c), ("echo", C, c), must, None, True) for c in loads)


def _channel(way: str, size: str) -> Bar:
    column = f"{way}, {size}"
    return Bar(f"channel, {column} / asyncio", ("channel", C, column), ("channel", "asyncio", column), 0.25)


def _together(what: str, column: str, must: float) -> Bar:
    return Bar(f"{what} / asyncio", ("together", C, column), ("together", "asyncio", column), must)


WAITING: tuple[Bar, ...] = (
    _together("spawn and join", "one", 0.25),
    _together("spawn 1,000, join each", "all", 0.25),
    _together("gather of 1,000", "gather 1,000", 0.3),
    _together("gather of 10", "gather 10", 0.3),
    *(_channel(way, size) for way in ("yield", "await") for size in ("1", "100", "unbounded")),
    *(
        Bar(f"lock, {column} / asyncio", ("lock", C, column), ("lock", "asyncio", column), None)
        for column in ("yield, free", "await, free", "yield, in turn", "await, in turn")
    ),
    *_served("asyncio", 1.4, LOADS[1:2]),
    *_echo("asyncio", 0.65),
    *(bar for rival in CORO_RIVALS for bar in (*_served(rival, 1.0), *_echo(rival, 1.0))),
    *_served("asyncio Protocol", NOT_BELOW),
    *_echo("asyncio Protocol", LEVEL),
    *_served("uvloop Protocol", None),
    *_echo("uvloop Protocol", 1.15, 1.0),
    Bar("an idle connection", ("idle", C, "memory"), None, 2048, 1229, unit="bytes"),
    Bar("10,000 idle connections, CPU in a second", ("idle", C, "CPU"), None, 1.0, scale=1e-3, unit="ms"),
    Bar("100,000 sleepers / asyncio", ("sleep", C, "100,000"), ("sleep", "asyncio", "100,000"), 0.4, 0.25),
    Bar("SimPy / sleepers in simulated time", ("simulation", "simpy", "sleepers"), ("simulation", C, "sleepers"), 5, None, True),
    Bar("SimPy / bank", ("simulation", "simpy", "bank"), ("simulation", C, "bank"), 5, None, True),
    Bar("wake-up by a thread, median / asyncio", ("wake", C, "median"), ("wake", "asyncio", "median"), LEVEL),
    Bar("wake-up by a thread, p99 / asyncio", ("wake", C, "p99"), ("wake", "asyncio", "p99"), None),
    *(
        Bar(f"fairness, {what} / asyncio", ("fairness", C, what), ("fairness", "asyncio", what), None)
        for what in ("sleeper, median", "sleeper, max", "socket, median", "socket, max")
    ),
)


def _profile(column: str, implementation: str = C) -> Figure:
    return "profile", implementation, column


ON, OFF = _profile("switch, on"), _profile("switch, off")
PROFILE: tuple[Bar, ...] = (
    Bar("profile: a resume, what it costs more", ON, None, 60, 45, scale=1e-9, unit="ns", less=OFF),
    Bar("profile: a resume, on / off", ON, OFF, 1.5, 1.3),
    Bar("profile: the demo's walk, on / off", _profile("walk, on"), _profile("walk, off"), 1.25, 1.15),
    *(
        Bar(f"profile: the walk under {rival} / on", _profile(f"walk, {rival}"), _profile("walk, on"), 1.0 if BETTER else None, None, True)
        for rival in ("cProfile", "yappi")
    ),
    Bar("profile: shares of a leaf's two callers", _profile("share"), None, 10, None, unit="points"),
    Bar("profile, Python core: a resume, on / off", _profile("switch, on", PYTHON), _profile("switch, off", PYTHON), None, None),
)

BARS: tuple[Bar, ...] = (
    Bar("call and return / native", _calls(C), _calls(NATIVE), 1.3, 1.15),
    Bar("recipe / call and return", _calls(RECIPE), _calls(C), 11, None, True),
    Bar("PyPI trampoline / call and return", _calls(PYPI), _calls(C), 3.3, None, True),
    Bar("call, result by yield / recipe's", _calls(C, "yield"), _calls(RECIPE, "yield"), None, None),
    Bar("turns: 100 pseudothreads / 1", _turns("100"), _turns("1"), 1.25, 1.05),
    Bar("turns: 10,000 pseudothreads / 1", _turns("10,000"), _turns("1"), 1.5, 1.2),
    Bar("resume at depth 10,000 / depth 1", ("depth", C, "10,000"), ("depth", C, "1"), 1.1, 1.0),
    Bar("native resume at depth 900 / depth 1", ("depth", NATIVE, "900"), ("depth", NATIVE, "1"), None, None),
    Bar("recursion to 1,000,000 / generators held", ("recursion", C, "1,000,000"), ("recursion", HELD, "1,000,000"), 1.3, 1.1),
    Bar("the same / generators held, then ended", ("recursion", C, "1,000,000"), ("recursion", ENDED, "1,000,000"), None, None),
    Bar("error through 100 levels / native", ("errors", C, "100"), ("errors", NATIVE, "100"), 2.2, 1.5),
    Bar("recipe / error through 100 levels", ("errors", RECIPE, "100"), ("errors", C, "100"), 5, None, True),
    *_memory("parked"),
    *_memory("level"),
    Bar("schedule overridden / recipe's", ("overridden", C, "schedule"), ("overridden", RECIPE, "schedule"), 1.0),
    Bar("foreign queue / recipe's", ("overridden", C, "queue"), ("overridden", RECIPE, "queue"), 1.0),
    Bar("yield from call() / yield", ("call", C, "from @1"), ("call", C, "yield @1"), None, None),
    Bar("await call() / yield", ("call", C, "await @1"), ("call", C, "yield @1"), None, None),
    Bar("recipe / Python core, call and return", _calls(RECIPE), _calls(PYTHON), 1.5, 2.0, True),
    Bar("recipe / Python core, 100 pseudothreads", _turns("100", RECIPE), _turns("100", PYTHON), 1.5, 2.0, True),
    Bar("recipe / Python core, error, 100 levels", ("errors", RECIPE, "100"), ("errors", PYTHON, "100"), None, None),
    Bar("recipe / Python core, error, 10,000 levels", ("errors", RECIPE, "10,000"), ("errors", PYTHON, "10,000"), None, None),
    *(
        Bar(f"Python core, {idiom} / recipe's", ("overridden", PYTHON, idiom), ("overridden", RECIPE, idiom), must)
        for idiom, must in (("schedule", 1.0), ("counting", LEVEL), ("queue", 1.0), ("own append", 1.0), ("closures", None))
    ),
    Bar("C core, closures / recipe's", ("overridden", C, "closures"), ("overridden", RECIPE, "closures"), None),
    Bar("recipe / Python core, the demo's walk", ("walk", RECIPE, "60"), ("walk", PYTHON, "60"), 1.5 if CPYTHON else None, 2.0, True),
    Bar("recipe / Python core, add and end", ("add", RECIPE, "100,000"), ("add", PYTHON, "100,000"), None, None),
    *(
        Bar(f"calls inside {loop} / alone", ("aio", C, "calls, alone"), ("aio", C, f"calls, {loop}"), 0.9, None, True)
        for loop in LOOPS_OF_AIO
    ),
    *(
        Bar(f"a {what} inside {loop} / a task's", ("aio", C, f"{what}, {loop}"), ("aio", "task each", f"{what}, {loop}"), None)
        for what in ("nap", "request")
        for loop in LOOPS_OF_AIO
    ),
    *PROFILE,
    Bar("import of the package", ("import", C, "import"), None, 10, 5, scale=1e-3, unit="ms"),
    *WAITING,
)

GROUPS: dict[str, tuple[str, ...]] = {
    "calls": ("calls", "call", "overridden", "walk", "profile"),
    "aio": ("aio",),
    "turns": ("turns", "depth", "add"),
    "recursion": ("recursion",),
    "errors": ("errors",),
    "simulation": ("simulation",),
    "own": ("memory", "import"),
    "together": ("together",),
    "synchronising": ("channel", "lock"),
    "served": ("echo",),
    "waiting": ("idle", "sleep", "wake", "fairness"),
}
EFFORTS = {
    "calls": Effort(1.5, 12, 150),
    "aio": Effort(1.5, 12, 150),
    "turns": Effort(1.5, 12, 150),
    "recursion": Effort(6.0, 6, 30),
    "errors": Effort(1.5, 20, 150),
    "simulation": Effort(1.5, 12, 60),
    "own": Effort(1.0, 1, 15),
    "together": Effort(1.5, 12, 150),
    "synchronising": Effort(1.5, 12, 150),
    "served": Effort(0.0, 7, 7, limit=60.0, patience=60.0),
    "waiting": Effort(0.0, 5, 5, limit=60.0, patience=60.0),
}


REPORT = """# The project's bars

Written by `{command}`; nothing here is written by hand. The first figures are quotients of two that were
measured in the same rounds, best of many, CPU time where nothing else is said; those behind them are what was divided by what.

{date}, {python} ({build}), {processor}, {cores} cores, {platform}

```text
{lines}
```
"""


def check(progress: Progress, workloads: Sequence[str] = (), report: Path | None = None) -> bool:
    """Measure, print every bar (of the workloads, if any are named), and return whether all that must be is met."""
    cells: dict[Figure, Cell] = {}
    bars = [bar for bar in BARS if not workloads or bar.over[0] in workloads]
    for bar in bars:
        for figure in (bar.over, bar.under, bar.less):
            if figure and figure not in cells:
                workload, implementation, column = figure
                cells[figure] = cell(implementation, workload, column)
    for group, members in GROUPS.items():
        measure([found for figure, found in cells.items() if figure[0] in members], EFFORTS[group], progress)
    progress("")
    lines = [f"{'bar':42} {'must':>10} {'aim':>8} {'measured':>12}"]
    good = True
    for bar in bars:
        met, line = _judged(bar, cells)
        good &= met
        lines.append(line)
    lines.append("Figures in brackets have no bar. An aim that is met is marked 'aim'.")
    floors = [found for figure in (_calls(NATIVE), ("echo", "asyncio", "CPU, c=50")) if (found := cells.get(figure)) and found.samples]
    for floor in floors:
        noise = floor.median / floor.best
        lines.append(f"Noise: {floor.implementation}, {floor.column}: the middle run took {noise:.2f} x the best.")
    print("\n".join(lines))
    if report:
        report.write_text(_written(lines, workloads), encoding="utf-8")
    return good


def _written(lines: list[str], workloads: Sequence[str]) -> str:
    about = _machine.describe()
    machine, python = about["machine"], about["python"]
    return REPORT.format(
        command=" ".join(["python -m bench --check --report", "FILE", *workloads]),
        date=about["date"][:10],
        python=f"{python['implementation']} {python['version']}",
        build=python["config_args"] or "no options",
        lines="\n".join(line.rstrip() for line in lines),
        **machine,
    )


def _judged(bar: Bar, cells: dict[Figure, Cell]) -> tuple[bool, str]:
    """Return whether it is met or need not be, and the line that says so."""
    sign = ">=" if bar.at_least else "<="
    must = f"{sign} {bar.must:g}" if bar.must else ""
    aim = f"{bar.aim:g}" if bar.aim else ""
    for figure in (bar.over, bar.under, bar.less):
        if figure and cells[figure].reason:
            counts = bool(bar.must) and sys.implementation.name == "cpython"  # elsewhere there is no C core
            why = f"{'MISS ' if counts else ''}{figure[1]}: {cells[figure].reason}"
            return not counts, f"{bar.text:42} {must:>10} {aim:>8} {'-':>12}  {why}"
    taken = cells[bar.over].best - (cells[bar.less].best if bar.less else 0.0)
    measured = taken / (cells[bar.under].best if bar.under else bar.scale)
    shown = bar.show(measured) + " " + bar.unit
    raw = "" if bar.unit != "x" else f"  {_seconds(cells[bar.over].best)} / {_seconds(cells[bar.under].best if bar.under else 1)}"
    verdict = ""
    if bar.must:
        verdict = "ok" if bar.meets(measured, bar.must) else "MISS"
        if bar.aim and bar.meets(measured, bar.aim):
            verdict = "ok aim"
    else:
        shown = f"({shown})"
    return verdict != "MISS", f"{bar.text:42} {must:>10} {aim:>8} {shown:>12}  {verdict:7}{raw}"


def _seconds(value: float) -> str:
    for unit, scale in (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3)):
        if value < 1000 * scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.3g} s"
