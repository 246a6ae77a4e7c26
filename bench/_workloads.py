"""What is measured: each workload's columns, what a figure is divided by, and how much of it the quick run does.

An implementation offers a workload by a method of the same name that takes the column's argument and returns a unit
(see `_measure.py`). What a figure means is in the workload's `what`, which is printed above its table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench._simulation import CUSTOMERS, SLEEPERS, SLEEPS
from bench._synchronising import HOLDERS, ITEMS, SIZES, TIMES
from bench._together import FEW, MANY

FIB = 18
FIB_CALLS = 8361
TURNS = 100_000
SHARED = 100
CONSUMED = 10_000
REQUEST_SIZE = 100
LOOPS = ("asyncio", "uvloop")


@dataclass(frozen=True)
class Column:
    """One column: its argument for the implementation's method, the operations in one loop of the unit, and a unit of its own.

    "1/s" as the unit: measured in seconds, told as so many a second.
    """

    name: str
    argument: Any
    operations: int = 1
    unit: str = ""


@dataclass(frozen=True)
class Divisor:
    """What a figure is divided by: another implementation's (None: its own) at a column (None: the same)."""

    mark: str
    implementation: str | None
    column: str | None
    text: str


@dataclass(frozen=True)
class Workload:
    """One workload; `unit` is "s" (seconds) or "B" (bytes), `fixed` says that a unit is run once a round, whatever it takes.

    `seconds` is what each cell gets, `least` the least number of runs, `limit` the seconds after which one run is given up, `patience`
    those after which a cell has had enough runs. `seconds` of 0: just the least number of runs, as columns that share them must have.
    """

    name: str
    what: str
    columns: tuple[Column, ...]
    quick: tuple[Column, ...]
    divisors: tuple[Divisor, ...]
    unit: str = "s"
    fixed: bool = False
    seconds: float = 0.5
    least: int = 3
    limit: float = 10.0
    patience: float = 4.0


def _numbered(*numbers: int) -> tuple[Column, ...]:
    return tuple(Column(f"{n:,}", n) for n in numbers)


def _shared_out(calls: int, *pseudothreads: int) -> tuple[Column, ...]:
    return tuple(Column(f"{n:,}", (n, calls // n), calls) for n in pseudothreads)


def _memory(how: str, parked: int, levels: int) -> tuple[Column, ...]:
    return Column(f"parked, {how}", ("parked", how, parked)), Column(f"level, {how}", ("level", how, levels))


def _echo(*loads: tuple[int, int]) -> tuple[Column, ...]:
    columns = []
    for connections, requests in loads:
        columns.append(Column(f"CPU, c={connections}", ("cpu", connections, requests)))
        columns.append(Column(f"c={connections}", ("wall", connections, requests), unit="1/s"))
    return tuple(columns)


def _idle(connections: int, seconds: float) -> tuple[Column, ...]:
    return Column("memory", ("memory", connections, seconds), unit="B"), Column("CPU", ("cpu", connections, seconds))


def _inside(what: str, *loops: str) -> tuple[Column, ...]:
    return tuple(Column(f"{what}, {loop}", (what, loop), FIB_CALLS if what == "calls" else 1) for loop in loops)


def _overriding(*idioms: str) -> tuple[Column, ...]:
    return (
        *(Column(idiom, (idiom, "alone"), FIB_CALLS) for idiom in idioms),
        *(Column(f"{idiom}, in turn", (idiom, "in turn"), SHARED * SHARED) for idiom in idioms),
    )


def _figures(names: tuple[str, ...], *arguments: Any) -> tuple[Column, ...]:
    return tuple(Column(name, (name, *arguments)) for name in names)


def _by_way(name: str, *arguments: Any, operations: int) -> tuple[Column, ...]:
    return tuple(Column(f"{way}, {name}", (way, *arguments), operations) for way in ("yield", "await"))


WAKE = ("median", "p99")
FAIRNESS = ("sleeper, median", "sleeper, max", "socket, median", "socket, max")
FLOOR = Divisor("f", "yield from", None, "native `yield from`, same column")
RECIPE = Divisor("r", "recipe", None, "the recipe, same column")
ENDED = Divisor("e", "generators ended", None, "creating, starting, holding and ending as many generators of that size")

ASYNCIO = Divisor("a", "asyncio", None, "asyncio (`echo` and `idle`: its streams), same column")
UVLOOP = Divisor("u", "uvloop Protocol", None, "a Protocol on uvloop, same column")

WORKLOADS: tuple[Workload, ...] = (
    Workload(
        "calls",
        f"Call and return: fib({FIB}) by recursion, {FIB_CALLS:,} calls, one pseudothread. Figure: one call. `return`: the callee returns "
        "its result, by the library's own way to call; `yield`: the callee yields its result, as PEP 342 has it, and is let go; `spawn`: "
        "each call is a task of its own, where that is not already the library's way to call (no recursion limit then).",
        tuple(Column(way, way, FIB_CALLS) for way in ("return", "yield", "spawn")),
        tuple(Column(way, way, FIB_CALLS) for way in ("return", "yield")),
        (Divisor("f", "yield from", "return", "native `yield from`, which returns its results"), RECIPE),
        seconds=1.5,
    ),
    Workload(
        "turns",
        f"{TURNS:,} calls (quick: 20,000) shared out to 1 ... {TURNS:,} pseudothreads (tasks, greenlets, processes) in turn; starting "
        "them is included. Figure: one call. Trampolines switch at every call and every result; the others make one switch in each callee "
        "(sleep(0) or the like), and the two native rows are a deque of coroutines sent to in turn.",
        _shared_out(TURNS, 1, 10, 100, 1_000, 10_000, 100_000),
        _shared_out(TURNS // 5, 1, 100, 2_000),
        (Divisor("1", None, "1", "its own figure with one pseudothread"), RECIPE),
        seconds=1.0,
    ),
    Workload(
        "depth",
        "The innermost coroutine at a depth of 1 ... 10,000 calls goes on: trampolines and those with a task for each call make a call to "
        "a child that returns; native and await-based ones, where a call resumes nothing, and those with stacks switch once (yield, "
        "sleep(0)). Figure: one such call or switch.",
        _numbered(1, 10, 100, 900, 1_000, 10_000),
        _numbered(1, 100, 900, 10_000),
        (Divisor("1", None, "1", "its own figure at depth 1"),),
    ),
    Workload(
        "recursion",
        "Recursion to a depth of 100 ... 1,000,000 calls and back. Figure: the whole way.",
        _numbered(100, 1_000, 100_000, 1_000_000),
        _numbered(100, 100_000),
        (Divisor("g", "generators", None, "creating, starting and holding as many generators of that size"), ENDED),
        limit=40.0,
    ),
    Workload(
        "errors",
        "An error raised 1 ... 10,000 levels below the root, which catches it. Figure: calling all the levels and unwinding them.",
        _numbered(1, 10, 100, 1_000, 10_000),
        _numbered(1, 100, 10_000),
        (FLOOR, RECIPE),
        seconds=0.8,
    ),
    Workload(
        "add",
        f"Adding {TURNS:,} (quick: {TURNS // 10:,}) trivial coroutines, each then run to its end. Figure: one coroutine.",
        (Column(f"{TURNS:,}", TURNS, TURNS),),
        (Column(f"{TURNS // 10:,}", TURNS // 10, TURNS // 10),),
        (RECIPE,),
    ),
    Workload(
        "call",
        "Typed calls, `yield from call(child())` and `await call(child())`, beside `yield child()`, at a depth of 1 and 1,000. Figure: "
        "one call.",
        tuple(Column(f"{way} @{depth:,}", (way, depth)) for depth in (1, 1_000) for way in ("yield", "from", "await")),
        tuple(Column(f"{way} @1", (way, 1)) for way in ("yield", "from", "await")),
        (Divisor("y", None, "yield @1", "its own `yield child()` at depth 1"),),
    ),
    Workload(
        "overridden",
        f"When the fast path may not be taken. `alone`: fib({FIB}); `in turn`: {SHARED} pseudothreads that make {SHARED} calls each. "
        "`schedule`: a subclass overrides it and passes everything on; `counting`: with *arguments, and counts; `closures`: it does the "
        "recipe's whole work itself; `queue`: that is replaced by a collections.deque; `own append`: by one that counts. Figure: one call.",
        _overriding("schedule", "counting", "closures", "queue", "own append"),
        _overriding("schedule", "queue"),
        (RECIPE,),
    ),
    Workload(
        "walk",
        "The demonstration's walk, one coroutine a node of a syntax tree: as many files of the standard library as the column says, a "
        "pseudothread for each. Figure: the whole walk.",
        _numbered(1, 60),
        _numbered(1, 20),
        (RECIPE,),
        seconds=2.0,
    ),
    Workload(
        "profile",
        "What a profile costs. `switch`: 100 pseudothreads that make 100 calls each, in turn; figure: one resume, of which a call is two. "
        "`walk`: the demonstration's walk over 20 files of the standard library; figure: the whole walk; beside it the same under "
        "cProfile and yappi, which see no caller. `share`: a leaf is called by two, who have it do 1 and 4 times as much; figure: by how "
        "many points a caller's share in the profile differs from its share of the CPU when each runs alone, the middle of 5 runs.",
        (
            *(Column(f"switch, {how}", f"switch, {how}", 20_200) for how in ("off", "on")),
            *(Column(f"walk, {how}", f"walk, {how}") for how in ("off", "on", "cProfile", "yappi")),
            Column("share", "share", unit="points"),
        ),
        (
            *(Column(f"switch, {how}", f"switch, {how}", 20_200) for how in ("off", "on")),
            *(Column(f"walk, {how}", f"walk, {how}") for how in ("off", "on", "cProfile", "yappi")),
        ),
        (),
        seconds=1.0,
    ),
    Workload(
        "consumer",
        f"A pipeline of 5 consumers through which {CONSUMED:,} items are sent (figure: one item), and making a consumer (figure: one).",
        (Column("pipeline", "pipeline", CONSUMED), Column("make", "make")),
        (Column("pipeline", "pipeline", CONSUMED), Column("make", "make")),
        (Divisor("g", "generators", None, "plain generators, advanced by hand to their first yield"),),
    ),
    Workload(
        "together",
        f"{MANY:,} that return at once. `one`: each is started (spawn, create_task, nursery) and joined (awaited) before the next; `all`: "
        f"all are started, then each is joined; `gather`: all together, and {FEW} together {MANY // FEW} times. Figure: one of them. "
        "trio's nurseries and gevent's joinall wait without results.",
        (Column("one", "one", MANY), Column("all", "all", MANY), Column("gather 1,000", "gather", MANY), Column("gather 10", "tens", MANY)),
        (Column("one", "one", MANY), Column("gather 1,000", "gather", MANY)),
        (ASYNCIO,),
    ),
    Workload(
        "channel",
        f"{ITEMS:,} items from one pseudothread (task, greenlet) to another through a channel (queue) of size 1, of size 100, and without "
        "a limit. Figure: one item, put and got. By `yield` and by `await` where the library has both, else by its own way.",
        tuple(column for size in SIZES for column in _by_way(str(size), size, operations=ITEMS)),
        tuple(column for size in SIZES for column in _by_way(str(size), size, operations=ITEMS)),
        (ASYNCIO,),
    ),
    Workload(
        "lock",
        f"A lock that is free is had and given back {TIMES:,} times by one pseudothread (task, greenlet); and {HOLDERS} have it in turn, "
        "as often in all, each while the others run (sleep(0)). Figure: having it once.",
        (*_by_way("free", True, operations=TIMES), *_by_way("in turn", False, operations=TIMES)),
        (*_by_way("free", True, operations=TIMES), *_by_way("in turn", False, operations=TIMES)),
        (ASYNCIO,),
    ),
    Workload(
        "aio",
        f"A trampoline inside asyncio and uvloop (`aio.run`). `calls`: fib({FIB}), alone and inside; figure: one call. `nap`: to yield "
        f"(await) asyncio.sleep(0); `request`: to yield (await) a request of {REQUEST_SIZE} bytes to an echo server in the same process, "
        "both by asyncio's streams. Figure: one of them, CPU of both ends. `asyncio`: plain awaits; `task each`: a task for each, "
        "as those that a trampoline yields are.",
        _inside("calls", "alone", *LOOPS) + _inside("nap", *LOOPS) + _inside("request", *LOOPS),
        _inside("calls", "alone", "asyncio") + _inside("nap", "asyncio") + _inside("request", "asyncio"),
        (Divisor("1", None, "calls, alone", "its own calls alone"), ASYNCIO, Divisor("t", "task each", None, "tasks, same column")),
    ),
    Workload(
        "memory",
        "Bytes for each of 100,000 parked pseudothreads (tasks, greenlets, ...; quick: 10,000) and for each of 1,000,000 levels of "
        "recursion (traced, or a rival: 100,000; quick: 20,000), beside its coroutine: less what as many started coroutines of the same "
        "code take. RSS: growth of resident memory; traced: what tracemalloc sees. Each in a process of its own.",
        _memory("RSS", TURNS, 1_000_000) + _memory("traced", TURNS, 100_000),
        _memory("traced", TURNS // 10, 20_000),
        (),
        unit="B",
        fixed=True,
        seconds=0.1,
        least=1,
        limit=100.0,
    ),
    Workload(
        "import",
        "CPU time of the import in a fresh interpreter, byte code cached, after `import types`. Figure: one import.",
        (Column("import", None),),
        (Column("import", None),),
        (),
        fixed=True,
        seconds=1.0,
        least=5,
    ),
    Workload(
        "echo",
        "An echo server on 127.0.0.1 in a process and on a core of its own, one server at a time, with 1, 50 and 500 connections that each "
        "have one request under way. CPU: the server's, user and system, for one request, accepting and closing included; then requests a "
        "second, where the client, its core and the way there can be the limit. The garbage collector is on, as servers have it. asyncio "
        "and uvloop: streams; their Protocols have rows of their own (and no flow control).",
        _echo((1, 20_000), (50, 100_000), (500, 100_000)),
        _echo((50, 20_000)),
        (ASYNCIO, UVLOOP),
        fixed=True,
        seconds=0.0,
        least=5,
        limit=60.0,
        patience=60.0,
    ),
    Workload(
        "idle",
        "10,000 (quick: 1,000) connections to that server that have made one request and then do nothing. Memory: growth of its resident "
        "memory for each, less what a process takes that does the same with plain blocking sockets and holds them. CPU: the server's, in "
        "one second of doing nothing but telling its CPU time.",
        _idle(10_000, 3.0),
        _idle(1_000, 0.5),
        (ASYNCIO,),
        fixed=True,
        seconds=0.0,
        least=3,
        limit=60.0,
        patience=60.0,
    ),
    Workload(
        "sleep",
        "100,000 (quick: 10,000) sleepers, each a pseudothread (task, greenlet) that sleeps once, from 0.5 to 1.5 s at random (seeded), "
        "started and run to the end in a process of its own. Figure: CPU for one sleeper, start and end included.",
        (Column("100,000", 100_000, 100_000),),
        (Column("10,000", 10_000, 10_000),),
        (ASYNCIO,),
        fixed=True,
        seconds=0.0,
        least=5,
        limit=60.0,
        patience=60.0,
    ),
    Workload(
        "simulation",
        f"Simulated time. `sleepers`: {SLEEPERS:,} pseudothreads (processes) that sleep {SLEEPS} times each, for random times; figure: one "
        f'sleep. `bank`: SimPy\'s example "Bank renege" with {CUSTOMERS:,} customers; figure: one customer. Random numbers included.',
        (Column("sleepers", "sleepers", SLEEPERS * SLEEPS), Column("bank", "bank", CUSTOMERS)),
        (Column("sleepers", "sleepers", SLEEPERS * SLEEPS), Column("bank", "bank", CUSTOMERS)),
        (Divisor("s", "simpy", None, "SimPy, same column"),),
        seconds=1.0,
    ),
    Workload(
        "wake",
        "A thread wakes what waits in a loop that has nothing else to do, and has its answer by a lock; 2,000 times (quick: 300), with a "
        "pause before each. Figure: wall time there and back, of the best round.",
        _figures(WAKE, 2_000),
        _figures(WAKE, 300),
        (ASYNCIO,),
        fixed=True,
        seconds=0.0,
        least=5,
        limit=60.0,
        patience=60.0,
    ),
    Workload(
        "fairness",
        "100 pseudothreads (tasks, greenlets) that never wait: trampolines call a child that returns, the others sleep(0). Beside them one "
        "sleeps 5 ms 200 times (quick: 50), and one reads a socket into which another process, on the other core, writes the time every 5 "
        "ms. Figure: how late they run, wall time, of the best round.",
        _figures(FAIRNESS, 100, 200),
        _figures(FAIRNESS, 100, 50),
        (ASYNCIO,),
        fixed=True,
        seconds=0.0,
        least=5,
        limit=60.0,
        patience=60.0,
    ),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}
