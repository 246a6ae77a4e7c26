"""Every test of behaviour takes the fixture `core` and so runs on both cores, or on the Python core alone where there is no other.

TRAMPOLINE_TEST_CORES=c,python, as `.ci/run` sets it, makes a missing C core a failure of its leg. The report's header says what is tested.
"""

import gc
import importlib
import importlib.util
import os
import signal
import socket
import sys
from types import SimpleNamespace

import pytest
from counting import Clock

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
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as behind the `&` of a script: the tests, and their children, are sent it
    signal.signal(signal.SIGINT, signal.default_int_handler)
REFERENCE_COUNTS = sys.implementation.name == "cpython"


def let_go():
    """Have the collector end what nobody holds any more. On CPython that has ended already, and nothing is done."""
    for _ in range(0 if REFERENCE_COUNTS else 5):  # what a finalizer lets go is found by the next
        gc.collect()


def collect():
    """Run the collector until it finds nothing more: on CPython 3.15 and PyPy what a finalizer resumed is found by the next run."""
    for _ in range(3 if REFERENCE_COUNTS else 10):
        gc.collect()


def pytest_report_header():
    """Say which cores are tested."""
    missing = "" if "c" in CORES else " ONLY: the C core is not built here (python -m trampoline says why), so it is not tested"
    return f"trampoline {trampoline.__version__} from {os.path.dirname(trampoline.__file__)}, cores tested: {' and '.join(CORES)}{missing}"


LACKING = {  # what Pyodide says where a program asks for what no browser has
    "network": (OSError, "[Errno 28] Invalid argument"),
    "files to wait for": (OSError, "there are no sockets on emscripten"),
    "Unix sockets": (OSError, "there are no Unix sockets"),
    "socket options": (AttributeError, "module 'socket' has no attribute"),
    "processes": (OSError, "emscripten does not support processes"),
    "multiprocessing": (NotImplementedError, "This Python build lacks multiprocessing.synchronize"),
    "files of the standard library": (NotADirectoryError, "/lib/python3"),
    "threads": (RuntimeError, "can't start new thread"),
    "descriptors to count": (FileNotFoundError, "/dev/fd"),
}


if sys.platform == "emscripten":

    def without_network(*_):
        """Raise what the other functions of its sockets raise: from these Pyodide itself does not come back."""
        raise OSError(28, "Invalid argument")

    for name in ("bind", "listen", "connect", "connect_ex"):
        setattr(socket.socket, name, without_network)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item, call):
        """Report as skipped, not as failed, a test that has met just that: everything else that a test can do has to work there too."""
        report = yield
        error = call.excinfo.value if call.excinfo is not None and report.failed else None
        for lacking, (kind, text) in LACKING.items():
            if text in str(error) and (isinstance(error, kind) or isinstance(error, AssertionError) and kind.__name__ in str(error)):
                report.outcome = "skipped"
                report.longrepr = str(item.path), item.location[1] or 0, f"Skipped: Pyodide has no {lacking}"
        return report


def load(name):
    """Return a namespace with the public names of the package on the core `name`, and the core itself as `module`."""
    module = importlib.import_module(MODULES[name])
    waiting = type("Trampoline", (Layer, module.BaseTrampoline), {"__doc__": trampoline.Trampoline.__doc__, "_core": module})
    made = type("Trampoline", (waiting,), {"__doc__": trampoline.Trampoline.__doc__, "_wait": lambda self: False})
    return SimpleNamespace(
        name=name,
        module=module,
        Trampoline=made,  # whose run() returns when the queue is empty: what is parked the test itself resumes
        Waiting=waiting,  # the whole, whose run() waits
        Pseudothread=module.Pseudothread,
        Suspension=trampoline.Suspension,
        TailCall=trampoline.TailCall,
        Channel=module.Channel,
        call=module.call,
        spawn=module.spawn,
        consumer=trampoline.consumer,
    )


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left():
    """Have what a file's tests left in cycles end within that file, not within a test of the next one that looks for what is kept.

    What stays, reports and caches, is left out of every later gc.collect(), of which the tests do many thousands.
    """
    leave_out()
    yield
    collect()


def leave_out():
    """Leave what there is now out of every later gc.collect()."""
    if hasattr(gc, "freeze"):
        gc.freeze()


@pytest.fixture(params=CORES)
def core(request):
    """The package's names, on one core after the other."""
    return load(request.param)


@pytest.fixture(params=CORES)
def environment(request):
    """What an example is run with, one core after the other."""
    from processes import on

    return on(request.param)


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


@pytest.fixture(params=["asyncio", "uvloop"])
def inside(request, core, monkeypatch):
    """A loop to run in, of each kind, with `aio.run()` on each core."""
    from loops import Inside, on_core

    on_core(core, monkeypatch)
    return Inside(pytest.importorskip(request.param, reason="uvloop is an extra: not on Windows and PyPy").new_event_loop)


def pytest_collection_finish():
    """Leave what pytest has made out of later collections."""
    collect()
    leave_out()


@pytest.fixture
def clock():
    """A clock that goes on only when it is told to."""
    return Clock()


@pytest.fixture
def collector(core, clock):
    """The collector of this thread."""
    collector = core.module.Collector(clock)
    assert core.module.collect(collector) is None
    yield collector
    core.module.collect(None)


@pytest.fixture
def nothing_left(core):
    """No test leaves a collector to the next one."""
    yield
    core.module.collect_threads(None)
    assert core.module.collect(None) is None
