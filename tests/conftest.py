"""Every test of behaviour takes the fixture `core` and so runs on both cores, or on the Python core alone where there is no other.

TRAMPOLINE_TEST_CORES=c,python, as `.ci/run` sets it, makes a missing C core a failure of its leg. The report's header says what is tested.
"""

import importlib
import importlib.util
import os
import sys
from types import SimpleNamespace

import pytest

import trampoline
from trampoline._trampoline import Layer

MODULES = {"c": "trampoline._ctrampoline", "python": "trampoline._pytrampoline"}


def cores():
    """Return which cores to test: as told, else all there are. An extension that is there and cannot be imported is an error."""
    told = os.environ.get("TRAMPOLINE_TEST_CORES")
    if told:
        return told.split(",")
    return ["c", "python"] if importlib.util.find_spec(MODULES["c"]) is not None else ["python"]


CORES = cores()


def pytest_report_header():
    """Say which cores are tested."""
    missing = "" if "c" in CORES else " ONLY: the C core is not built here (python -m trampoline says why), so it is not tested"
    return f"trampoline {trampoline.__version__} from {os.path.dirname(trampoline.__file__)}, cores tested: {' and '.join(CORES)}{missing}"


def load(name):
    """Return a namespace with the public names of the package on the core `name`, and the core itself as `module`."""
    module = importlib.import_module(MODULES[name])
    waiting = type("Trampoline", (Layer, module.BaseTrampoline), {"__doc__": trampoline.Trampoline.__doc__})
    made = type("Trampoline", (waiting,), {"__doc__": trampoline.Trampoline.__doc__, "_wait": lambda self: False})
    return SimpleNamespace(
        name=name,
        module=module,
        Trampoline=made,  # whose run() returns when the queue is empty: what is parked the test itself resumes
        Waiting=waiting,  # the whole, whose run() waits
        Pseudothread=module.Pseudothread,
        Suspension=trampoline.Suspension,
        TailCall=trampoline.TailCall,
        call=module.call,
        consumer=trampoline.consumer,
    )


@pytest.fixture(params=CORES)
def core(request):
    """The package's names, on one core after the other."""
    return load(request.param)


class Park(trampoline.Suspension):
    """Parks until the test itself resumes it: `last` is the pseudothread."""

    def __init__(self):
        self.parked = []

    def suspend(self, pseudothread):
        """Remember who waits."""
        self.parked.append(pseudothread)

    @property
    def last(self):
        """The pseudothread that was parked last."""
        return self.parked[-1]


@pytest.fixture
def park():
    """A suspension that waits for the test."""
    return Park()


@pytest.fixture
def quick_switches():
    """Let threads interrupt one another as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def ends():
    """Two connected Unix sockets, ours first."""
    from wires import pair

    ours, theirs = pair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def tcp():
    """Two connected TCP sockets, ours first."""
    from wires import pair

    ours, theirs = pair("TCP")
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def t(core):
    """A trampoline on a clock that jumps. Whatever a test does, it leaves no deadline behind."""
    from simulated import Jumping

    reactor = Jumping()
    trampoline = core.Waiting(reactor=reactor)
    yield trampoline
    trampoline.close()
    assert not reactor.waiting
    assert not vars(trampoline).get("_pending")
    assert trampoline._limits == 0
    reactor.close()
