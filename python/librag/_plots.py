"""Plots as SVG, drawn by hand: lines over steps, bars before and after, bars of differences. Texts in, a text out; nothing is kept.

Colours follow the page: lines and letters are ``currentColor``. Not for benchmarks, which use matplotlib.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

WIDTH = 640
BEFORE, AFTER, WORSE = "#9aa5b1", "#2a6f97", "#c0562f"
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 24, 28, 40
_MOST_POINTS = 400
_SMOOTH = 40  # a smoothed line's points are means over this part of all steps
_BAR, _GAP = 14, 14
_NAMES, _NUMBERS = 190, 60


def line_svg(
    points: Sequence[tuple[float, float]], steps: float, caption: str, *, label: str = "", smooth: bool = False, height: int = 260
) -> str:
    """(step, value) as a line over ``steps`` steps; values that are no numbers are left out. ``smooth`` puts running means over it."""
    known = [point for point in points if math.isfinite(point[1])]
    shown = _thin(known)
    low, high = _range([value for _, value in shown])
    right, bottom = WIDTH - _RIGHT, height - _BOTTOM

    def place(step: float, value: float) -> str:
        x = _LEFT + (right - _LEFT) * step / max(steps, 1)
        y = bottom - (bottom - _TOP) * (value - low) / (high - low)
        return f"{x:.1f},{y:.1f}"

    parts = [_text(_LEFT, _TOP - 12, caption)]
    for value in _ticks(low, high, 5):
        y = place(0, value).partition(",")[2]
        parts.append(f'<path d="M{_LEFT},{y}H{right}" stroke="currentColor" opacity="0.15"/>')
        parts.append(_text(_LEFT - 6, float(y) + 4, f"{value:g}", "end"))
    for value in _ticks(0, max(steps, 1), 8):
        x = float(place(value, low).partition(",")[0])
        parts.append(_text(x, bottom + 16, f"{value:g}", "middle"))
    parts.append(_text(right, height - 6, label, "end"))
    parts.append(f'<path d="M{_LEFT},{bottom}H{right}" stroke="currentColor" opacity="0.5"/>')
    if smooth and len(known) >= 2 * _SMOOTH:
        parts.append(_polyline([place(*point) for point in shown], BEFORE, 1.0))
        parts.append(_polyline([place(*point) for point in _thin(_running_means(known))], AFTER, 2.0))
    else:
        parts.append(_polyline([place(*point) for point in shown], AFTER, 1.6))
        if len(shown) <= _SMOOTH:
            dots = (place(*point).split(",") for point in shown)
            parts += [f'<circle cx="{x}" cy="{y}" r="2.5" fill="{AFTER}"/>' for x, y in dots]
    return _svg(height, parts, caption)


def pairs_svg(rows: Sequence[tuple[str, float, float]], caption: str) -> str:
    """Two bars, before and after, for each (name, before, after); numbers of at least 0."""
    most = max([value for row in rows for value in row[1:]] + [1e-9])
    high = 1.0 if 0.3 < most <= 1.0 else most
    scale = (WIDTH - _NAMES - _NUMBERS) / high
    parts = [_text(0, 14, caption)]
    parts += _legend(WIDTH - 150, (("before", BEFORE), ("after", AFTER)))
    y = float(_TOP)
    for name, before, after in rows:
        parts.append(_text(_NAMES - 8, y + _BAR + 4, _short(name, 28), "end"))
        for value, colour in ((before, BEFORE), (after, AFTER)):
            width = max(value * scale, 0.5)
            parts.append(f'<rect x="{_NAMES}" y="{y:.1f}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>')
            parts.append(_text(_NAMES + width + 5, y + _BAR - 3, f"{value:.3f}"))
            y += _BAR + 1
        y += _GAP
    return _svg(round(y), parts, caption)


def differences_svg(values: Sequence[float], caption: str, height: int = 220) -> str:
    """After less before of each item, the greatest loss left, the greatest gain right; items without a difference lie between."""
    ordered = sorted(values)
    most = max([abs(value) for value in ordered] + [1e-9])
    right = WIDTH - _RIGHT
    middle, half = height / 2, height / 2 - _TOP
    step = (right - _LEFT) / max(len(ordered), 1)
    parts = [_text(_LEFT, _TOP - 12, caption)]
    for value in (-most, 0.0, most):
        y = middle - half * value / most
        parts.append(f'<path d="M{_LEFT},{y:.1f}H{right}" stroke="currentColor" opacity="{0.15 if value else 0.5}"/>')
        parts.append(_text(_LEFT - 6, y + 4, f"{value:+.2f}" if value else "0", "end"))
    for colour, sign in ((WORSE, -1), (AFTER, 1)):
        shape = ""
        for i, value in enumerate(ordered):
            if value * sign > 0:
                x, y = _LEFT + i * step, middle - half * value / most
                shape += f"M{x:.2f},{middle}V{y:.1f}h{step:.2f}V{middle}z"
        parts.append(f'<path d="{shape}" fill="{colour}"/>')
    worse, better = sum(value < 0 for value in ordered), sum(value > 0 for value in ordered)
    parts.append(_text(_LEFT, height - 8, f"{worse} worse"))
    parts.append(_text((_LEFT + right) / 2, height - 8, f"{len(ordered) - worse - better} the same", "middle"))
    parts.append(_text(right, height - 8, f"{better} better", "end"))
    return _svg(height, parts, caption)


def _thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most _MOST_POINTS, each the mean of its neighbours."""
    size = max(1, -(-len(points) // _MOST_POINTS))
    groups = [points[begin : begin + size] for begin in range(0, len(points), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def _running_means(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Around each point, over fewer towards both ends."""
    half = max(1, len(points) // (2 * _SMOOTH))
    sums = [0.0]
    for _, value in points:
        sums.append(sums[-1] + value)
    means = []
    for i, (step, _) in enumerate(points):
        reach = min(half, i, len(points) - 1 - i)
        means.append((step, (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1)))
    return means


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the most, with an air of a twentieth; never empty. From 0 where that costs little."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if 0 < low < 0.3 * high:
        low = 0.0
    air = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return (low if low == 0.0 else low - air), high + air


def _ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round numbers, 1, 2 or 5 times a power of ten apart."""
    unit = 10 ** math.floor(math.log10((high - low) / most))
    step = next(unit * factor for factor in (1, 2, 5, 10, 20) if (high - low) / (unit * factor) <= most - 1 or factor == 20)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _legend(x: float, entries: Sequence[tuple[str, str]]) -> list[str]:
    parts = []
    for name, colour in entries:
        parts.append(f'<rect x="{x:.0f}" y="5" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(x + 14, 14, name))
        x += 72
    return parts


def _polyline(places: Sequence[str], colour: str, width: float) -> str:
    return f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"/>'


def _short(text: str, most: int) -> str:
    """Without its middle where it is too long: labels often differ at their ends."""
    return text if len(text) <= most else f"{text[: most // 2 - 1]}...{text[-(most // 2 - 2) :]}"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="currentColor"{place}>{_safe(text)}</text>'


def _safe(text: str) -> str:
    """Without characters that XML does not allow."""
    return html.escape("".join(char for char in text if char >= " " and not "\ud800" <= char <= "\udfff"))


def _svg(height: int, parts: Sequence[str], name: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" role="img" aria-label="{_safe(name)}">{"".join(parts)}</svg>'
    )
