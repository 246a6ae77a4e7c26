"""Drive Python coroutines at C speed: PEP 342's trampoline, made real.

A coroutine that yields another coroutine calls it; the trampoline sends the callee's result, or throws its error, back into the caller.
`accelerated` says whether the core in C is in use; `python -m trampoline` says why.
"""

from trampoline._base import Suspension, TailCall, call
from trampoline._consumer import consumer
from trampoline._core import accelerated, core
from trampoline._trampoline import Trampoline, trampoline

Pseudothread = core.Pseudothread

__version__ = "0.1.0"
__all__ = ["Pseudothread", "Suspension", "TailCall", "Trampoline", "accelerated", "call", "consumer", "trampoline"]
