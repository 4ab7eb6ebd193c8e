"""The curve of a training in a notebook: drawn as SVG by hand, redrawn at most once a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .training import TrainStep

_WIDTH, _HEIGHT, _LEFT, _EDGE = 640, 240, 56, 24
_INTERVAL = 1.0
_MOST_POINTS = 400


def _thin(points: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    """At most _MOST_POINTS, each the mean of its neighbours."""
    size = -(-len(points) // _MOST_POINTS)
    groups = [points[begin : begin + size] for begin in range(0, len(points), size)] if size > 1 else [[one] for one in points]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def curve_svg(points: Sequence[tuple[int, float]], steps: int, caption: str) -> str:
    """(step, loss) as a line over ``steps`` steps."""
    points = [point for point in points if point[1] == point[1]]
    shown = _thin(points)
    least = min((value for _, value in shown), default=0.0)
    most = max((value for _, value in shown), default=1.0)
    height = max(most - least, 1e-9)

    def place(step: float, value: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT - _EDGE) * step / max(steps, 1)
        y = _EDGE + (_HEIGHT - 2 * _EDGE) * (most - value) / height
        return f"{x:.1f},{y:.1f}"

    line = " ".join(place(step, value) for step, value in shown)
    bottom, right = _HEIGHT - _EDGE, _WIDTH - _EDGE
    safe = caption.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12">'
        f'<path d="M{_LEFT},{_EDGE}V{bottom}H{right}" fill="none" stroke="currentColor" opacity="0.5"/>'
        f'<polyline points="{line}" fill="none" stroke="#1f77b4" stroke-width="1.5"/>'
        f'<text x="{_LEFT - 4}" y="{_EDGE + 4}" text-anchor="end" fill="currentColor">{most:.3g}</text>'
        f'<text x="{_LEFT - 4}" y="{bottom}" text-anchor="end" fill="currentColor">{least:.3g}</text>'
        f'<text x="{right}" y="{bottom + 16}" text-anchor="end" fill="currentColor">step {steps}</text>'
        f'<text x="{_LEFT}" y="{_EDGE - 8}" fill="currentColor">{safe}</text></svg>'
    )


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
        image = shown.SVG(curve_svg(self._points, step.steps, caption))
        if self._handle is None:
            self._handle = shown.display(image, display_id=True)
        else:
            self._handle.update(image)
