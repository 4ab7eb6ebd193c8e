"""What librag raises: RagError and one subclass for each status of the C interface.

Every exception has ``.code``, the number of the status in ``rag/rag.h``. Messages are one line that names the object and the
values.
"""

from __future__ import annotations

__all__ = [
    "AlreadyExists",
    "BackendMissing",
    "Busy",
    "Corrupt",
    "InternalError",
    "InvalidArgument",
    "InvalidState",
    "IoError",
    "NotFound",
    "OutOfMemory",
    "RagError",
    "ReadOnly",
    "Stopped",
    "Unsupported",
    "VersionMismatch",
]


class RagError(Exception):
    """The base of everything that librag raises on purpose."""

    code: int = 0


class Stopped(RagError):
    """A callback asked to stop; what was acknowledged before stays."""

    code = 1


class InvalidArgument(RagError, ValueError):
    """A value outside what the function takes."""

    code = -1


class NotFound(RagError):
    """A file, id or name that does not exist."""

    code = -2


class AlreadyExists(RagError):
    """An id that is there already; nothing was added."""

    code = -3


class Corrupt(RagError):
    """Stored data contradicts itself: truncated, wrong checksum, impossible sizes."""

    code = -4


class IoError(RagError, OSError):
    """The operating system refused to read or write."""

    code = -5


class Unsupported(RagError):
    """Well-formed, but librag does not know it: an architecture, a tokenizer stage, an element type."""

    code = -6


class VersionMismatch(RagError):
    """Written by a newer librag, or a library of another version."""

    code = -7


class Busy(RagError):
    """Another process writes to this knowledge base."""

    code = -8


class ReadOnly(RagError):
    """A write to a knowledge base that was opened read-only."""

    code = -9


class OutOfMemory(RagError, MemoryError):
    """Not enough memory."""

    code = -10


class BackendMissing(RagError):
    """LibTorch is not there; ``pip install librag[torch]`` brings it."""

    code = -11


class InvalidState(RagError):
    """Closed, used after fork, or a part that was not given when the engine was opened."""

    code = -12


class InternalError(RagError):
    """A defect of librag; please report the message."""

    code = -13


_BY_CODE: dict[int, type[RagError]] = {
    cls.code: cls
    for cls in (
        Stopped,
        InvalidArgument,
        NotFound,
        AlreadyExists,
        Corrupt,
        IoError,
        Unsupported,
        VersionMismatch,
        Busy,
        ReadOnly,
        OutOfMemory,
        BackendMissing,
        InvalidState,
        InternalError,
    )
}


def from_code(code: int, text: str) -> RagError:
    """The exception for a status of the C interface."""
    cls = _BY_CODE.get(code)
    if cls is None:
        error = RagError(text)
        error.code = code
        return error
    return cls(text)
