"""Deadlock: pseudothreads that nothing can wake."""

from __future__ import annotations

from trampoline._stacks import described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from trampoline._core import core

_MOST_PSEUDOTHREADS = 100  # that are listed


class Deadlock(RuntimeError):
    """Pseudothreads are parked and nothing can wake them: `run()` raises it, and leaves them parked.

    The message lists each with its coroutines and what it waits for; `pseudothreads` has them all. Where something outside of the
    trampoline will still resume them, say so by `external = True` in the class of the suspension, and `run()` waits.
    """

    def __init__(self, pseudothreads: Sequence[core.Pseudothread[Any]]) -> None:
        self.pseudothreads = tuple(pseudothreads)
        many = "pseudothread waits" if len(self.pseudothreads) == 1 else "pseudothreads wait"
        lines = [f"{len(self.pseudothreads)} {many} for what nothing can wake any more"]
        for pseudothread in self.pseudothreads[:_MOST_PSEUDOTHREADS]:
            lines += described(pseudothread)
        if len(self.pseudothreads) > _MOST_PSEUDOTHREADS:
            lines.append(f"and {len(self.pseudothreads) - _MOST_PSEUDOTHREADS:,} more")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        return RuntimeError, self.args
