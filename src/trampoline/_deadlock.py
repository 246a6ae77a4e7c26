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
        circle = _circle(self.pseudothreads)
        if circle:
            lines.append("they join one another in a circle: " + " joins ".join(repr(pseudothread.name) for pseudothread in circle))
        for pseudothread in self.pseudothreads[:_MOST_PSEUDOTHREADS]:
            lines += described(pseudothread)
        if len(self.pseudothreads) > _MOST_PSEUDOTHREADS:
            lines.append(f"and {len(self.pseudothreads) - _MOST_PSEUDOTHREADS:,} more")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        return RuntimeError, self.args


def _joined_by(pseudothread: core.Pseudothread[Any]) -> Sequence[core.Pseudothread[Any]]:
    waits_for: Any = pseudothread.waits_for
    return (waits_for,) if type(waits_for) is type(pseudothread) else getattr(waits_for, "pseudothreads", ())


def _circle(pseudothreads: Sequence[core.Pseudothread[Any]]) -> list[core.Pseudothread[Any]]:
    """Return pseudothreads each of which waits for the end of the next, the first again at the end; an empty list if there are none."""
    seen: set[core.Pseudothread[Any]] = set()
    for start in pseudothreads:
        path: list[core.Pseudothread[Any]] = [start]
        left = [iter(_joined_by(start))]
        while left and start not in seen:
            following = next(left[-1], None)
            if following is None:
                left.pop()
                path.pop()
            elif following in path:
                return [*path[path.index(following) :], following]
            elif following not in seen:
                seen.add(following)
                path.append(following)
                left.append(iter(_joined_by(following)))
        seen.add(start)
    return []
