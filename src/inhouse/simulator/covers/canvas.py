"""A sheet to draw on: shapes become SVG text. Knows nothing of topics."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

WIDTH: Final = 800  # user units; clients scale it
HEIGHT: Final = 1000

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """Six colours that go together, `#rrggbb`."""

    high: str  # background at the top
    low: str  # background at the bottom
    soft: str  # large quiet shapes
    firm: str  # large clear shapes
    bright: str  # the one thing that catches the eye
    ink: str  # the darkest


@dataclass(kw_only=True, slots=True)
class Canvas:
    """Shapes in the order they were drawn. The first are behind."""

    palette: Palette
    random: np.random.Generator
    moving: bool = False  # whether some shapes may move gently, for videos
    shapes: list[str] = field(default_factory=list)

    def between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def count(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(self.random.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def pick(self, colours: Sequence[str]) -> str:
        return colours[int(self.random.integers(len(colours)))]

    def circle(self, centre: Point, radius: float, fill: str, opacity: float = 1.0) -> None:
        x, y = centre
        self.shapes.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}" fill="{fill}"{_see(opacity)}/>'
        )

    def ring(
        self, centre: Point, radius: float, colour: str, width: float, opacity: float = 1.0
    ) -> None:
        x, y = centre
        self.shapes.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}" fill="none" stroke="{colour}" '
            f'stroke-width="{width:.1f}"{_see(opacity)}/>'
        )

    def ellipse(self, centre: Point, radii: Point, fill: str, opacity: float = 1.0) -> None:
        (x, y), (rx, ry) = centre, radii
        self.shapes.append(
            f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{rx:.0f}" ry="{ry:.0f}" '
            f'fill="{fill}"{_see(opacity)}/>'
        )

    def rectangle(
        self, corner: Point, size: Point, fill: str, opacity: float = 1.0, radius: float = 0.0
    ) -> None:
        """`corner`: top left; `radius`: of the rounded corners."""
        (x, y), (width, height) = corner, size
        rounded = f' rx="{radius:.0f}"' if radius else ""
        self.shapes.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}"{rounded} '
            f'fill="{fill}"{_see(opacity)}/>'
        )

    def polygon(self, points: Iterable[Point], fill: str, opacity: float = 1.0) -> None:
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        self.shapes.append(f'<polygon points="{path}" fill="{fill}"{_see(opacity)}/>')

    def path(self, data: str, fill: str, opacity: float = 1.0) -> None:
        self.shapes.append(f'<path d="{data}" fill="{fill}"{_see(opacity)}/>')

    def stroke(
        self, data: str, colour: str, width: float, opacity: float = 1.0, dash: str = ""
    ) -> None:
        """`dash`: SVG's dash pattern, empty for a whole line."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.shapes.append(
            f'<path d="{data}" fill="none" stroke="{colour}" stroke-width="{width:.1f}" '
            f'stroke-linecap="round" stroke-linejoin="round"{dashes}{_see(opacity)}/>'
        )

    def line(self, start: Point, end: Point, colour: str, width: float) -> None:
        (x1, y1), (x2, y2) = start, end
        self.stroke(f"M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}", colour, width)

    def floating(self, first_shape: int, dy: float, seconds: float) -> None:
        """Let the shapes since index `first_shape` rise and sink, where movement is allowed."""
        if self.moving:
            self._animate(first_shape, "translate", f"0 0;0 {dy:.0f};0 0", seconds)

    def turning(self, first_shape: int, centre: Point, seconds: float) -> None:
        """Let the shapes drawn since index `first_shape` turn around a centre."""
        if self.moving:
            x, y = centre
            turn = f"0 {x:.0f} {y:.0f};360 {x:.0f} {y:.0f}"
            self._animate(first_shape, "rotate", turn, seconds)

    def _animate(self, first_shape: int, kind: str, values: str, seconds: float) -> None:
        inner = "".join(self.shapes[first_shape:])
        del self.shapes[first_shape:]
        self.shapes.append(
            f'<g>{inner}<animateTransform attributeName="transform" type="{kind}" '
            f'values="{values}" dur="{seconds:.0f}s" repeatCount="indefinite"/></g>'
        )

    def mirror(self) -> None:
        """Swap left and right of all that was drawn."""
        self.shapes = [
            f'<g transform="translate({WIDTH} 0) scale(-1 1)">{"".join(self.shapes)}</g>'
        ]

    def svg(self) -> str:
        """The whole picture."""
        p = self.palette
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" preserveAspectRatio="xMidYMid slice">'
            '<defs><linearGradient id="a" x1="0" y1="0" x2="0" y2="1">'
            f'<stop offset="0" stop-color="{p.high}"/><stop offset="1" stop-color="{p.low}"/>'
            '</linearGradient><radialGradient id="b" cx=".5" cy=".42" r=".8">'
            '<stop offset=".55" stop-color="#000" stop-opacity="0"/>'
            '<stop offset="1" stop-color="#000" stop-opacity=".26"/></radialGradient></defs>'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#a)"/>'
            + "".join(self.shapes)
            + f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#b)"/></svg>'
        )


def polar(centre: Point, radius: float, turn: float) -> Point:
    """The point at `turn` of a full circle, 0 to the right, clockwise."""
    angle = 2.0 * math.pi * turn
    return centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)


def closed(points: Sequence[Point]) -> str:
    """Path data of a smooth closed line through the middles of the given corners."""
    middles = [
        ((x + u) / 2, (y + v) / 2)
        for (x, y), (u, v) in zip(points, [*points[1:], points[0]], strict=True)
    ]
    start = middles[-1]
    curves = "".join(
        f"Q{x:.0f} {y:.0f} {mx:.0f} {my:.0f}"
        for (x, y), (mx, my) in zip(points, middles, strict=True)
    )
    return f"M{start[0]:.0f} {start[1]:.0f}{curves}Z"


def ridge(canvas: Canvas, base: float, swing: float, steps: int) -> str:
    """Path data of rolling land: from a wavy line around `base` down to the bottom edge."""
    phase, waves = canvas.between(0, 6.28), canvas.between(0.8, 2.2)
    xs = [-20 + (WIDTH + 40) * step / steps for step in range(steps + 1)]
    ys = [
        base
        - swing * math.sin(phase + waves * 6.28 * x / WIDTH)
        - 0.35 * swing * math.sin(2.7 * phase + 2.3 * waves * 6.28 * x / WIDTH)
        for x in xs
    ]
    line = "".join(f"L{x:.0f} {y:.0f}" for x, y in zip(xs, ys, strict=True))
    return f"M-20 {HEIGHT + 20}{line}L{WIDTH + 20} {HEIGHT + 20}Z"


def _see(opacity: float) -> str:
    return "" if opacity >= 1.0 else f' opacity="{opacity:.2f}"'
