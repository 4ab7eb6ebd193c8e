"""Engine.reembed: another embedder for a knowledge base, while the old one serves."""

from __future__ import annotations

import atexit
import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

from .errors import Stopped

Progress = Callable[[int, int], Any]
# Runs to the end: what it is told of progress, and what it gives.
Work = Callable[[Progress], str]

# Those whose thread may still be inside the core.
_running: set[Reembedding] = set()


@atexit.register
def _stop_all() -> None:
    """A thread that is inside the core while the interpreter is taken down would crash the process."""
    for one in list(_running):
        one.cancel()
    for one in list(_running):
        with contextlib.suppress(RuntimeError):  # not started
            one._thread.join()


class Reembedding:
    """A re-embedding that goes on in a thread of its own: ``done`` of ``total`` documents.

    ``wait()`` gives its report or raises what it failed with; ``cancel()`` asks it to end, which it does within one layer of the model.
    A program that ends, and Engine.close(), cancel it. What is embedded stays for the next reembed() with the same model.
    """

    def __init__(self, work: Work, progress: Progress | None) -> None:
        self.done = 0
        self.total = 0
        self._progress = progress
        self._stop = threading.Event()
        self._report: dict[str, int] | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), name="librag-reembed", daemon=True)
        _running.add(self)
        try:
            self._thread.start()
        except BaseException:
            _running.discard(self)
            raise

    def _heard(self, done: int, total: int) -> bool:
        self.done, self.total = done, total
        if self._stop.is_set():
            return False
        return self._progress is None or self._progress(done, total) is not False

    def _run(self, work: Work) -> None:
        try:
            self._report = json.loads(work(self._heard))
        except BaseException as error:
            self._error = error
        finally:
            _running.discard(self)

    @property
    def running(self) -> bool:
        """Whether it is still under way."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Asks it to end, and returns at once."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> dict[str, int]:
        """What it did, once it is done. Ctrl-C ends the waiting, not the work. TimeoutError after ``timeout`` seconds; Stopped: it was
        cancelled."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"re-embedding has done {self.done} of {self.total} documents after {timeout} seconds")
        if self._error is not None:
            raise self._error
        assert self._report is not None
        return self._report

    def __repr__(self) -> str:
        state = "running" if self.running else ("done" if self._error is None else f"ended: {self._error}")
        return f"<Reembedding {self.done} of {self.total} documents, {state}>"


__all__ = ["Reembedding", "Stopped"]
