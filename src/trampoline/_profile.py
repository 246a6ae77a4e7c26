"""Profiles: which coroutine, called by which, spends or waits the time.

The core counts, in a `Collector`, one for each thread and profile (see there what is measured when). Here is what a user holds: it gives
the collector to the core, takes it away again, and makes reports and files of what was collected, at any time.
"""

from __future__ import annotations

import os
import threading
from _thread import get_ident
from weakref import ref

from trampoline import _profile_files, _profile_svg, _profile_text
from trampoline._base import describe
from trampoline._core import core as _core
from trampoline._profile_tree import Node, Row, check_sort, flatten, grow, grow_from_collector, much_is_made, name_code, new_root, sum_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self


def profile(clock: Callable[[], int] | None = None, timeline: int | None = None) -> Profile:
    """Return a profile that measures while it is entered: `with trampoline.profile() as p:`.

    What is measured is every turn that a trampoline makes on this thread, also one that runs already. `clock` is called for integer
    nanoseconds that never go back; by default it is the monotonic clock. With a `timeline` the first so many turns and waits of each thread
    are kept one by one, for `save("x.trace.json")`. A profile inside of another takes its part for itself while it lasts; the outer
    one has that part too, unless their clocks differ.
    """
    return Profile(clock=clock, timeline=timeline)


class Profile:
    """What coroutines did, by function and logical caller. `profile()` makes it; it may be entered again, and then goes on adding up.

    It may be read at any time, also while it measures: `tree` and `functions()` are the numbers, `print()` shows and `save()` writes them.
    """

    _core: Any = _core

    def __init__(self, *, clock: Callable[[], int] | None = None, timeline: int | None = None) -> None:
        if clock is not None and not callable(clock):
            raise TypeError(f"profile() takes a clock that is called for nanoseconds, not {describe(clock)}")
        if timeline is not None and (type(timeline) is not int or timeline < 1):
            raise ValueError(f"profile() takes as its timeline the most events to keep, an int from 1 on, not {describe(timeline)}")
        self._clock = clock
        self._cap = timeline
        self._lock = threading.RLock()  # a signal handler may start or read one, too
        self._collectors: list[Any] = []  # those that are counting, and the last one
        self._of: ref[Any] | None = None  # the trampoline that it measures alone
        self._timelines: list[Any] = []  # collectors that are kept for their timelines
        self._left_out = 0  # events of others that were not kept
        self._still: Node | None = None  # what was added up of others
        self._inner: list[Profile] = []  # those within it that are measuring
        self._around: list[Profile] = []  # those that it is within
        self._thread: int | None = None
        self._is_difference = False

    def start(self) -> None:
        """Measure on this thread from now on. RuntimeError if it is measuring already."""
        with self._lock:
            if self.running:
                raise RuntimeError(f"cannot start {self!r}: it is measuring already")
            for outer in [*self._around]:  # of a trampoline that is no more
                outer._take_in_what_ended()
            self._thread = get_ident()
        collector = self._new_collector()
        self._enter_those_around()
        entered = _entered()
        entered.append(self)
        previous = self._core.collect(collector)
        if len(entered) == 1:
            _local.before = previous

    def stop(self) -> None:
        """Measure no more: the profile around this one goes on. RuntimeError on another thread, or if it was not started."""
        with self._lock:
            if self._thread is None:
                raise RuntimeError(f"cannot stop {self!r}: it was not started")
            if self._thread != get_ident():
                raise RuntimeError(f"cannot stop {self!r} on another thread than that which started it")
            self._thread = None
        entered, collector = _entered(), self._collectors[-1]
        was_innermost = entered[-1] is self
        entered.remove(self)  # not the last, where coroutines that take turns enter and leave
        try:
            collector.settle()  # its clock may fail
        finally:
            if was_innermost:
                self._core.collect(entered[-1]._collectors[-1] if entered else _local.before)
            self._leave(collector)

    def _enter_those_around(self) -> None:
        around = [*_entered(), _everywhere] if _everywhere is not None else _entered()
        self._around = [outer for outer in around if outer._clock is self._clock]
        for outer in self._around:
            outer._take_in_what_ended()
            outer._inner.append(self)

    def _leave(self, collector: Any) -> None:
        """Give those around what it has, and forget them."""
        for outer in self._around:
            outer._inner.remove(self)
            outer._add_up(collector)
        for inner in self._inner:
            inner._settle(inner._collectors[-1])
            self._add_up(inner._collectors[-1])
            inner._around.remove(self)
        self._around, self._inner = [], []

    def _take_in_what_ended(self) -> None:
        """Add up what trampolines with profiles of their own had that are no more."""
        with self._lock:
            for inner in [inner for inner in self._inner if not inner.running]:
                self._inner.remove(inner)
                inner._around.remove(self)
                self._add_up(inner._collectors[-1])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it is measuring."""
        return self._thread is not None or self._of is not None and self._of() is not None

    @property
    def tree(self) -> Node:
        """The root of the tree of callers, as it is now: a `Node` for the run loop, whose `children` are the roots of pseudothreads.

        Each time a new copy, which goes on to say the same.
        """
        return sum_up(self._collected())

    def functions(self) -> list[Row]:
        """Return a row for each function, wherever it was called from, in the order of the first call."""
        return flatten(self.tree)

    def print(self, sort: str = "cumulative", limit: int | None = 40, file: Any = None) -> None:
        """Print the tree of callers and the table of functions to `file` (default: sys.stdout), `limit` lines of each (None: all).

        `sort` is "cumulative", "self", "wait", "calls", "resumes", "span" or "exceptions": the greatest come first. Siblings in the tree
        are sorted by what they have with all that they called. ValueError for another `sort` or `limit`.
        """
        _profile_text.show(self.tree, check_sort(sort), limit, file, self._title())

    def save(self, path: str | os.PathLike[str], format: str | None = None, *, sort: str = "cumulative", limit: int | None = None) -> None:
        """Write the profile to a file, in the format that its suffix means, or in that named.

        .json: to be read by `Profile.load()`; .prof and .pstats: for pstats, snakeviz, gprof2dot; .speedscope.json: for speedscope.app;
        .collapsed and .folded: for flamegraph.pl; .svg: a flame graph; .trace.json: the timeline, for Perfetto; .txt: the report.
        ValueError for another suffix, OSError that names `path` if it cannot be written: then no part of it is left there.
        """
        where = os.fspath(path)
        if not isinstance(where, str):
            raise TypeError(f"save() takes a path as text, not {describe(path)}")
        _profile_files.write(where, self._rendered(format or _profile_files.format_of(where), sort, limit))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """Read a profile that was saved as .json. ValueError that says what is wrong if the file is another."""
        where = os.fspath(path)
        with open(where, "rb") as file:
            return cls._still_of(_profile_files.from_json(file.read(), where))

    def merge(self, other: Profile) -> Profile:
        """Return a new profile with the sums of both, path by path. Their code may differ: functions are told by file, line and name."""
        return self._joined(other, 1, "merge()")

    def diff(self, other: Profile) -> Profile:
        """Return a new profile with what this one has more than `other`, path by path: negative where it has less."""
        found = self._joined(other, -1, "diff()")
        found._is_difference = True
        return found

    def __repr__(self) -> str:
        kind = "a difference" if self._is_difference else "measuring" if self.running else "at rest"
        return f"<Profile {kind}>"

    @classmethod
    def _still_of(cls, tree: Node) -> Profile:
        found = cls()
        found._still = tree
        return found

    def _joined(self, other: Profile, sign: int, where: str) -> Profile:
        if not isinstance(other, Profile):
            raise TypeError(f"{where} takes a Profile, not {describe(other)}")
        tree = self._collected()
        grow(tree, other._collected(), _function_of, sign)
        found = self._still_of(tree)
        found._is_difference = self._is_difference or other._is_difference
        return found

    def _make_collector(self) -> Any:
        return self._core.Collector(self._clock) if self._cap is None else self._core.Collector(self._clock, timeline=self._cap)

    def _new_collector(self) -> Any:
        """Return a new collector that counts for this profile; what the last one has is added up."""
        collector = self._make_collector()
        with self._lock:
            while self._collectors:
                self._add_up(self._collectors.pop())  # which counts no more
            self._collectors.append(collector)
        return collector

    def _add_up(self, collector: Any) -> None:
        """Add what a collector has to what is still, and forget it but for its timeline, of which so many events are kept in all."""
        with self._lock:
            if self._still is None:
                self._still = new_root()
            grow_from_collector(self._still, collector)
            if self._cap is not None and collector.timeline is not None:
                if sum(len(kept.timeline) for kept in self._timelines) < self._cap:
                    self._timelines.append(collector)
                else:
                    self._left_out += len(collector.timeline) + collector.timeline_dropped

    def _collected(self) -> Node:
        root = new_root()
        with self._lock, much_is_made():
            if self._still is not None:
                grow(root, self._still, _function_of)
            for collector in self._collectors:
                self._settle(collector)
                grow_from_collector(root, collector)
            for inner in self._inner:
                inner._settle(inner._collectors[-1])
                grow_from_collector(root, inner._collectors[-1])
        return root

    def _settle(self, collector: Any) -> None:
        """Bring the times of what is live up to now, if that is not just changing on another thread."""
        thread = self._thread if self._of is None else getattr(self._of(), "_thread", None)
        if thread in (None, get_ident()):
            collector.settle()

    def _rendered(self, format: str, sort: str = "cumulative", limit: int | None = None) -> bytes:
        if format not in _profile_files.FORMATS:
            raise ValueError(f"there is no format {format!r} for a profile: the formats are {', '.join(_profile_files.FORMATS)}")
        check_sort(sort)
        if self._is_difference and format not in ("text", "json"):
            raise ValueError(f"a difference has negative times, which {format} cannot show: save it as .txt or .json")
        if format == "trace":
            return self._traced()
        tree = self.tree
        if format == "text":
            return _profile_text.as_text(tree, sort, limit, self._title()).encode("utf-8", "backslashreplace")
        if format == "svg":
            return _profile_svg.as_svg(tree)
        return {
            "json": _profile_files.as_json,
            "pstats": _profile_files.as_pstats,
            "speedscope": _profile_files.as_speedscope,
            "collapsed": _profile_files.as_collapsed,
        }[format](tree)

    def _traced(self) -> bytes:
        if self._cap is None:
            raise ValueError("a profile has a timeline if it is asked for one before: profile(timeline=100_000) keeps so many events")
        with self._lock:
            kept = [collector for collector in (*self._timelines, *self._collectors) if collector.timeline is not None]
            parts = [(collector.timeline, collector.timeline_dropped) for collector in kept]
            return _profile_files.as_trace(parts, self._cap, self._left_out, lambda node: name_code(node.code))

    def _title(self) -> str:
        return _profile_text.DIFFERENCE if self._is_difference else "profile"


class ProfileOfThreads(Profile):
    """The profile of every trampoline on every thread, those started later too. What ended threads collected is added up in time."""

    def start(self) -> None:
        """Measure on all threads from now on. RuntimeError if that is done already."""
        global _everywhere
        if _everywhere is not None:
            raise RuntimeError(f"cannot start {self!r}: all threads are measured already, for {_everywhere!r}")
        self._owners: dict[int, int] = {}  # the thread of each collector, by its identity
        self._ended: list[Any] = []  # by threads that are ending, which must not wait for a lock
        self._thread = get_ident()
        _everywhere = self
        self._core.collect_threads(self._for_thread)

    def stop(self) -> None:
        """Give no more threads a collector, and take this thread's away."""
        global _everywhere
        if _everywhere is not self:
            raise RuntimeError(f"cannot stop {self!r}: it is not measuring")
        self._core.collect_threads(None)
        _everywhere = self._thread = None
        if not _entered() and getattr(_local, "end", None) is not None:
            self._core.collect(None)

    def _for_thread(self) -> Any:
        collector = self._make_collector()
        _local.end = _End(self._ended, collector)
        with self._lock:
            self._owners[id(collector)] = get_ident()
            while self._ended:
                ended = self._ended.pop()
                self._owners[id(ended)] = get_ident()
                self._settle(ended)
                self._add_up(ended)
                del self._owners[id(ended)]
                self._collectors.remove(ended)
            self._collectors.append(collector)
        return collector

    def _settle(self, collector: Any) -> None:
        if self._owners.get(id(collector), get_ident()) == get_ident() or collector in self._ended:
            collector.settle()


class _End:
    """Lives in a thread's own storage: when that goes, the thread has ended."""

    def __init__(self, ended: list[Any], collector: Any) -> None:
        self._ended, self._collector = ended, collector

    def __del__(self) -> None:
        self._ended.append(self._collector)


def attached(trampoline: Any, asked: Any) -> Profile:
    """Return the profile of one trampoline, whose collector wins over its thread's: a new one, or that which was `asked` for."""
    found = Profile() if asked is True else asked
    if not isinstance(found, Profile):
        raise TypeError(f"Trampoline() takes True or a Profile as its profile, not {describe(asked)}")
    if found.running:
        raise RuntimeError(f"Trampoline() takes a profile that is not measuring yet, not {found!r}")
    found._core = trampoline._core
    trampoline._collector = found._new_collector()
    found._of = ref(trampoline)
    found._enter_those_around()
    return found


_local = threading.local()  # .profiles: those entered on this thread, the innermost last; .before: what collected before them
_everywhere: ProfileOfThreads | None = None


def _entered() -> list[Profile]:
    found: list[Profile] | None = getattr(_local, "profiles", None)
    if found is None:
        found = _local.profiles = []
    return found


def _function_of(node: Node) -> Any:
    return node.function
