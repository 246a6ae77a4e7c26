"""Futures of a Dask cluster, as futures of concurrent.futures.

`Client.get_executor()` gives such futures too. But when a worker dies just after its result was fetched, one of those takes the result for
an error (`_cascade_future()` of distributed, seen in 2026.8.0). To ask the client itself, and to fetch by `result()`, is right then too:
Dask waits until the work was done again.
"""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def stand_in(theirs: Any) -> Future[Any]:
    """Return a future that ends as Dask's future `theirs` does, and that cancels it when it is cancelled."""
    ours: Future[Any] = Future()

    def fetch(_: Any) -> None:  # on a thread of Dask's
        try:
            result = theirs.result()
        except BaseException as error:
            if theirs.cancelled():
                ours.cancel()
            elif ours.set_running_or_notify_cancel():
                ours.set_exception(error)
        else:
            if ours.set_running_or_notify_cancel():
                ours.set_result(result)

    def cancel(_: Any) -> None:
        if ours.cancelled() and not theirs.cancelled():
            with suppress(Exception):  # the cluster went away
                theirs.cancel()

    ours.add_done_callback(cancel)
    theirs.add_done_callback(fetch)
    return ours
