"""Drive Python coroutines at C speed: PEP 342's trampoline, made real.

A coroutine that yields another coroutine calls it; the trampoline sends the callee's result, or throws its error, back into the caller.
`accelerated` says whether the core in C is in use; `python -m trampoline` says why.
"""

from trampoline._base import Suspension, TailCall
from trampoline._consumer import consumer
from trampoline._core import accelerated, core
from trampoline._trampoline import Trampoline, trampoline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from trampoline._deadlock import Deadlock
    from trampoline._dump import dump_on_signal
    from trampoline._executors import run_in
    from trampoline._locks import Lock, Semaphore
    from trampoline._mapped import map_in
    from trampoline._profile import Profile, profile
    from trampoline._reactor import Reactor
    from trampoline._synchronising import Event
    from trampoline._threads import in_thread
    from trampoline._time import sleep, timeout
    from trampoline._together import first, gather
    from trampoline._virtual import VirtualClock
    from trampoline._waited import ChannelClosed
    from trampoline.nonblocking import (
        ConnectionLost,
        listening_socket,
        nonblocking_accept,
        nonblocking_connect,
        nonblocking_handshake,
        nonblocking_read,
        nonblocking_recvfrom,
        nonblocking_sendto,
        nonblocking_write,
        readable,
        writable,
    )

del TYPE_CHECKING
Channel = core.Channel
Pseudothread = core.Pseudothread
call = core.call
spawn = core.spawn

__version__ = "0.1.0"
__all__ = [
    "Channel",
    "ChannelClosed",
    "ConnectionLost",
    "Deadlock",
    "Event",
    "Lock",
    "Profile",
    "Pseudothread",
    "Reactor",
    "Semaphore",
    "Suspension",
    "TailCall",
    "Trampoline",
    "VirtualClock",
    "accelerated",
    "call",
    "consumer",
    "dump_on_signal",
    "first",
    "gather",
    "in_thread",
    "listening_socket",
    "map_in",
    "nonblocking_accept",
    "nonblocking_connect",
    "nonblocking_handshake",
    "nonblocking_read",
    "nonblocking_recvfrom",
    "nonblocking_sendto",
    "nonblocking_write",
    "profile",
    "readable",
    "run_in",
    "sleep",
    "spawn",
    "timeout",
    "trampoline",
    "writable",
]
_HOMES = {
    "ChannelClosed": "_waited",
    "Deadlock": "_deadlock",
    "Profile": "_profile",
    "profile": "_profile",
    "Reactor": "_reactor",
    "VirtualClock": "_virtual",
    "dump_on_signal": "_dump",
    "first": "_together",
    "gather": "_together",
    "in_thread": "_threads",
    "map_in": "_mapped",
    "run_in": "_executors",
    "Event": "_synchronising",
    "Lock": "_locks",
    "Semaphore": "_locks",
    "sleep": "_time",
    "timeout": "_time",
}


def __getattr__(name: str) -> object:
    """Import what waits when it is first asked for: a program that only computes does not pay for sockets."""
    from importlib import import_module

    if name == "aio":
        return import_module("trampoline.aio")
    if name not in __all__:
        raise AttributeError(f"module 'trampoline' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"trampoline.{_HOMES.get(name, 'nonblocking')}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "aio"})
