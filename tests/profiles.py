"""Profiles built by hand, for the tests of what is made of them; and programs to be profiled, for those of when they measure."""

import itertools
import random

from trampoline._profile import Profile
from trampoline._profile_tree import Function, new_root, sum_up


def called(name, *children, file="program.py", line=None, **numbers):
    """Say what one function did on one path, for `tree()`. Its line is told from its name, if not given."""
    return Function(file, sum(map(ord, name)) if line is None else line, name), numbers, children


def tree(*roots, loop=0):
    """Return the root of a summed-up tree."""
    root = new_root()
    root.self_time = loop
    left = [(root, roots)]
    while left:
        above, below = left.pop()
        for function, numbers, children in below:
            node = above.child(function)
            for name, value in numbers.items():
                setattr(node, name, getattr(node, name) + value)
            left.append((node, children))
    return sum_up(root)


def profile(*roots, loop=0):
    """Return a profile with that tree."""
    return Profile._still_of(tree(*roots, loop=loop))


def sample():
    """A leaf that two callers call; recursion; waiting; an error; one without a code."""
    return profile(
        called(
            "main",
            called("cheap", called("leaf", calls=1, resumes=2, self_time=10, span=12), calls=1, resumes=2, self_time=5, span=40),
            called("dear", called("leaf", calls=9, resumes=18, self_time=90, span=100), calls=1, resumes=10, self_time=15, span=200),
            called("fib", called("fib", called("fib", calls=4, self_time=4), calls=2, self_time=2), calls=1, self_time=1),
            calls=1,
            resumes=3,
            self_time=20,
            span=400,
        ),
        called("reader", calls=2, resumes=4, self_time=6, ready=30, parked=1000, exceptions=1, closed=1, live=1, partial=1),
        called("cython.Coroutine", file="~", line=0, calls=3, self_time=7),
        loop=50,
    )


def large(count, seed=1):
    """Return the root of a tree of `count` nodes, of 1,000 functions, some of them deep down."""
    numbers = random.Random(seed)
    root = new_root()
    nodes = [root]
    for made in range(count):
        above = nodes[-1] if made % 5 else nodes[int(numbers.random() * len(nodes))]
        name = f"f{made}" if made < 1000 else f"f{int(numbers.random() * 1000)}"
        function = Function("large.py", int(name[1:]) + 1, name)
        if function in above.by_function:
            function = Function("large.py", made + 10_000, f"g{made}")
        node = above.child(function)
        node.calls, node.resumes, node.self_time, node.ready = made % 7 + 1, made % 9 + 1, made % 1000, made % 11
        nodes.append(node)
    return sum_up(root)


def measuring(core, **options):
    """Return a profile for this core."""
    made = Profile(**options)
    made._core = core.module
    return made


def leaf(value):
    """Give the value back."""
    yield value


def cheap():
    """Call the leaf once."""
    yield leaf(1)
    return "cheap"


def dear():
    """Call the leaf nine times."""
    for value in range(9):
        yield leaf(value)
    return "dear"


def main():
    """Call both."""
    yield cheap()
    yield dear()


def run(core, *coroutines):
    """Run them, a pseudothread each."""
    t = core.Trampoline()
    for coroutine in coroutines:
        t.add(coroutine)
    return t.run()


def paths(measured):
    """Return the calls on each path."""
    found = {}
    for node in measured.tree.walk():
        path, above = [], node
        while above.parent is not None:
            path.insert(0, above.name.rpartition(".")[2])
            above = above.parent
        found[".".join(path)] = node.calls
    del found[""]
    return found


ALL = {"main": 1, "main.cheap": 1, "main.cheap.leaf": 1, "main.dear": 1, "main.dear.leaf": 9}


def ticking():
    """Return a clock that goes on by one at each reading."""
    ticks = itertools.count(1000)
    return lambda: next(ticks)


def is_conserved(measured):
    """Whether no time is lost, and none is below nothing."""
    root = measured.tree
    assert sum(node.self_time for node in root.walk()) == root.cumulative
    for node in root.walk():
        assert node.self_time >= 0
        assert node.ready >= 0
        assert node.parked >= 0
        assert node.cumulative >= sum(child.cumulative for child in node.children)
    return True
