"""A recursion without end in little memory: the MemoryError goes to who wanted to make the call, and its callers catch it."""

import resource
import sys
from importlib import import_module
from pathlib import Path

from trampoline._trampoline import Layer

core = import_module({"c": "trampoline._ctrampoline", "python": "trampoline._pytrampoline"}[sys.argv[1]])
Trampoline = type("Trampoline", (Layer, core.BaseTrampoline), {"_core": core})


def endless():
    yield endless()


def root():
    try:
        yield endless()
    except MemoryError:
        return "caught"


t = Trampoline()
t.add(root())
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (100 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
assert t.run() == "caught"
