"""Thumbnails and logos of made-up videos, drawn with Pillow.

The motif (hills, a boat, a house, ...), the hues and what a player lays over it are drawn at random whatever the style:
what tells a style is how the motif is drawn. A second style fills a window, as large as its share.
"""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from recsys_lib.synthetic.styles import CANVAS, STYLES, H, W

LOGO_SIZE = (64, 64)
LOOKS = ({"fill": 255}, {"outline": 255, "width": 4})  # of a window and of its rim


def thumbnail(styles: tuple[str, str, float], rng: np.random.Generator) -> Image.Image:
    """An RGB picture of 160 x 120 pixels.

    styles: the first, the second and the share of the first, which is its share of the area.
    """
    first, second, share = styles
    colours, shapes = palette(rng), motif(rng)
    picture, other = (STYLES[name](shapes, colours, rng) for name in (first, second))
    window, rim = _window(1 - share, rng)
    left, top, right, bottom = window.getbbox()
    inner = ImageOps.fit(other, (right - left, bottom - top), Image.Resampling.BILINEAR)
    picture.paste(inner, (left, top), window.crop((left, top, right, bottom)))
    picture.paste((250, 250, 250), mask=rim)
    _player(picture, rng)
    return _graded(picture.reduce(2), rng)


def palette(rng) -> dict[str, tuple[int, int, int]]:
    """Seven RGB colours: dark, light, three accents a, b, c, and a paper of any tone with an ink that stands out."""
    hue = rng.random()
    steps = ((0.0, 0.08, 0.5), (0.0, 0.33, 0.62), (0.0, 0.5, 0.58), (0.0, 0.12, 0.9))[rng.integers(4)]
    made = {"dark": _rgb(hue + 0.6, 0.5, 0.2), "light": _rgb(hue + 0.1, 0.1, 0.96)}
    for name, step in zip("abc", rng.permutation(steps), strict=True):
        made[name] = _rgb(hue + step, rng.uniform(0.4, 0.8), rng.uniform(0.6, 0.95))
    tone = rng.uniform(0.15, 0.97)
    made["paper"] = _rgb(hue + rng.random(), rng.uniform(0.1, 0.55), tone)
    made["ink"] = made["light" if tone < 0.6 else "dark"]
    return made


def _rgb(hue, saturation, value) -> tuple[int, int, int]:
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _window(area: float, rng) -> tuple[Image.Image, Image.Image]:
    """Masks of about this share of the canvas and of its rim: a disc, a box, or one side of a slanted line."""
    window, rim = Image.new("L", CANVAS), Image.new("L", CANVAS)
    pens, pixels = (ImageDraw.Draw(window), ImageDraw.Draw(rim)), area * W * H
    kind = rng.integers(3)
    if kind == 0:
        radius = (pixels / np.pi) ** 0.5
        x, y = rng.uniform(radius, W - radius), rng.uniform(radius, H - radius)
        for pen, look in zip(pens, LOOKS, strict=True):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), **look)
    elif kind == 1:
        width, height = (pixels * 4 / 3) ** 0.5, (pixels * 3 / 4) ** 0.5
        x, y = rng.uniform(8, W - 8 - width), rng.uniform(8, H - 8 - height)
        for pen, look in zip(pens, LOOKS, strict=True):
            pen.rounded_rectangle((x, y, x + width, y + height), 14, **look)
    else:
        slant = rng.uniform(-20, 20)
        pens[0].polygon([(0, 0), (area * W + slant, 0), (area * W - slant, H), (0, H)], fill=255)
        pens[1].line((area * W + slant, 0, area * W - slant, H), fill=255, width=5)
        if rng.random() < 0.5:
            window, rim = (mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for mask in (window, rim))
    return window, rim


def _player(picture: Image.Image, rng) -> None:
    """What a video page lays over its thumbnails: a length, a bar of what has been watched, an arrow."""
    pen = ImageDraw.Draw(picture)
    if rng.random() < 0.7:
        pen.rounded_rectangle((W - 58, H - 34, W - 10, H - 12), 6, fill=(20, 20, 20))
        for x in (W - 50, W - 38, W - 24):
            pen.rectangle((x, H - 27, x + 7, H - 18), fill=(240, 240, 240))
    if rng.random() < 0.4:
        pen.rectangle((0, H - 7, W, H), fill=(90, 90, 90))
        pen.rectangle((0, H - 7, rng.uniform(0.1, 1) * W, H), fill=(220, 40, 40))
    if rng.random() < 0.3:
        x, y = W / 2, H / 2
        pen.ellipse((x - 30, y - 30, x + 30, y + 30), fill=(25, 25, 25))
        pen.polygon([(x - 10, y - 16), (x + 18, y), (x - 10, y + 16)], fill=(245, 245, 245))


def _graded(picture: Image.Image, rng) -> Image.Image:
    """Brighter or darker, paler or more colourful: without this a count of the colours would tell the style."""
    picture = ImageEnhance.Color(picture).enhance(rng.uniform(0.6, 1.5))
    curve = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.4, 0.4))
    low, high = rng.uniform(0, 0.06), rng.uniform(0.88, 1)
    return picture.point(np.round(255 * (low + (high - low) * curve)).astype(int).tolist() * 3)


# ---- motifs: lists of (outline (n, 2) in the unit square, name of a colour), back to front


def motif(rng) -> list[tuple[np.ndarray, str]]:
    """One of seven motifs, moved, scaled and perhaps mirrored."""
    shapes = MOTIFS[rng.integers(len(MOTIFS))](rng)
    mirror, scale = rng.random() < 0.5, rng.uniform(0.8, 1.15)
    shift = rng.uniform(-0.07, 0.07, 2)
    moved = []
    for outline, colour in shapes:
        outline = (np.asarray(outline, float) - 0.5) * scale + 0.5 + shift
        if mirror:
            outline[:, 0] = 1 - outline[:, 0]
        moved.append((outline, colour))
    return moved


def _ellipse(x, y, width, height, turn=0.0):
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    across, up = width * np.cos(angle), height * np.sin(angle)
    # the canvas is 4:3, so that a circle of the unit square would be drawn flat
    return np.column_stack(
        (x + 0.75 * (across * np.cos(turn) - up * np.sin(turn)), y + across * np.sin(turn) + up * np.cos(turn))
    )


def _box(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _hills(rng):
    x = np.linspace(-0.3, 1.3, 24)
    shapes = [(_ellipse(rng.uniform(0.2, 0.8), 0.3, 0.17, 0.17), "a")]
    for level, colour in ((0.5, "b"), (0.65, "c"), (0.82, "dark")):
        y = level + 0.1 * np.sin(x * rng.uniform(4, 9) + rng.uniform(0, 6)) + 0.04 * np.sin(x * 17 + rng.uniform(0, 6))
        shapes.append((np.vstack((np.column_stack((x, y)), [(1.3, 1.4), (-0.3, 1.4)])), colour))
    return shapes


def _towers(rng):
    shapes = [(_ellipse(0.75, 0.25, 0.13, 0.13), "a")]
    x = -0.2
    while x < 1.2:
        width, top = rng.uniform(0.1, 0.2), rng.uniform(0.25, 0.7)
        shapes.append((_box(x, top, x + width, 1.4), "bc"[rng.integers(2)]))
        shapes += [(_box(x + 0.03, y, x + 0.06, y + 0.05), "light") for y in np.arange(top + 0.06, 0.85, 0.13)]
        x += width + 0.01
    return [*shapes, (_box(-0.3, 0.88, 1.3, 1.4), "dark")]


def _flower(rng):
    n, x, y = rng.integers(5, 9), 0.5, 0.4
    shapes = [(_box(x - 0.015, y, x + 0.015, 1.4), "dark"), (_ellipse(x + 0.13, 0.8, 0.15, 0.06, -0.5), "c")]
    for angle in np.arange(n) * 2 * np.pi / n + rng.uniform(0, 1):
        shapes.append(
            (_ellipse(x + 0.15 * np.cos(angle), y + 0.2 * np.sin(angle), 0.19, 0.09, angle), "a"),
        )
    return [*shapes, (_ellipse(x, y, 0.1, 0.1), "b")]


def _boat(rng):
    x = np.linspace(-0.3, 1.3, 40)
    waves = np.column_stack((x, 0.74 + 0.025 * np.sin(x * 30 + rng.uniform(0, 6))))
    return [
        (_ellipse(0.2, 0.25, 0.13, 0.13), "b"),
        ([(0.5, 0.12), (0.5, 0.6), (0.5 + rng.uniform(0.2, 0.3), 0.6)], "a"),
        ([(0.47, 0.2), (0.47, 0.6), (0.47 - rng.uniform(0.12, 0.22), 0.6)], "light"),
        ([(0.22, 0.64), (0.8, 0.64), (0.7, 0.8), (0.32, 0.8)], "dark"),
        (np.vstack((waves, [(1.3, 1.4), (-0.3, 1.4)])), "c"),
    ]


def _planet(rng):
    turn = rng.uniform(-0.6, 0.6)
    ring, hole = _ellipse(0.5, 0.5, 0.55, 0.15, turn), _ellipse(0.5, 0.5, 0.43, 0.09, turn)[::-1]
    front = np.vstack((ring[:17], hole[15:]))  # the half of the ring that passes before the planet
    moons = [(_ellipse(*rng.uniform(0.05, 0.95, 2), 0.05, 0.05), "b") for _ in range(3)]
    stars = [(_ellipse(*rng.uniform(0, 1, 2), 0.015, 0.015), "light") for _ in range(8)]
    return [*stars, *moons, (_ellipse(0.5, 0.5, 0.32, 0.32), "a"), (front, "c")]


def _house(rng):
    left, right, top = rng.uniform(0.2, 0.3), rng.uniform(0.7, 0.8), rng.uniform(0.4, 0.5)
    return [
        (_box(0.62, 0.15, 0.69, 0.4), "dark"),
        (_box(left, top, right, 0.85), "a"),
        ([(left - 0.06, top), (0.5, 0.1), (right + 0.06, top)], "b"),
        (_box(0.44, 0.62, 0.56, 0.85), "dark"),
        (_box(left + 0.05, 0.55, left + 0.13, 0.68), "light"),
        (_box(right - 0.13, 0.55, right - 0.05, 0.68), "light"),
        (_box(-0.3, 0.85, 1.3, 1.4), "c"),
    ]


def _fish(rng):
    y = rng.uniform(0.42, 0.55)
    return [
        ([(0.68, y), (0.92, y - 0.2), (0.86, y), (0.92, y + 0.2)], "b"),
        ([(0.4, y - 0.15), (0.55, y - 0.36), (0.62, y - 0.1)], "b"),
        (_ellipse(0.45, y, 0.4, 0.23), "a"),
        (_ellipse(0.28, y - 0.05, 0.05, 0.05), "light"),
        (_ellipse(0.28, y - 0.05, 0.025, 0.025), "dark"),
        *((_ellipse(rng.uniform(0.05, 0.2), rng.uniform(0.05, 0.4), 0.04, 0.04), "c") for _ in range(4)),
    ]


MOTIFS = (_hills, _towers, _flower, _boat, _planet, _house, _fish)

# ---- logos


def logo(channels: tuple[str, str, float], rng: np.random.Generator) -> Image.Image:
    """An RGB picture of 64 x 64 pixels: the emblem of the first channel, and small in a corner that of its partner."""
    first, second, share = channels
    side = 4 * LOGO_SIZE[0]
    colours = palette(rng)
    paper, ink = (colours[name] for name in (("light", "a"), ("a", "light"), ("dark", "b"))[rng.integers(3)])
    picture = Image.new("RGB", (side, side), paper)
    _emblem(picture, first, rng.uniform(0.42, 0.5) * side, rng.uniform(0.42, 0.5) * side, 0.34 * side, ink, paper)
    badge = (1 - share) ** 0.5 * 0.36 * side
    x = y = side - badge - 14
    ImageDraw.Draw(picture).ellipse(
        (x - badge, y - badge, x + badge, y + badge), fill=colours["c"], outline=paper, width=6
    )
    _emblem(picture, second, x, y, 0.66 * badge, colours["light"], colours["c"])
    return picture.resize(LOGO_SIZE, Image.Resampling.BOX)


def _emblem(picture, channel, x, y, radius, ink, paper) -> None:
    pen = ImageDraw.Draw(picture)
    for outline, in_ink in EMBLEMS[channel]:
        pen.polygon(
            [(x + radius * across, y + radius * down) for across, down in outline], fill=ink if in_ink else paper
        )


def _star(n, inner, turn=0.0):
    """A star with n points; with inner = 1 a polygon with 2 n corners."""
    angle = np.arange(2 * n) * np.pi / n - np.pi / 2 + turn
    reach = np.where(np.arange(2 * n) % 2, inner, 1.0)
    return np.column_stack((reach * np.cos(angle), reach * np.sin(angle)))


DISC = _star(24, 1.0)
# channel -> outlines in units of the radius, each in ink (True) or cut out (False)
EMBLEMS = {
    "Halo": [(DISC, True), (0.62 * DISC, False), (0.25 * DISC, True)],
    "Fivestar": [(_star(5, 0.42), True)],
    "Crescent": [(DISC, True), (0.82 * DISC + (0.42, -0.1), False)],
    "Summit": [([(-1, 0.8), (-0.25, -0.8), (0.15, 0), (0.4, -0.4), (1, 0.8)], True)],
    "Crossway": [
        ([(-0.3, -1), (0.3, -1), (0.3, 1), (-0.3, 1)], True),
        ([(-1, -0.3), (1, -0.3), (1, 0.3), (-1, 0.3)], True),
    ],
    "Ladder": [([(-0.9, y), (0.9, y), (0.9, y + 0.36), (-0.9, y + 0.36)], True) for y in (-0.9, -0.18, 0.54)],
    "Rhombus": [([(0, -1), (0.8, 0), (0, 1), (-0.8, 0)], True), ([(0, -0.5), (0.4, 0), (0, 0.5), (-0.4, 0)], False)],
    "Quarters": [
        ([(-0.95, -0.95), (-0.07, -0.95), (-0.07, -0.07), (-0.95, -0.07)], True),
        ([(0.07, 0.07), (0.95, 0.07), (0.95, 0.95), (0.07, 0.95)], True),
        (0.4 * DISC + (0.5, -0.5), True),
        (0.4 * DISC + (-0.5, 0.5), True),
    ],
}
