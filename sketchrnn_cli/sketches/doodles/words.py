"""The words of the practice drawings, each drawn in several styles with parts that may be missing.

A function a word, called with a fresh ``Pen``; coordinates in its box of about 100 x 100.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sketchrnn_cli.sketches.doodles.pen import Pen

Point = tuple[float, float]


def boat(pen: Pen) -> None:
    """A hull, a mast, one or two sails; perhaps a flag and waves."""
    left, right = pen.between(2, 10), pen.between(90, 98)
    deck, keel = pen.between(66, 72), pen.between(86, 96)
    inset = pen.between(10, 22)
    foot, top = pen.between(42, 56), pen.between(2, 14)
    boom = deck - pen.between(3, 8)

    def hull() -> None:
        if pen.chance(0.4):  # a bowl under the deck
            pen.line((left, deck), (right, deck))
            middle = (left + right) / 2
            pen.arc((middle, deck), ((right - left) / 2, keel - deck), (180, 0), reverse=0.3)
        else:
            pen.polygon((left, deck), (right, deck), (right - inset, keel), (left + inset, keel))

    def rig() -> None:
        pen.line((foot, top), (foot, deck))
        tip = right - pen.between(6, 18)
        if pen.chance(0.75):
            pen.line((foot, top + 2), (tip, boom), (foot + 1, boom), reverse=0.25)
        else:  # a sail full of wind
            pen.curve((foot, top + 3), (foot + 28, top + 22), (tip, boom), reverse=0.2)
            pen.line((tip, boom), (foot, boom))
        if pen.chance(0.55):
            pen.line(
                (foot - 1, top + pen.between(6, 16)),
                (left + pen.between(8, 16), boom),
                (foot - 2, boom),
                reverse=0.25,
            )

    for part in pen.order([hull, rig], habit=0.75):
        part()
    if pen.chance(0.3):
        pen.line((foot, top), (foot + 14, top - 5), (foot, top - 9))
    if pen.chance(0.4):
        waves(pen, keel + pen.between(1, 6))


def waves(pen: Pen, y: float) -> None:
    """Water: one stroke of crests."""
    n = pen.whole(4, 6)
    crests: list[Point] = []
    for k in range(n + 1):
        x = -6 + 112 * k / n
        crests += [(x, y - 2), (x + 56 / n, y + 4)]
    pen.curve(*crests, reverse=0.1)


def cat(pen: Pen) -> None:
    """A face with ears and whiskers; sometimes the cat sits below it."""
    wide, high = pen.between(34, 42), pen.between(28, 36)
    x, y = 50.0, 56.0
    ear = pen.between(17, 27)

    def corner(degrees: float) -> Point:
        angle = math.radians(degrees)
        return x + wide * math.cos(angle), y + high * math.sin(angle)

    tips = [(x - wide * 0.78, y - high - ear * 0.6), (x + wide * 0.78, y - high - ear * 0.6)]
    if pen.chance(0.3):  # head and ears in one stroke
        (a, b), (c, d) = (corner(-165), corner(-115)), (corner(-65), corner(-15))
        chin = [corner(k) for k in (15, 45, 75, 105, 135, 165, 190)]
        pen.line(a, tips[0], b, c, tips[1], d, *chin, reverse=0.2)
    else:
        pen.loop((x, y), (wide, high))
        for tip, outer, inner in ((tips[0], -160, -112), (tips[1], -20, -68)):
            pen.line(corner(outer), tip, corner(inner), reverse=0.3)

    def eyes() -> None:
        gap, level = wide * pen.between(0.36, 0.46), y - high * 0.2
        style = pen.whole(0, 3)
        for side in pen.order([-1, 1], habit=0.8):
            if style == 0:
                pen.dot(x + side * gap, level)
            elif style == 3:
                pen.line((x + side * gap, level - 4), (x + side * gap, level + 4))
            else:
                pen.loop((x + side * gap, level), (4.5, 5))

    def muzzle() -> None:
        nose = y + high * 0.15
        pen.polygon((x - 4, nose), (x + 4, nose), (x, nose + 5))
        if pen.chance(0.8):
            pen.curve((x, nose + 5), (x - 4, nose + 12), (x - 12, nose + 10))
            pen.curve((x, nose + 5), (x + 4, nose + 12), (x + 12, nose + 10))

    def whiskers() -> None:
        n, length = pen.whole(2, 3), pen.between(24, 34)
        for side in (-1, 1):
            for k in range(n):
                slope = (k - (n - 1) / 2) * 7
                root = (x + side * wide * 0.4, y + high * 0.3 + slope * 0.5)
                pen.line(root, (root[0] + side * length, root[1] + slope - 2))

    for part in pen.order([eyes, muzzle, *([whiskers] if pen.chance(0.85) else [])], habit=0.8):
        part()
    if pen.chance(0.15):
        body, wide = y + high + 26, wide * 0.8
        pen.arc((x, body), (wide, 34), (-125, -415), reverse=0.2)
        pen.curve((x + wide, body + 10), (x + wide + 20, body + 6), (x + wide + 16, body - 18))


def cup(pen: Pen) -> None:
    """A mug or a tea cup with its handle; perhaps steam, perhaps a saucer."""
    left, right = pen.between(8, 16), pen.between(64, 72)
    top, bottom = pen.between(26, 34), pen.between(86, 94)
    middle, half = (left + right) / 2, (right - left) / 2
    tea = pen.chance(0.35)
    if tea:
        bottom -= 12
    inset = pen.between(0, 7)

    def body() -> None:
        if pen.chance(0.7):
            pen.loop((middle, top), (half, pen.between(5, 9)))
        else:
            pen.line((left, top), (right, top))
        if tea:
            pen.arc((middle, top), (half, bottom - top), (180, 0), reverse=0.2)
        else:
            base = bottom + pen.between(0, 6)
            foot = [(left + inset + 4, bottom), (middle, base), (right - inset - 4, bottom)]
            pen.line((left, top), (left + inset, bottom - 3), *foot, (right - inset, bottom - 3),
                     (right, top), reverse=0.2)  # fmt: skip

    def handle() -> None:
        y = top + (bottom - top) * (0.32 if tea else 0.45)
        size = (pen.between(16, 24), (bottom - top) * pen.between(0.22, 0.3))
        edge = right - inset * 0.5 - (2 if tea else 0)
        pen.arc((edge, y), size, (-90, 90))
        if pen.chance(0.6):
            pen.arc((edge, y), (size[0] * 0.55, size[1] * 0.55), (-90, 90))

    for part in pen.order([body, handle], habit=0.85):
        part()
    if tea or pen.chance(0.1):
        pen.arc((middle, bottom + 1), (half * 1.25, 9), (190, -10), reverse=0.3)
    if pen.chance(0.5):
        n = pen.whole(2, 3)
        for k in range(n):
            x = middle + (k - (n - 1) / 2) * 16
            pen.curve((x, top - 10), (x + 4, top - 16), (x - 3, top - 23), (x + 3, top - 31))


def fish(pen: Pen) -> None:
    """A fish that swims to the left; ``MIRRORED`` words also face right."""
    y, high = 50.0, pen.between(19, 27)
    tail = pen.between(13, 20)
    if pen.chance(0.5):  # one ribbon that crosses itself before the tail
        over = [(98, y - tail), (78, y - 2), (55, y + high * 0.8), (30, y + high), (6, y + 3)]
        back = [(9, y - 9), (30, y - high), (55, y - high * 0.8), (78, y + 2), (98, y + tail)]
        pen.curve(*over, *back, reverse=0.3)
        if pen.chance(0.75):
            pen.curve((98, y - tail), (92, y), (98, y + tail))
    else:
        pen.loop((40, y), (36, high))
        pen.polygon((76, y), (98, y - tail), (pen.between(90, 98), y), (98, y + tail))

    def eye() -> None:
        spot = (20.0, y - high * 0.25)
        if pen.chance(0.5):
            pen.dot(*spot)
        else:
            pen.loop(spot, (3.5, 3.5))
            if pen.chance(0.3):
                pen.dot(*spot)

    def mouth() -> None:
        pen.curve((7, y + 5), (13, y + 8), (18, y + 6))

    def gill() -> None:
        pen.arc((24, y), (8, high * 0.6), (-70, 70))

    def fins() -> None:
        pen.curve((34, y - high + 1), (46, y - high - 11), (56, y - high * 0.75))
        if pen.chance(0.6):
            pen.curve((36, y + high - 1), (46, y + high + 9), (54, y + high * 0.8))

    def scales() -> None:
        for row in (-0.35, 0.1, 0.5)[: pen.whole(2, 3)]:
            pen.arc((48 + 10 * row, y + high * row), (7, 6), (-80, 80))

    parts = [eye]
    parts += [part for part, often in ((mouth, 0.5), (gill, 0.5), (fins, 0.45), (scales, 0.25))
              if pen.chance(often)]  # fmt: skip
    for part in pen.order(parts, habit=0.75):
        part()
    if pen.chance(0.2):
        for k in range(pen.whole(2, 3)):
            pen.loop((-4 - 3 * (k % 2), y - 16 - 14 * k), (3 + k, 3 + k))


def flower(pen: Pen) -> None:
    """A daisy, a blossom in one stroke, or a tulip, on its stem."""
    x, y = 50.0, 30.0
    style = pen.between(0, 1)
    reach = pen.between(22, 28)
    if style < 0.45:  # petal by petal around the middle
        heart = reach * pen.between(0.3, 0.42)
        pen.loop((x, y), (heart, heart))
        n = pen.whole(5, 7)
        turn = pen.between(0, 2 * math.pi)
        span = math.pi / n * pen.between(0.8, 1.0)
        for k in range(n):
            angle = turn + (1 if pen.clockwise else -1) * 2 * math.pi * k / n
            petal = []
            for side, far in ((-0.8, heart), (-1, 0.72 * reach), (0, reach), (1, 0.72 * reach),
                              (0.8, heart)):  # fmt: skip
                at = angle + side * span
                petal.append((x + far * math.cos(at), y + far * math.sin(at)))
            pen.curve(*petal, reverse=0.05)
    elif style < 0.8:  # the blossom in one stroke
        n, depth = pen.whole(5, 7), pen.between(0.38, 0.5)
        for size, bumps in pen.order([(reach * 0.3, 0), (reach, n)], habit=0.6):
            pen.loop((x, y), (size, size), bumps=bumps, depth=depth)
    else:  # a tulip
        rim, base = y - reach * 0.8, y + reach
        wide = reach * pen.between(0.75, 0.95)
        crown = [(x - wide, rim), (x - wide / 2, y - 4), (x, rim - 2), (x + wide / 2, y - 4)]
        pen.line(*crown, (x + wide, rim), reverse=0.2)
        pen.curve((x - wide, rim), (x - wide * 1.05, y + 6), (x - wide * 0.6, base - 4),
                  (x, base), (x + wide * 0.6, base - 4), (x + wide * 1.05, y + 6),
                  (x + wide, rim), reverse=0.2)  # fmt: skip
    bend, root = pen.jitter(3), pen.between(88, 98)
    pen.curve((x, y + reach), (x + bend, (y + reach + root) / 2), (x + pen.jitter(2), root))
    for side in pen.order([-1, 1])[: pen.whole(0, 2)]:
        low = pen.between(78, 86)
        tip = (x + side * pen.between(18, 26), low - pen.between(10, 16))
        pen.curve((x + bend / 2, low), (x + side * 8, low - 12), tip)
        pen.curve(tip, (x + side * 14, low - 1), (x + bend / 2, low))
    if pen.chance(0.15):
        pen.line((18, root), (82, root))


def house(pen: Pen) -> None:
    """Walls, a roof, a door; perhaps windows, a chimney and smoke."""
    left, right = pen.between(10, 18), pen.between(82, 90)
    eaves, floor = pen.between(40, 52), pen.between(92, 98)
    ridge, over = pen.between(6, 16), pen.between(0, 9)
    middle = (left + right) / 2 + pen.jitter(2)
    style = pen.between(0, 1)
    if style < 0.2:  # the outline in one stroke, then the line under the roof
        pen.line((left, eaves), (left, floor), (right, floor), (right, eaves), (middle, ridge),
                 (left, eaves), reverse=0.4)  # fmt: skip
        if pen.chance(0.7):
            pen.line((left, eaves), (right, eaves))
    else:

        def walls() -> None:
            pen.polygon((left, eaves), (left, floor), (right, floor), (right, eaves))

        def roof() -> None:
            a, b = (left - over, eaves), (right + over, eaves)
            if style > 0.85:
                pen.polygon(a, (left + 14, ridge + 6), (right - 14, ridge + 6), b)
            elif pen.chance(0.5):
                pen.line(a, (middle, ridge), b, reverse=0.3)
            else:
                pen.polygon(a, (middle, ridge), b)

        for part in pen.order([walls, roof], habit=0.75):
            part()

    width, height = pen.between(14, 20), (floor - eaves) * pen.between(0.45, 0.62)
    door = pen.between(left + 8, right - 8 - width) if pen.chance(0.4) else middle - width / 2

    def entrance() -> None:
        pen.line((door, floor), (door, floor - height), (door + width, floor - height),
                 (door + width, floor))  # fmt: skip
        if pen.chance(0.45):
            pen.dot(door + width * 0.8, floor - height * 0.45)

    def windows() -> None:
        size, top = pen.between(11, 15), eaves + pen.between(7, 12)
        cross = pen.chance(0.5)
        spots = [
            x for x in (left + 7, right - 7 - size) if x + size < door - 2 or x > door + width + 2
        ]
        for x in pen.order(spots, habit=0.85)[: pen.whole(1, 2)]:
            pen.polygon((x, top), (x + size, top), (x + size, top + size), (x, top + size))
            if cross:
                pen.line((x + size / 2, top), (x + size / 2, top + size))
                pen.line((x, top + size / 2), (x + size, top + size / 2))

    def chimney() -> None:
        x = middle + (right - middle) * pen.between(0.35, 0.5)
        slope = (eaves - ridge) / (right + over - middle)
        at = ridge + (x - middle) * slope
        top = at - pen.between(14, 20)
        pen.line((x, at), (x, top), (x + 9, top), (x + 9, at + 9 * slope))
        if pen.chance(0.6):
            curl = [(x + 5, top - 4), (x + 9, top - 10), (x + 3, top - 16), (x + 10, top - 23)]
            pen.curve(*curl, (x + 18, top - 24), reverse=0.05)

    parts = [entrance]
    parts += [part for part, often in ((windows, 0.75), (chimney, 0.4)) if pen.chance(often)]
    for part in pen.order(parts, habit=0.75):
        part()


def snail(pen: Pen) -> None:
    """A spiral on a foot, with horns; it crawls to the left."""
    x, y, size = 58.0, 48.0, pen.between(29, 36)
    turns = pen.between(1.7, 2.5)
    start = math.radians(pen.between(60, 110))

    def shell() -> None:
        n = round(turns * 14)
        spiral: list[Point] = []
        for k in range(n + 1):
            radius = size * (0.06 + 0.94 * (k / n) ** 0.9)
            angle = start + 2 * math.pi * turns * (k / n - 1)
            spiral.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
        pen.curve(*spiral, reverse=0.35)

    floor = y + size + pen.between(4, 9)
    head, brow = pen.between(6, 12), pen.between(44, 52)

    def body() -> None:
        neck = x - size * 0.92
        pen.curve((neck + 3, y + 14), (neck - 2, brow + 14), (neck - 6, brow), (head + 4, brow - 4),
                  (head, brow + 7), (head + 5, floor - 10), (head + 14, floor), (50, floor + 1),
                  (85, floor), (102, floor - 1), (92, floor - 8), (x + size * 0.8, y + size * 0.65),
                  reverse=0.25)  # fmt: skip

    def horns() -> None:
        knobs = pen.chance(0.5)
        for root, lean in ((head + 5, -6), (head + 11, 4)):
            tip = (root + lean, brow - 4 - pen.between(14, 20))
            pen.line((root, brow - 3), tip, reverse=0.05)
            if knobs:
                pen.loop((tip[0], tip[1] - 2), (2.4, 2.4))

    def face() -> None:
        pen.dot(head + 6, brow + 5)
        if pen.chance(0.4):
            pen.curve((head + 2, brow + 12), (head + 7, brow + 14), (head + 10, brow + 11))

    for part in pen.order([shell, body], habit=0.8):
        part()
    for part in (horns, *([face] if pen.chance(0.6) else [])):
        part()


def star(pen: Pen) -> None:
    """Five points: the pentagram in one stroke, or the outline."""
    x, y, size = 50.0, 50.0, 48.0
    turn = -90 + pen.jitter(5)

    def tip(k: float, part: float = 1.0) -> Point:
        angle = math.radians(turn + 72 * k)
        return x + part * size * math.cos(angle), y + part * size * math.sin(angle)

    way = 1 if pen.chance(0.6) else -1
    if pen.chance(0.55):
        first = 3 if pen.chance(0.7) else pen.whole(0, 4)  # most begin at the lower left
        pen.line(*(tip(first + 2 * way * k) for k in range(5)), tip(first), reverse=0)
    else:
        inner, first = pen.between(0.38, 0.5), 0 if pen.chance(0.7) else pen.whole(0, 4)
        corners = [tip(first + way * k / 2, inner if k % 2 else 1.0) for k in range(10)]
        pen.line(*corners, tip(first), reverse=0)
        if pen.chance(0.2):  # a face
            pen.dot(x - 7, y - 3)
            pen.dot(x + 7, y - 3)
            pen.curve((x - 9, y + 6), (x, y + 12), (x + 9, y + 6))
    if pen.chance(0.15):  # it shines
        n = pen.whole(3, 5)
        for k in range(n):
            pen.line(tip(k + 0.5, 0.75), tip(k + 0.5, 1.0))


def sun(pen: Pen) -> None:
    """A disc and its rays; sometimes it smiles."""
    x, y, size = 50.0, 50.0, pen.between(19, 27)
    style = pen.between(0, 1)
    pen.loop((x, y), (size, size * pen.between(0.9, 1.05)))
    n, turn = pen.whole(7, 12), -90 + pen.jitter(12)
    way = 1 if pen.clockwise else -1

    def at(k: float, radius: float) -> Point:
        angle = math.radians(turn + way * 360 * k / n)
        return x + radius * math.cos(angle), y + radius * math.sin(angle)

    near, far = size + pen.between(1, 8), size + pen.between(18, 25)
    if style < 0.15:  # a crown of flames in one stroke
        ring = [at(k / 2, far if k % 2 else size + 2) for k in range(2 * n + 1)]
        pen.line(*ring, reverse=0)
    else:
        inward, alternate = pen.chance(0.15), pen.chance(0.2)
        for k in pen.order(range(n), habit=0.85):
            tip = at(k, (near + far) / 2 if alternate and k % 2 else far)
            ray = (tip, at(k, near)) if inward else (at(k, near), tip)
            pen.line(*ray, reverse=0.05)
    if pen.chance(0.25):
        for side in (-1, 1):
            pen.dot(x + side * size * 0.35, y - size * 0.25)
        pen.curve((x - size * 0.5, y + size * 0.25), (x, y + size * 0.55),
                  (x + size * 0.5, y + size * 0.25))  # fmt: skip


def tree(pen: Pen) -> None:
    """A crown of leaves on a trunk, or a fir in steps."""
    x = 50.0
    half = pen.between(5, 9)
    root = pen.between(92, 98)
    fir = pen.chance(0.3)
    n, wide = pen.whole(2, 4), pen.between(26, 34)
    base = pen.between(76, 82) if fir else pen.between(50, 58)

    def crown() -> None:
        if not fir:
            radii = (wide, pen.between(24, 29))
            bumps = pen.whole(6, 9) if pen.chance(0.7) else 0
            pen.loop((x, base - 24), radii, bumps=bumps, depth=pen.between(0.14, 0.24))
            return
        top = 4.0
        right = [(x + 1, top)]
        for k in range(1, n + 1):
            level, reach = top + (base - top) * k / n, wide * (0.45 + 0.55 * k / n)
            right += [(x + reach, level), (x + reach * 0.45, level)][: 1 if k == n else 2]
        left = [(2 * x - a, b) for a, b in right[:0:-1]]
        pen.line(*right, *left, (x, top), reverse=0.4)

    def trunk() -> None:
        flare = pen.between(0, 5)
        if pen.chance(0.5):
            pen.line((x - half, base), (x - half - flare, root), reverse=0.2)
            pen.line((x + half, base), (x + half + flare, root), reverse=0.2)
        else:
            pen.line((x - half, base), (x - half - flare, root), (x + half + flare, root),
                     (x + half, base))  # fmt: skip

    for part in pen.order([crown, trunk], habit=0.6):
        part()
    if not fir and pen.chance(0.3):  # apples
        for dx, dy in pen.order([(-13, -32), (11, -36), (2, -20), (-4, -44)])[: pen.whole(2, 4)]:
            pen.loop((x + dx, base + dy + 8), (3.2, 3.2))
    if fir and pen.chance(0.2):
        star_x, star_y = x, 0.0
        pen.line((star_x - 5, star_y), (star_x + 5, star_y))
        pen.line((star_x, star_y - 5), (star_x, star_y + 5))
    if pen.chance(0.25):
        pen.line((pen.between(8, 20), root + 1), (pen.between(80, 92), root + 1))


# The order is part of every drawing's seed: new words go to the end.
DRAWERS: dict[str, Callable[[Pen], None]] = {
    "boat": boat,
    "cat": cat,
    "cup": cup,
    "fish": fish,
    "flower": flower,
    "house": house,
    "snail": snail,
    "star": star,
    "sun": sun,
    "tree": tree,
}
MIRRORED = frozenset({"boat", "cup", "fish", "house", "snail"})  # may face the other way
TURNS = {"star": 9.0, "sun": 9.0, "fish": 6.0}  # deviation of the rotation, degrees; others 4
