"""The curve of a training in a notebook: an SVG, redrawn at most once a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ._plots import line_svg

if TYPE_CHECKING:
    from .training import TrainStep

_INTERVAL = 1.0


class LiveCurve:
    """A callback that keeps one SVG of the loss up to date in the cell that trains."""

    def __init__(self) -> None:
        self._points: list[tuple[int, float]] = []
        self._metrics = ""
        self._handle: Any = None
        self._drawn = 0.0

    def __call__(self, step: TrainStep) -> None:
        if step.metrics is None:
            self._points.append((step.step, step.loss))
        else:
            self._metrics = ", ".join(f"{name} {value:.4g}" for name, value in step.metrics.items())
        now = time.monotonic()
        if now - self._drawn < _INTERVAL and step.step < step.steps:
            return
        self._drawn = now
        self._draw(step)

    def _draw(self, step: TrainStep) -> None:
        import IPython.display

        shown: Any = IPython.display
        loss = f"loss {self._points[-1][1]:.4g}" if self._points else ""
        caption = ", ".join(part for part in (f"step {step.step} of {step.steps}", loss, self._metrics) if part)
        image = shown.SVG(line_svg(self._points, step.steps, caption, label="step", smooth=True))
        if self._handle is None:
            self._handle = shown.display(image, display_id=True)
        else:
            self._handle.update(image)
