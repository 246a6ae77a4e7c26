"""The implementations by name, in the order of the tables, each loaded at most once."""

from __future__ import annotations

from bench._implementation import Implementation
from bench._measure import SkippedError
from bench._native import Await, EndedGenerators, Generators, YieldFrom
from bench._rivals_await import Asyncio, AsyncioProtocol, Curio, TaskEach, Trio, Uvloop, UvloopProtocol
from bench._rivals_stacks import Gevent, Greenlet
from bench._rivals_yield import Asynq, Simpy, Tinyio, Tornado, Twisted
from bench._trampolines import CCore, PyPI, PythonCore, Recipe

ALL: tuple[type[Implementation], ...] = (
    *(YieldFrom, Await, Generators, EndedGenerators),
    *(CCore, PythonCore, Recipe, PyPI),
    *(Tinyio, Asyncio, AsyncioProtocol, TaskEach, Uvloop, UvloopProtocol, Greenlet, Gevent, Trio, Curio, Asynq, Tornado, Twisted, Simpy),
)
NAMES = tuple(kind.name for kind in ALL)
_KINDS = {kind.name: kind for kind in ALL}
_LOADED: dict[str, Implementation | str] = {}


def load(name: str) -> Implementation:
    """Return the implementation. SkippedError with the reason if it cannot be loaded."""
    if name not in _LOADED:
        try:
            _LOADED[name] = _KINDS[name]()
        except SkippedError as skipped:
            _LOADED[name] = str(skipped)
    found = _LOADED[name]
    if isinstance(found, str):
        raise SkippedError(found)
    return found


def kind_of(name: str) -> type[Implementation]:
    """Return the class of an implementation, loaded or not."""
    return _KINDS[name]
