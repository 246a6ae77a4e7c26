"""Profiles built by hand, for the tests of what is made of them."""

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
