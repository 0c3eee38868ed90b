"""Scenes under the sky."""

import math
from typing import Final

from inhouse.simulator.covers.canvas import HEIGHT, WIDTH, Canvas, closed, polar, ridge

_HORIZON: Final = 0.62 * HEIGHT


def hills(canvas: Canvas) -> None:
    """A sun over layers of rolling land."""
    p = canvas.palette
    sun = (canvas.between(200, 600), canvas.between(250, 430))
    size = canvas.between(80, 135)
    start = len(canvas.shapes)
    canvas.circle(sun, size * 1.9, p.bright, 0.14)
    canvas.circle(sun, size * 1.4, p.bright, 0.2)
    canvas.circle(sun, size, p.bright)
    canvas.floating(start, 26, 9)
    layers = 5
    for layer in range(layers):
        depth = layer / (layers - 1)
        colour = p.soft if layer < 2 else p.firm if layer < 4 else p.ink
        base = 500 + 110 * layer
        canvas.path(ridge(canvas, base, 62 - 30 * depth, 28), colour, 0.5 + 0.5 * depth)
    for _ in range(canvas.count(4, 9)):
        _tree(canvas, canvas.between(20, WIDTH - 20), canvas.between(860, 960))


def _tree(canvas: Canvas, x: float, foot: float) -> None:
    height = canvas.between(70, 130)
    for part in range(3):
        top, width = foot - height + part * height * 0.22, height * (0.2 + 0.1 * part)
        low = top + height * 0.45
        canvas.polygon(((x, top), (x - width, low), (x + width, low)), canvas.palette.ink)


def mountains(canvas: Canvas) -> None:
    """Peaks with snow, mist and a trail."""
    p = canvas.palette
    canvas.circle((canvas.between(480, 640), canvas.between(170, 280)), 70, p.bright, 0.95)
    for layer, colour in enumerate((p.soft, p.firm)):
        for _ in range(3 - layer):
            x = canvas.between(80, WIDTH - 80)
            peak, half = canvas.between(300, 420) + 90 * layer, canvas.between(260, 380)
            _peak(canvas, x, peak, half, colour)
        canvas.rectangle((-10, 660 + 80 * layer), (WIDTH + 20, 60), p.high, 0.22, 30)
    canvas.path(ridge(canvas, 800, 36, 24), p.ink)
    x = canvas.between(250, 550)
    bends = f"C{x + 120:.0f} 940 {x - 140:.0f} 900 {x + 20:.0f} 850S{x:.0f} 810 {x + 60:.0f} 790"
    trail = f"M{x:.0f} 1000{bends}"
    canvas.stroke(trail, p.bright, 9, 0.9, "2 20")


def _peak(canvas: Canvas, x: float, top: float, half: float, colour: str) -> None:
    foot = 860.0
    canvas.polygon(((x, top), (x - half, foot), (x + half, foot)), colour)
    canvas.polygon(((x, top), (x + half, foot), (x + half * 0.12, foot)), canvas.palette.ink, 0.22)
    share = canvas.between(0.2, 0.3)
    low, reach = top + (foot - top) * share, half * share
    snow = ((x, top), (x - reach, low), (x - reach * 0.4, low - 26), (x, low + 14))
    canvas.polygon(
        (*snow, (x + reach * 0.45, low - 30), (x + reach, low)), canvas.palette.high, 0.92
    )


def night(canvas: Canvas) -> None:
    """Stars, a planet or a moon, and a dark line of hills."""
    p = canvas.palette
    for _ in range(150):
        size = canvas.between(0.8, 3.4)
        spot = (canvas.between(0, WIDTH), canvas.between(0, 820))
        canvas.circle(spot, max(1.0, size), p.bright, canvas.between(0.35, 1.0))
    band = [(x, 640 - 0.55 * x + canvas.between(-60, 60)) for x in range(-100, 1000, 90)]
    back = [(x, y + canvas.between(90, 170)) for x, y in reversed(band)]
    canvas.path(closed([*band, *back]), p.soft, 0.16)
    centre, radius = (canvas.between(280, 520), canvas.between(300, 440)), canvas.between(105, 160)
    start = len(canvas.shapes)
    if canvas.chance(0.55):
        _planet(canvas, centre, radius)
    else:
        canvas.circle(centre, radius, p.bright)
        canvas.circle((centre[0] + radius * 0.42, centre[1] - radius * 0.12), radius * 0.9, p.high)
    canvas.floating(start, -22, 11)
    canvas.path(ridge(canvas, 820, 46, 26), p.firm)
    canvas.path(ridge(canvas, 900, 30, 26), p.ink)


def _planet(canvas: Canvas, centre: tuple[float, float], radius: float) -> None:
    p, (x, y) = canvas.palette, centre
    wide, flat = radius * 1.85, radius * 0.42
    ring = f"M{x - wide:.0f} {y:.0f}A{wide:.0f} {flat:.0f} -14 0 {{}} {x + wide:.0f} {y:.0f}"
    canvas.stroke(ring.format(1), p.bright, 12, 0.75)
    canvas.circle(centre, radius, p.soft)
    canvas.circle((x - radius * 0.2, y - radius * 0.2), radius * 0.72, p.high, 0.18)
    for band in (-0.35, 0.05, 0.4):
        half = radius * math.sqrt(1 - band**2) * 0.97
        canvas.rectangle((x - half, y + band * radius), (2 * half, 16), p.firm, 0.55, 8)
    canvas.stroke(ring.format(0), p.bright, 12)


def waves(canvas: Canvas) -> None:
    """A boat or a sun on rows of water."""
    p = canvas.palette
    canvas.circle((canvas.between(240, 560), 400), canvas.between(120, 170), p.bright)
    start = len(canvas.shapes)
    x = canvas.between(280, 520)
    canvas.polygon(((x, 330), (x, 540), (x + 130, 540)), p.high, 0.95)
    canvas.polygon(((x - 12, 370), (x - 12, 540), (x - 95, 540)), p.soft)
    canvas.path(f"M{x - 120:.0f} 555h280l-46 62h-188z", p.ink)
    canvas.floating(start, 16, 5)
    for row in range(7):
        y = 600 + 62 * row
        shift = canvas.between(-60, 0)
        crests = "".join(f"q32 {-34 + 3 * row} 64 0t64 0" for _ in range(8))
        colour = (p.soft, p.firm)[row % 2] if row < 5 else p.ink
        canvas.path(f"M{shift:.0f} {y}{crests}V1020H-80Z", colour, 0.86)


def skyline(canvas: Canvas) -> None:
    """Rows of houses with lit windows under a large moon."""
    p = canvas.palette
    canvas.circle(
        (canvas.between(200, 600), canvas.between(240, 360)), canvas.between(90, 140), p.bright
    )
    for row, colour in enumerate((p.soft, p.firm, p.ink)):
        x = -30.0
        while x < WIDTH:
            width, top = canvas.between(70, 150), canvas.between(430, 640) + 110 * row
            canvas.rectangle((x, top), (width + 1, HEIGHT - top), colour, 0.75 + 0.12 * row)
            if row > 0:
                _windows(canvas, x, top, width)
            elif canvas.chance(0.3):
                canvas.line((x + width / 2, top), (x + width / 2, top - 70), colour, 6)
            x += width + canvas.between(0, 14)


def _windows(canvas: Canvas, left: float, top: float, width: float) -> None:
    columns = max(2, int(width // 34))
    step = width / columns
    for row in range(int((HEIGHT - top) // 46)):
        for column in range(columns):
            if canvas.chance(0.42):
                spot = (left + step * (column + 0.5) - 8, top + 24 + row * 46)
                canvas.rectangle(spot, (16, 22), canvas.palette.bright, canvas.between(0.55, 1), 2)


def leaves(canvas: Canvas) -> None:
    """Stems with leaves and blossoms, growing from the bottom edge."""
    p = canvas.palette
    canvas.circle((400, 430), canvas.between(250, 310), p.high, 0.5)
    for stem in range(canvas.count(5, 7)):
        x, lean = 90 + 120 * stem + canvas.between(-30, 30), canvas.between(-110, 110)
        top = canvas.between(230, 560)
        colour = (p.soft, p.firm, p.ink)[stem % 3]
        start = len(canvas.shapes)
        canvas.stroke(
            f"M{x:.0f} 1010Q{x:.0f} {(top + 1000) / 2:.0f} {x + lean:.0f} {top:.0f}", colour, 8
        )
        for leaf in range(1, 7):
            share = leaf / 7
            spot = (x + lean * share**2, 1000 - (1000 - top) * share)
            _leaf(canvas, spot, (-1) ** leaf, 118 * (1.1 - share * 0.6), colour)
        if canvas.chance(0.65):
            _blossom(canvas, (x + lean, top), canvas.between(34, 58))
        canvas.floating(start, 10, canvas.between(5, 9))


def _leaf(canvas: Canvas, foot: tuple[float, float], side: int, length: float, colour: str) -> None:
    x, y = foot
    tip = f"{x + side * length * 0.85:.0f} {y - length * 0.5:.0f}"
    over = f"Q{x + side * length * 0.2:.0f} {y - length * 0.62:.0f} {tip}"
    under = f"Q{x + side * length * 0.75:.0f} {y + length * 0.08:.0f} {x:.0f} {y:.0f}Z"
    canvas.path(f"M{x:.0f} {y:.0f}{over}{under}", colour, 0.93)


def _blossom(canvas: Canvas, centre: tuple[float, float], size: float) -> None:
    petals = canvas.count(5, 8)
    for petal in range(petals):
        canvas.circle(polar(centre, size * 0.8, petal / petals), size * 0.56, canvas.palette.bright)
    canvas.circle(centre, size * 0.5, canvas.palette.high)


def road(canvas: Canvas) -> None:
    """A road or path that winds to the horizon."""
    p = canvas.palette
    canvas.circle(
        (canvas.between(180, 620), canvas.between(300, 420)), canvas.between(90, 130), p.bright
    )
    canvas.path(ridge(canvas, 520, 70, 26), p.soft, 0.8)
    canvas.path(ridge(canvas, _HORIZON, 34, 26), p.firm)
    bend = canvas.between(-150, 150)
    left, right = 400 + bend - 12, 400 + bend + 12
    near = f"C{left + 90:.0f} 700 {180 - bend:.0f} 770 150 1010H660"
    far = f"C560 880 {right:.0f} 640C{right + 130:.0f} 700 {330 - bend:.0f} 760 {right:.0f} 640Z"
    canvas.path(f"M{left:.0f} 640{near}{far}", p.ink)
    middle = f"M400 1010C330 880 {300 - bend * 0.9:.0f} 780 {400 + bend * 0.9:.0f} 700"
    canvas.stroke(middle, p.bright, 10, 0.95, "36 34")
    for _ in range(canvas.count(5, 9)):
        side = canvas.between(-60, 120) if canvas.chance(0.5) else canvas.between(680, 860)
        _tree(canvas, side, canvas.between(720, 940))


def pitch(canvas: Canvas) -> None:
    """A football pitch from above, with a ball on its way."""
    p = canvas.palette
    for stripe in range(10):
        colour = (p.soft, p.firm)[stripe % 2]
        canvas.rectangle((0, 100 * stripe), (WIDTH, 101), colour)
    chalk = "#f6f7f2"
    canvas.stroke("M80 -20V1020M720 -20V1020M80 500H720", chalk, 8, 0.9)
    canvas.ring((400, 500), 120, chalk, 8, 0.9)
    canvas.circle((400, 500), 11, chalk)
    for edge, way in ((-20, 1), (1020, -1)):
        canvas.stroke(f"M210 {edge}V{edge + way * 200}H590V{edge}", chalk, 8, 0.9)
    for team in (p.bright, p.ink):
        for _ in range(canvas.count(3, 5)):
            spot = (canvas.between(140, 660), canvas.between(90, 910))
            canvas.circle((spot[0] + 7, spot[1] + 9), 27, "#000", 0.22)
            canvas.circle(spot, 27, team)
            canvas.ring(spot, 27, chalk, 4)
    x, y = canvas.between(250, 550), canvas.between(330, 660)
    canvas.stroke(
        f"M{x - 150:.0f} {y + 170:.0f}Q{x - 120:.0f} {y + 20:.0f} {x:.0f} {y:.0f}",
        chalk,
        7,
        0.9,
        "3 22",
    )
    canvas.circle((x, y), 20, chalk)
    canvas.circle((x, y), 8, p.ink)
