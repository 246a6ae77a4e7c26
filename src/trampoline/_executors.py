"""Futures of concurrent.futures, and so any executor: threads, processes, a Dask cluster (`Client.get_executor()`).

To yield a future waits for it. `run_in()` submits one call and waits; `map_in()` keeps a bounded number of calls under way.
"""

from __future__ import annotations

from trampoline._base import Suspension, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

    from trampoline._core import core


class Outcome(Suspension):
    """Wait for a future."""

    __slots__ = ("_future",)
    external = True

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        raise NotImplementedError(describe(self._future))
