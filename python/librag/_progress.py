"""Progress bars: tqdm when a person watches (stderr is a terminal, or a notebook), nothing else.

tqdm is imported when the first bar is shown, never by ``import librag``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any


def wanted(show_progress: bool | None) -> bool:
    """``show_progress`` itself, or for None whether a person is there to see a bar."""
    if show_progress is not None:
        return show_progress
    if "ipykernel" in sys.modules:
        return True
    stderr = sys.stderr
    return stderr is not None and stderr.isatty()


def _make_bar(description: str, unit: str, total: int | None) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, desc=description, unit=unit, leave=True)


class Bar:
    """A tqdm bar fed by (done, total); a no-op when it is not wanted. ``late``: there is none before the first of them."""

    def __init__(
        self, show_progress: bool | None, description: str, unit: str, total: int | None = None, *, late: bool = False
    ) -> None:
        self._bar: Any = None
        self._base = 0
        self._make: Callable[[], Any] | None = None
        if wanted(show_progress):
            self._make = lambda: _make_bar(description, unit, total)
            if not late:
                self._bar = self._make()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    @property
    def callback(self) -> Callable[[int, int], None] | None:
        """What to hand to the core, or None when no bar is shown."""
        return None if self._make is None else self._update

    def advance(self, count: int) -> None:
        """Counts ``count`` units as done for good: the next part of a stream starts from there."""
        self._base += count
        if self._bar is not None:
            self._bar.update(self._base - self._bar.n)

    def show(self, done: int, total: int, numbers: dict[str, str]) -> None:
        """Stands at ``done`` of ``total``, with numbers behind the bar."""
        if self._bar is not None:
            self._bar.total = total
            self._bar.set_postfix(numbers, refresh=False)
            self._bar.update(done - self._bar.n)

    def _update(self, done: int, total: int) -> None:
        if self._bar is None:
            if self._make is None or total == 0:
                return
            self._bar = self._make()
        bar = self._bar
        if bar.total is None and total and self._base == 0:
            bar.total = total
        bar.update(self._base + done - bar.n)
