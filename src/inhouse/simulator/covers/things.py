"""Scenes of things on a table, a wall or a bench."""

import math

from inhouse.simulator.covers.canvas import HEIGHT, WIDTH, Canvas, closed, polar


def records(canvas: Canvas) -> None:
    """A record on its player."""
    p = canvas.palette
    centre = (canvas.between(370, 430), canvas.between(440, 520))
    canvas.rectangle((70, 150), (660, 700), p.firm, 1, 46)
    canvas.circle((centre[0] + 10, centre[1] + 16), 292, "#000", 0.25)
    start = len(canvas.shapes)
    canvas.circle(centre, 285, p.ink)
    for groove in range(9):
        canvas.ring(centre, 115 + groove * 19, p.soft, 1.6, 0.4)
    canvas.circle(centre, 92, p.bright)
    canvas.circle((centre[0] + 46, centre[1] - 30), 17, p.high, 0.9)
    canvas.circle(centre, 11, p.high)
    canvas.turning(start, centre, 8)
    canvas.stroke("M668 210L640 560L556 654", p.high, 17)
    canvas.circle((668, 210), 40, p.soft)
    canvas.rectangle((524, 636), (54, 44), p.high, 1, 10)
    for knob in range(3):
        canvas.circle((140 + 74 * knob, 796), 22, p.soft)
        canvas.line(
            (140 + 74 * knob, 796),
            polar((140 + 74 * knob, 796), 17, canvas.between(0, 1)),
            p.ink,
            5,
        )


def knobs(canvas: Canvas) -> None:
    """The face of a synthesiser: knobs, sliders, keys and cables."""
    p = canvas.palette
    canvas.rectangle((50, 110), (700, 790), p.ink, 1, 34)
    for row in range(3):
        for column in range(4):
            spot = (155 + 164 * column, 225 + 150 * row)
            turn = canvas.between(0.38, 1.12)
            canvas.ring(spot, 57, p.soft, 4, 0.6)
            canvas.circle(spot, 44, p.firm)
            canvas.line(spot, polar(spot, 40, turn), p.bright if canvas.chance(0.6) else p.high, 9)
    for step in range(8):
        lit = canvas.chance(0.45)
        canvas.rectangle(
            (98 + 78 * step, 640), (56, 34), p.bright if lit else p.soft, 1 if lit else 0.35, 8
        )
    for key in range(8):
        canvas.rectangle((90 + 78 * key, 708), (72, 160), p.high, 0.95, 8)
    for key in (0, 1, 3, 4, 5):
        canvas.rectangle((140 + 78 * key, 708), (46, 96), p.ink, 1, 6)
    for _ in range(canvas.count(2, 4)):
        x, u, y, v = (canvas.between(120, 680) for _ in range(4))
        start = len(canvas.shapes)
        canvas.stroke(
            f"M{x:.0f} 300C{x:.0f} {520 + y / 5:.0f} {u:.0f} {520 + v / 5:.0f} {u:.0f} 450",
            p.bright,
            11,
            0.85,
        )
        canvas.floating(start, 8, 4)


def cups(canvas: Canvas) -> None:
    """A cup with steam on a table."""
    p = canvas.palette
    canvas.circle((400, 420), canvas.between(270, 330), p.soft, 0.55)
    canvas.rectangle((0, 740), (WIDTH, 270), p.firm)
    canvas.rectangle((0, 740), (WIDTH, 14), p.ink, 0.25)
    width, height = canvas.between(250, 330), canvas.between(180, 240)
    x, top = 400 - width / 2, 735 - height
    canvas.path(
        f"M{x - 70:.0f} 745h{width + 140:.0f}q-20 36 -80 36h{-(width - 20):.0f}q-60 0 -80 -36z",
        p.ink,
        0.85,
    )
    canvas.stroke(f"M{x + width - 12:.0f} {top + 40:.0f}q92 -12 82 54t-104 60", p.bright, 26)
    side, base = 0.26 * width, 0.48 * width
    down = f"q0 {height:.0f} {-side:.0f} {height:.0f}"
    up = f"q{-side:.0f} 0 {-side:.0f} {-height:.0f}"
    canvas.path(f"M{x:.0f} {top:.0f}h{width:.0f}{down}h{-base:.0f}{up}z", p.bright)
    shine = f"M{x + 20:.0f} {top + 26:.0f}q14 {height * 0.6:.0f} 70 {height * 0.8:.0f}"
    canvas.path(shine, p.high, 0.35)
    canvas.ellipse((400, top), (width / 2, 26), p.high)
    canvas.ellipse((400, top + 5), (width / 2 - 18, 18), p.ink)
    for curl in range(3):
        y, at = top - 50, 330 + 70 * curl
        start = len(canvas.shapes)
        canvas.stroke(f"M{at} {y:.0f}q-34 -54 0 -108t0 -108", p.high, 13, 0.75)
        canvas.floating(start, -24, 4 + curl)


def plate(canvas: Canvas) -> None:
    """A dish from above with something good on it."""
    p = canvas.palette
    for stripe in range(6):
        canvas.rectangle((150 * stripe - 40, 0), (60, HEIGHT), p.soft, 0.35)
    centre = (400.0, canvas.between(470, 530))
    canvas.circle((centre[0] + 12, centre[1] + 18), 310, "#000", 0.2)
    canvas.circle(centre, 305, p.high)
    canvas.ring(centre, 270, p.firm, 6, 0.6)
    canvas.circle(centre, 215, p.firm)
    edge = [polar(centre, canvas.between(150, 205), part / 14) for part in range(14)]
    canvas.path(closed(edge), p.bright)
    for _ in range(canvas.count(10, 18)):
        spot = polar(centre, canvas.between(0, 150), canvas.between(0, 1))
        canvas.circle(spot, canvas.between(9, 26), canvas.pick((p.soft, p.ink, p.high)), 0.9)
    for _ in range(canvas.count(4, 7)):
        x, y = polar(centre, canvas.between(20, 140), canvas.between(0, 1))
        canvas.path(f"M{x:.0f} {y:.0f}q30 -46 74 -34q-8 50 -74 34z", p.ink, 0.85)
    canvas.rectangle((40, 300), (22, 420), p.ink, 0.9, 11)
    canvas.stroke("M32 200v90q19 44 38 0v-90M51 200v100", p.ink, 9)
    canvas.rectangle((738, 320), (22, 400), p.ink, 0.9, 11)
    canvas.path("M738 330v-150q34 30 24 150z", p.ink)


def board(canvas: Canvas) -> None:
    """A chequered board with a few pieces and a move."""
    p = canvas.palette
    size = 96.0
    left, top = 400 - 4 * size, 500 - 4 * size
    canvas.rectangle((left - 20, top - 20), (8 * size + 40, 8 * size + 40), p.ink, 1, 18)
    for row in range(8):
        for column in range(8):
            light = (row + column) % 2 == 0
            canvas.rectangle(
                (left + column * size, top + row * size),
                (size + 1, size + 1),
                p.soft if light else p.firm,
            )
    squares = canvas.random.permutation(64)[: canvas.count(8, 13)].tolist()
    for order, square in enumerate(squares):
        middle = (left + (square % 8 + 0.5) * size, top + (square // 8 + 0.5) * size)
        _piece(canvas, middle, p.ink if order % 2 else p.high, order % 3)
    x, y = left + (squares[0] % 8 + 0.5) * size, top + (squares[0] // 8 + 0.5) * size
    u, v = left + canvas.count(0, 7) * size + size / 2, top + canvas.count(0, 7) * size + size / 2
    canvas.stroke(
        f"M{x:.0f} {y:.0f}Q{(x + u) / 2 + 60:.0f} {(y + v) / 2 - 60:.0f} {u:.0f} {v:.0f}",
        p.bright,
        14,
        0.9,
    )
    canvas.circle((u, v), 22, p.bright)


def _piece(canvas: Canvas, middle: tuple[float, float], colour: str, shape: int) -> None:
    x, y = middle
    crown = (
        f"M{x - 16:.0f} {y - 26:.0f}a16 16 0 1 1 32 0a16 16 0 1 1 -32 0z",
        f"M{x - 24:.0f} {y - 10:.0f}v-30h12v10h8v-10h8v10h8v-10h12v30z",
        f"M{x:.0f} {y - 50:.0f}q32 26 0 46q-32 -20 0 -46z",
    )[shape]
    body = f"M{x - 32:.0f} {y + 38:.0f}h64l-14 -20l-9 -34h-18l-9 34z"
    edge = canvas.palette.ink if colour != canvas.palette.ink else canvas.palette.high
    for data in (body, crown):
        canvas.stroke(data, edge, 7)
    for data in (body, crown):
        canvas.path(data, colour)


def wheel(canvas: Canvas) -> None:
    """A bicycle wheel with spokes, and a road below."""
    p = canvas.palette
    centre = (canvas.between(360, 440), canvas.between(430, 500))
    canvas.circle(centre, 350, p.soft, 0.3)
    canvas.rectangle((0, 800), (WIDTH, 210), p.firm)
    canvas.stroke("M20 905H790", p.bright, 12, 0.9, "70 60")
    start = len(canvas.shapes)
    canvas.ring(centre, 300, p.ink, 34)
    canvas.ring(centre, 276, p.high, 9)
    spokes = canvas.count(14, 20)
    for spoke in range(spokes):
        hub = polar(centre, 30, spoke / spokes + 0.11 * (-1) ** spoke)
        canvas.line(hub, polar(centre, 272, spoke / spokes), p.ink, 3)
    valve = polar(centre, 255, 0.3)
    canvas.line(valve, polar(centre, 276, 0.3), p.bright, 12)
    canvas.turning(start, centre, 7)
    canvas.circle(centre, 42, p.bright)
    canvas.circle(centre, 17, p.ink)
    canvas.stroke(f"M{centre[0]:.0f} {centre[1]:.0f}L{centre[0] + 130:.0f} -20", p.bright, 26)


def gears(canvas: Canvas) -> None:
    """Cogs on a circuit board, or a small robot's face."""
    p = canvas.palette
    for row in range(12):
        y = 60 + 84 * row
        turn = canvas.between(120, 680)
        canvas.stroke(f"M0 {y}H{turn:.0f}l40 42H{WIDTH}", p.soft, 5, 0.5)
        canvas.circle((turn, y), 10, p.soft, 0.7)
    if canvas.chance(0.5):
        _face(canvas)
        return
    for spot, size, colour in (
        ((300, 420), 190, p.firm),
        ((560, 640), 135, p.bright),
        ((250, 740), 95, p.ink),
    ):
        start = len(canvas.shapes)
        teeth = max(9, int(size / 13))
        for tooth in range(teeth):
            turn = tooth / teeth
            ends = (polar(spot, size * 0.95, turn - 0.018), polar(spot, size * 1.2, turn - 0.011))
            canvas.polygon(
                (
                    *ends,
                    polar(spot, size * 1.2, turn + 0.011),
                    polar(spot, size * 0.95, turn + 0.018),
                ),
                colour,
            )
        canvas.circle(spot, size, colour)
        canvas.circle(spot, size * 0.62, p.low, 0.55)
        canvas.circle(spot, size * 0.25, colour)
        canvas.turning(start, spot, canvas.between(9, 16))


def _face(canvas: Canvas) -> None:
    p = canvas.palette
    canvas.line((400, 300), (400, 190), p.ink, 12)
    start = len(canvas.shapes)
    canvas.circle((400, 175), 28, p.bright)
    canvas.floating(start, -14, 3)
    canvas.rectangle((190, 300), (420, 340), p.firm, 1, 70)
    canvas.rectangle((150, 410), (50, 110), p.ink, 1, 20)
    canvas.rectangle((600, 410), (50, 110), p.ink, 1, 20)
    canvas.rectangle((235, 350), (330, 170), p.ink, 1, 50)
    gaze = canvas.between(-14, 14)
    for eye in (320, 480):
        canvas.circle((eye, 435), 44, p.bright)
        canvas.circle((eye + gaze, 435), 18, p.ink)
    canvas.stroke(f"M320 580q80 {canvas.between(10, 46):.0f} 160 0", p.ink, 13)
    canvas.rectangle((270, 670), (260, 200), p.soft, 1, 40)
    for light in range(3):
        canvas.circle((330 + 70 * light, 740), 20, canvas.pick((p.bright, p.firm, p.high)))


def quilt(canvas: Canvas) -> None:
    """Patchwork with stitches, a needle and its thread."""
    p = canvas.palette
    size = 160
    for row in range(7):
        for column in range(5):
            x, y = column * size, row * size - 60
            canvas.rectangle(
                (x, y), (size + 1, size + 1), canvas.pick((p.soft, p.firm, p.low, p.high))
            )
            _patch(canvas, x, y, size)
            canvas.stroke(
                f"M{x + 9} {y + 9}h{size - 18}v{size - 18}h{18 - size}z", p.high, 3, 0.65, "12 10"
            )
    start = len(canvas.shapes)
    sway = canvas.between(-120, 120)
    canvas.stroke(
        f"M-20 {600 + sway:.0f}C200 {400 + sway:.0f} 320 {820 - sway:.0f} 520 420", p.bright, 8
    )
    canvas.line((500, 452), (660, 196), "#f4f4f6", 15)
    canvas.line((518, 424), (530, 405), p.ink, 5)
    canvas.floating(start, 12, 5)


def _patch(canvas: Canvas, x: int, y: int, size: int) -> None:
    p, kind = canvas.palette, canvas.count(0, 3)
    colour = canvas.pick((p.bright, p.ink, p.firm, p.soft))
    if kind == 0:
        canvas.polygon(((x, y), (x + size, y), (x, y + size)), colour, 0.85)
    elif kind == 1:
        half = size / 2
        canvas.polygon(
            ((x + half, y), (x + size, y + half), (x + half, y + size), (x, y + half)), colour, 0.85
        )
    elif kind == 2:
        for spot in range(9):
            canvas.circle((x + 34 + 46 * (spot % 3), y + 34 + 46 * (spot // 3)), 11, colour, 0.9)
    else:
        for stripe in range(4):
            canvas.rectangle((x, y + 12 + 40 * stripe), (size, 16), colour, 0.75)


def grain(canvas: Canvas) -> None:
    """Planks with grain and knots, and a shaving or a tool's edge."""
    p = canvas.palette
    top = 0.0
    while top < HEIGHT:
        height = canvas.between(130, 220)
        canvas.rectangle((0, top), (WIDTH, height - 5), canvas.pick((p.soft, p.firm, p.low)))
        knot = (canvas.between(120, 680), top + height / 2)
        for line in range(7):
            y = top + (line + 0.7) * height / 8
            bulge = 30 * math.copysign(1.0, y - knot[1]) * canvas.between(0.5, 1.2)
            bow = f"Q{knot[0]:.0f} {y + bulge:.0f} {knot[0] + 150:.0f} {y:.0f}"
            curve = f"M-10 {y:.0f}H{knot[0] - 150:.0f}{bow}H810"
            canvas.stroke(curve, p.ink, 3, 0.3)
        canvas.ellipse(knot, (34, 17), p.ink, 0.5)
        top += height
    _plane(canvas, canvas.between(130, 230), canvas.between(380, 560))


def _plane(canvas: Canvas, x: float, y: float) -> None:
    """A bench plane with its tote, knob and blade, and the shaving it lifts."""
    p = canvas.palette
    curl = "".join(f"q{30 - 5 * turn} {-64 + 9 * turn} {62 - 9 * turn} 0" for turn in range(5))
    canvas.stroke(f"M{x - 40:.0f} {y + 128:.0f}{curl}", p.high, 15, 0.95)
    canvas.rectangle((x + 16, y + 92), (500, 62), "#000", 0.22, 16)
    canvas.rectangle((x, y + 70), (500, 62), p.ink, 1, 14)
    canvas.rectangle((x + 24, y + 108), (452, 10), p.bright, 0.9, 5)
    canvas.polygon(
        ((x + 196, y + 74), (x + 300, y - 88), (x + 330, y - 70), (x + 246, y + 74)), p.high
    )
    canvas.polygon(
        ((x + 230, y + 74), (x + 312, y - 40), (x + 344, y - 22), (x + 290, y + 74)), p.bright
    )
    canvas.path(
        f"M{x + 366:.0f} {y + 76:.0f}q-8 -60 26 -104q-30 -38 16 -48q52 -2 44 50q34 56 -6 102z",
        p.bright,
    )
    canvas.circle((x + 92, y + 20), 38, p.bright)
    canvas.rectangle((x + 74, y + 44), (36, 34), p.bright)
    canvas.circle((x + 82, y + 8), 11, p.high, 0.6)


def reel(canvas: Canvas) -> None:
    """A beam of light, a strip of film and rows of seats."""
    p = canvas.palette
    canvas.polygon(((400, 1000), (150, 430), (650, 430)), p.bright, 0.16)
    canvas.rectangle((138, 108), (524, 334), p.ink, 1, 12)
    canvas.rectangle((150, 120), (500, 310), p.bright, 0.92, 6)
    kind = canvas.count(0, 2)
    if kind == 0:
        canvas.circle((400, 300), 92, p.bright)
        canvas.polygon(((150, 430), (330, 290), (470, 430)), p.soft)
        canvas.polygon(((360, 430), (520, 250), (650, 430)), p.firm)
    elif kind == 1:
        canvas.rectangle((150, 330), (500, 100), p.firm)
        canvas.path("M330 430v-130q70 -90 140 0v130z", p.ink)
        canvas.circle((400, 236), 46, p.ink)
    else:
        for ring in range(4):
            canvas.ring((400, 275), 130 - 34 * ring, p.ink, 6, 0.8)
        canvas.stroke("M150 275H650M400 120V430", p.ink, 4, 0.8)
    for row in range(4):
        y, step = 600 + 105 * row, 92 + 8 * row
        for seat in range(-1, 10):
            x = seat * step + (row % 2) * step / 2
            canvas.path(
                f"M{x - 34:.0f} {y + 130}v-74q34 -44 68 0v74z", (p.soft, p.firm, p.ink, p.ink)[row]
            )
    for _ in range(canvas.count(3, 6)):
        x = canvas.between(80, 720)
        canvas.circle((x, 655), 30, p.ink)
        canvas.path(f"M{x - 46:.0f} 740q46 -84 92 0z", p.ink)


def aperture(canvas: Canvas) -> None:
    """A lens from the front, with blades and reflections."""
    p = canvas.palette
    centre = (canvas.between(370, 430), canvas.between(450, 540))
    canvas.rectangle((60, 190), (680, 640), p.firm, 1, 60)
    canvas.rectangle((120, 130), (190, 80), p.firm, 1, 22)
    canvas.circle((640, 265), 30, p.bright)
    canvas.circle((centre[0] + 8, centre[1] + 14), 292, "#000", 0.25)
    canvas.circle(centre, 285, p.ink)
    canvas.ring(centre, 250, p.soft, 12, 0.8)
    canvas.circle(centre, 210, p.low)
    start, blades, inner = len(canvas.shapes), canvas.count(6, 9), canvas.between(70, 120)
    for blade in range(blades):
        turn = blade / blades
        corner = polar(centre, inner, turn)
        far = (polar(centre, 208, turn + 0.06), polar(centre, 208, turn + 0.3))
        canvas.polygon(
            (corner, *far, polar(centre, inner, turn + 1 / blades)),
            (p.soft, p.firm)[blade % 2],
            0.9,
        )
    canvas.turning(start, centre, 24)
    canvas.circle((centre[0] - 70, centre[1] - 84), 40, p.high, 0.5)
    canvas.circle((centre[0] + 66, centre[1] + 70), 20, p.bright, 0.7)


def bubbles(canvas: Canvas) -> None:
    """Speech bubbles with lines of invented script."""
    p = canvas.palette
    colours = (p.soft, p.firm, p.bright, p.ink)
    for number in range(5):
        width, height = canvas.between(300, 440), canvas.between(150, 200)
        x = 40 if number % 2 == 0 else WIDTH - 40 - width
        y = 70 + 178 * number
        colour = colours[number % 4]
        start = len(canvas.shapes)
        canvas.rectangle((x, y), (width, height - 24), colour, 1, 54)
        tail = x + 80 if number % 2 == 0 else x + width - 80
        canvas.polygon(
            (
                (tail - 30, y + height - 60),
                (tail + 30, y + height - 60),
                (tail + (-44 if number % 2 == 0 else 44), y + height + 14),
            ),
            colour,
        )
        for row in range(2):
            _script(
                canvas,
                x + 50,
                y + 52 + 50 * row,
                width - 100,
                p.high if colour != p.high else p.ink,
            )
        canvas.floating(start, canvas.between(-9, 9), 4 + number)


def _script(canvas: Canvas, left: float, y: float, width: float, colour: str) -> None:
    x = left
    while x < left + width - 40:
        shape = canvas.count(0, 3)
        if shape == 0:
            canvas.stroke(f"M{x:.0f} {y:.0f}q14 -34 28 0", colour, 7)
        elif shape == 1:
            canvas.stroke(f"M{x:.0f} {y - 22:.0f}v26h26", colour, 7)
        elif shape == 2:
            canvas.ring((x + 14, y - 9), 13, colour, 7)
        else:
            canvas.stroke(f"M{x:.0f} {y:.0f}l14 -26l14 26", colour, 7)
        x += canvas.between(42, 58)
