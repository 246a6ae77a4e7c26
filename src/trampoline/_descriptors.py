"""Files and their descriptors: what number a file has, whether it is closed, and what the reactor notes of one that is waited for."""

from __future__ import annotations

import errno
import io
import os
import select
import weakref
from contextlib import suppress

from trampoline._base import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Ready: TypeAlias = Callable[[], object]


MOST = 2**31 - 1  # a descriptor's number


class Watched:
    """A file that is registered, and who waits for it."""

    __slots__ = ("fd", "file", "gives_data", "identity", "mask", "reading", "writing")

    def __init__(self, fd: int, file: Reference | None) -> None:
        self.fd, self.file = fd, file  # the file by a weak reference, None if it is known by its number alone
        self.identity = identity_of(fd) if file is None else None
        self.mask = 0  # for what it is registered
        self.gives_data = False  # whether it is known to be no socket that listens, and so never has anything to read
        self.reading: Ready | None = None
        self.writing: Ready | None = None


def number_of(file: Any) -> int:
    """Return the descriptor's number of a file, or of what is one. OSError if it is closed, TypeError if it is no file."""
    try:
        fd = file if type(file) is int else file.fileno()
    except (AttributeError, io.UnsupportedOperation):
        raise TypeError(f"a file is a number or has a fileno(), but {describe(file)} has none") from None
    except ValueError:
        fd = -1
    if type(fd) is not int:
        raise TypeError(f"the fileno() of {describe(file)} is {describe(fd)}, not a number")
    if not 0 <= fd <= MOST:
        raise OSError(errno.EBADF, f"{describe(file)} is closed")
    return fd


def check_open(file: Any) -> None:
    """Raise OSError if a file is closed, TypeError if it is none."""
    identity_of(number_of(file))


def identity_of(fd: int) -> tuple[int, int] | None:
    """Return what tells a file from the next that has its number. OSError if it is closed."""
    if os.name != "posix":
        return None
    try:
        status = os.fstat(fd)
    except OSError:
        raise OSError(errno.EBADF, f"the descriptor {fd} is closed") from None
    return status.st_dev, status.st_ino


def is_ready(fd: int, writing: bool) -> bool:
    """Return whether it can be read (written) without blocking, as far as epoll's opinion can be asked for again."""
    if not hasattr(select, "epoll"):
        return True
    look = select.poll()
    look.register(fd, select.POLLOUT if writing else select.POLLIN)
    return bool(look.poll(0))


def is_closed(watched: Watched) -> bool:
    try:
        if watched.file is None:
            return identity_of(watched.fd) != watched.identity
        file: Any = watched.file()
        return file is None or file.fileno() != watched.fd
    except (OSError, ValueError):
        return True


class Reference(weakref.ref["Any"]):
    """To a file; the reactor forgets its number when the file is gone."""

    __slots__ = ("fd",)

    fd: int


def referring(file: Any, fd: int, forget: Callable[[Any], None]) -> Reference:
    reference = Reference(file, forget)
    reference.fd = fd
    return reference


def forgetting(files: dict[int, Watched], selector: Any) -> Callable[[Reference], None]:
    """Return what is called when a file is gone: one for all, so that each costs less."""

    def forget(gone: Reference) -> None:
        watched = files.get(gone.fd)
        if watched is not None and watched.file is gone:
            del files[gone.fd]
            with suppress(OSError, ValueError, KeyError):
                selector.unregister(gone.fd)

    return forget
