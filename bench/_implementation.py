"""What an implementation is to the benchmark: a name, a version, and a method for each workload that it can do.

A method takes the column's argument and returns a unit (see `_measure.py`). Where a workload asks for what an implementation does not
have, it raises SkippedError with the reason, or has no method and says why in `without`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any, ClassVar

from bench._measure import SkippedError


class Implementation:
    """Describe one implementation; the subclasses add a method for each workload."""

    name = ""
    distribution = ""  # on PyPI, for the version
    module = ""  # what is imported
    idiom = ""  # how it calls and switches, for the legend
    without: ClassVar[dict[str, str]] = {}  # workload: why there is no figure
    not_offered = "does not apply"  # why there is no figure, for all the other workloads that it has no method for
    only: tuple[str, ...] = ()  # the workloads that it has a row in, if not in all
    imports: tuple[str, ...] = ()  # what its import is timed by
    environment: ClassVar[dict[str, str]] = {}  # for that
    coroutines = "generators"  # what the memory of it is measured beside: generators, coroutines or nothing
    levels = 100_000  # the greatest depth at which its memory for a level is measured

    def __init__(self) -> None:
        if self.module:
            self.package: Any = self.load()

    def load(self) -> Any:
        """Import the library. SkippedError if it cannot be had."""
        try:
            return importlib.import_module(self.module)
        except ImportError as error:
            raise SkippedError(f"not importable: {error}") from error
        except Exception as error:
            raise SkippedError(f"its import fails: {type(error).__name__}: {error}") from error

    def path(self) -> list[str]:
        """Return the folders that come first in sys.path where its import is timed."""
        return []

    def version(self) -> str:
        """Return the version of the library, or an empty text where that is Python's own."""
        if not self.distribution:
            return ""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return "unknown"
