"""Tokens as an iterator: the core's blocking call runs in a thread of its own and hands its tokens over."""

from __future__ import annotations

import atexit
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from .types import Token

Result = TypeVar("Result")
TokenFunction = Callable[[int, str], bool]


# Threads that may still be inside the core, with what stops each.
_running: set[tuple[threading.Thread, threading.Event]] = set()


@atexit.register
def _stop_all() -> None:
    """A thread that is inside the core while the interpreter is taken down would crash the process."""
    running = list(_running)
    for _, stop in running:
        stop.set()
    for thread, _ in running:
        with contextlib.suppress(RuntimeError):  # not started
            thread.join()


class TokenStream(Generic[Result]):
    """Iterates over ``Token``; afterwards ``result`` is the whole outcome.

    Leaving the loop early, ``close()`` or Ctrl-C stops the generation within one token; ``result`` is then what there was so far.
    """

    def __init__(self, run: Callable[[TokenFunction], Result]) -> None:
        self._queue: queue.SimpleQueue[Token | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._finished = False
        # The thread must not hold `self`: a stream that is dropped has to be collected so that its thread ends.
        self._thread = threading.Thread(
            target=_work, args=(run, self._queue, self._stop, outcome := _Outcome[Result]()), name="librag-stream", daemon=True
        )
        self._outcome = outcome
        _running.add(running := (self._thread, self._stop))
        try:
            self._thread.start()
        except BaseException:
            _running.discard(running)
            raise

    def __iter__(self) -> Iterator[Token]:
        return self

    def __next__(self) -> Token:
        if self._finished:
            raise StopIteration
        try:
            token = self._queue.get()
        except BaseException:
            self._stop.set()
            raise
        if token is None:
            self._finished = True
            self._thread.join()
            if self._outcome.error is not None:
                raise self._outcome.error
            raise StopIteration
        return token

    def close(self) -> None:
        """Stops the generation and waits for it to end."""
        self._stop.set()
        self._thread.join()
        self._finished = True

    def __enter__(self) -> TokenStream[Result]:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._stop.set()

    @property
    def result(self) -> Result:
        """The outcome; reads the tokens that nobody has read yet."""
        for _ in self:
            pass
        self._thread.join()
        if self._outcome.error is not None:
            raise self._outcome.error
        assert self._outcome.value is not None
        return self._outcome.value


class _Outcome(Generic[Result]):
    """What the thread leaves behind."""

    def __init__(self) -> None:
        self.value: Result | None = None
        self.error: BaseException | None = None


def _work(
    run: Callable[[TokenFunction], Result],
    tokens: queue.SimpleQueue[Token | None],
    stop: threading.Event,
    outcome: _Outcome[Result],
) -> None:
    def on_token(token_id: int, text: str) -> bool:
        if token_id >= 0:  # -1: the prompt is still being computed, the core only asks whether to go on
            tokens.put(Token(token_id, text))
        return not stop.is_set()

    try:
        outcome.value = run(on_token)
    except BaseException as error:
        outcome.error = error
    finally:
        tokens.put(None)
        _running.discard((threading.current_thread(), stop))
