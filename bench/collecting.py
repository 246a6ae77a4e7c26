"""What it costs to collect, and what it costs where nobody does.

python -m bench.collecting             nanoseconds a resume without and with a collector, CPU time, the best of many
python -m bench.collecting SRC         instructions by callgrind (valgrind is needed) of this tree and of another, SRC its `src` folder,
                                       both without a collector: what the mere possibility costs
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from time import process_time
from typing import Any

from trampoline._core import core

ROUNDS = 40


def fib(n: int) -> Any:
    if n < 2:
        return n
    return (yield fib(n - 1)) + (yield fib(n - 2))


def returns(i: int) -> Any:
    return i
    yield


def yields(i: int) -> Any:
    yield i


def worker(child: Any, calls: int) -> Any:
    for i in range(calls):
        yield child(i)


# What is added, and how many resumes that makes.
WORKLOADS = {
    "fib(18), one pseudothread": (lambda: [fib(18)], 2 * 8361),
    "100 pseudothreads x 200 calls that return": (lambda: [worker(returns, 200) for _ in range(100)], 100 * 401),
    "100 pseudothreads x 200 calls that yield": (lambda: [worker(yields, 200) for _ in range(100)], 100 * 401),
}


def work(coroutines: list[Any]) -> float:
    """Run them to their end, and return the seconds."""
    t = core.BaseTrampoline()
    for coroutine in coroutines:
        t.add(coroutine)
    start = process_time()
    t.run()
    return process_time() - start


def compare() -> None:
    """Print the table."""
    for name, (make, resumes) in WORKLOADS.items():
        off, on = [], []
        for _ in range(ROUNDS):
            off.append(work(make()))
            core.collect(core.Collector())
            on.append(work(make()))
            core.collect(None)
        without, with_one = (min(seconds) / resumes * 1e9 for seconds in (off, on))
        print(f"{name:42} {without:6.1f} ns a resume, collected {with_one:6.1f}: +{with_one - without:.1f} ns, {with_one / without:.2f} x")


def instructions(source: str, rounds: int) -> int:
    """Return how many instructions so many rounds of all workloads take on the package in the folder `source`."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, __file__, "--rounds", str(rounds)]
    ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": source}, stderr=subprocess.PIPE, text=True, check=True)
    found = re.search(r"Collected : (\d+)", ran.stderr)
    assert found is not None, ran.stderr
    return int(found[1])


def main(arguments: list[str]) -> None:
    gc.disable()
    if arguments[:1] == ["--rounds"]:
        for _ in range(int(arguments[1])):
            for make, _ in WORKLOADS.values():
                work(make())
    elif arguments:
        here = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src")
        ours, others = (instructions(source, 6) - instructions(source, 0) for source in (here, arguments[0]))
        print(f"{ours:,} instructions here, {others:,} there: {(ours / others - 1) * 100:+.2f} %")
    else:
        compare()


if __name__ == "__main__":
    main(sys.argv[1:])
