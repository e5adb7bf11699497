"""The ten styles in which a thumbnail can be drawn.

A style is a function of the motif (a list of outlines (n, 2) in the unit square, each with the name of a colour, back
to front), colours by name (dark, light, the accents a, b, c, paper and ink) and a generator; it gives a picture of the
canvas's size. Motif and hues say nothing of the style.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE = (160, 120)  # pixels of a thumbnail, width and height
CANVAS = W, H = (2 * SIZE[0], 2 * SIZE[1])  # drawn at twice the size, then reduced: smooth edges


def blend(one, other, share) -> tuple[int, int, int]:
    """`share` of one colour and the rest of the other."""
    return tuple(round(share * a + (1 - share) * b) for a, b in zip(one, other, strict=True))


def _points(outline, scale=1.0) -> list[tuple[float, float]]:
    return list(map(tuple, (np.asarray(outline) * (W * scale, H * scale)).tolist()))


def _flat(shapes, colours, background, scale=1.0) -> Image.Image:
    picture = Image.new("RGB", (round(W * scale), round(H * scale)), background)
    pen = ImageDraw.Draw(picture)
    for outline, colour in shapes:
        pen.polygon(_points(outline, scale), fill=colours[colour])
    return picture


def _noise(rng, sd, size=SIZE) -> np.ndarray:
    """One value a pixel, to be added to all three colours."""
    return rng.normal(0, sd, (size[1], size[0], 1)).astype(np.float32)


def _image(values) -> Image.Image:
    """An array of any size as a picture of the canvas's size."""
    picture = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return picture if picture.size == CANVAS else picture.resize(CANVAS, Image.Resampling.BILINEAR)


def _comic(shapes, colours, rng):
    """Dots of a coarse print, fat black outlines."""
    picture = Image.new("RGB", CANVAS, colours["paper"])
    pen, step, dots = ImageDraw.Draw(picture), int(rng.integers(11, 15)), colours["abc"[rng.integers(3)]]
    for row, y in enumerate(range(0, H + step, step)):
        radius = step * (0.15 + 0.4 * y / H)
        for x in range(-(row % 2) * step // 2, W + step, step):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=dots)
    for outline, colour in shapes:
        points = _points(outline)
        pen.polygon(points, fill=colours[colour])
        pen.line([*points, *points[:2]], fill=(15, 12, 18), width=6, joint="curve")
    return picture


def _minimal(shapes, colours, rng):
    """The motif in tones of one hue on a disc, amid empty space."""
    paper, ink = colours["paper"], colours["ink"]
    ink = blend(ink, colours["abc"[rng.integers(3)]], 0.4)
    tones = {name: blend(ink, paper, share) for name, share in zip("abc", (0.25, 0.5, 0.7), strict=True)}
    tones |= {"dark": blend(ink, paper, 0.4), "light": paper}
    side = int(rng.integers(130, 165))
    inner = (
        _flat(shapes, tones, ink)
        .resize((side * 4 // 3, side), Image.Resampling.BOX)
        .crop((side // 6, 0, side * 7 // 6, side))
    )
    disc = Image.new("L", (side, side))
    ImageDraw.Draw(disc).ellipse((0, 0, side - 1, side - 1), fill=255)
    picture = Image.new("RGB", CANVAS, paper)
    picture.paste(inner, (int(rng.integers(20, W - side - 20)), int(rng.integers(20, H - side - 20))), disc)
    return picture


def _watercolour(shapes, colours, rng):
    """Translucent washes with uneven rims on rough paper."""
    picture = Image.new("RGB", SIZE, blend(colours["paper"], (250, 246, 240), rng.uniform(0.1, 0.5)))
    back = Image.new("L", SIZE)
    ImageDraw.Draw(back).ellipse((5, 5, 155, 100), fill=90)
    picture.paste(colours["b"], mask=back.filter(ImageFilter.GaussianBlur(14)))
    for outline, colour in shapes:
        wash = Image.new("L", SIZE)
        for layer in (100, 80):
            shaken = np.asarray(outline) + rng.normal(0, 0.012, np.shape(outline))
            part = Image.new("L", SIZE)
            ImageDraw.Draw(part).polygon(_points(shaken, 0.5), fill=layer)
            wash = ImageChops.add(wash, part)
        soft = wash.filter(ImageFilter.GaussianBlur(2.2))
        rim = ImageChops.subtract(wash, soft)  # pigment gathers at the rim
        picture.paste(colours[colour], mask=ImageChops.add(soft, rim))
    pigment = Image.fromarray((128 + rng.normal(0, 40, (8, 10))).clip(0, 255).astype(np.uint8))
    uneven = np.asarray(pigment.resize(SIZE, Image.Resampling.BICUBIC), np.float32)[..., None] - 128
    return _image(np.asarray(picture, np.float32) + 0.25 * uneven + _noise(rng, 5))


def _pixel(shapes, colours, rng):
    """Large square pixels and few colours, like an early video game."""
    across = int(rng.integers(28, 40))
    small = (across, across * 3 // 4)
    sky = blend(colours["paper"], colours["b"], 0.6)
    picture = _flat(shapes, colours, sky).resize(small, Image.Resampling.NEAREST)
    checks = Image.fromarray((np.indices(small[::-1]).sum(axis=0) % 2 * 26).astype(np.uint8))
    picture = ImageChops.subtract(picture, Image.merge("RGB", (checks,) * 3))
    return picture.resize(CANVAS, Image.Resampling.NEAREST)


def _neon(shapes, colours, rng):
    """Glowing outlines in the dark above a grid."""
    lines = Image.new("RGB", CANVAS)
    pen, horizon = ImageDraw.Draw(lines), int(H * rng.uniform(0.6, 0.72))
    floor = blend(colours["c"], (0, 0, 0), 0.6)
    for x in range(-400, W + 401, 45):
        pen.line((W / 2 + (x - W / 2) * 0.25, horizon, x, H), fill=floor, width=2)
    for depth in np.linspace(0, 1, 7) ** 2:
        pen.line((0, horizon + depth * (H - horizon), W, horizon + depth * (H - horizon)), fill=floor, width=2)
    for outline, colour in shapes:
        points, bright = _points(outline), blend((255, 255, 255), colours["ab"[colour in ("b", "c")]], 0.25)
        pen.polygon(points, fill=(0, 0, 0))
        pen.line([*points, *points[:2]], fill=bright, width=4, joint="curve")
    glow = lines.reduce(4).filter(ImageFilter.GaussianBlur(3)).resize(CANVAS, Image.Resampling.BILINEAR)
    night = Image.new("RGB", CANVAS, blend(colours["dark"], (0, 0, 0), 0.6))
    return ImageChops.add(ImageChops.add(night, glow), ImageChops.add(glow, lines))


def _noir(shapes, colours, rng):
    """One tint, hard light through a blind, grain of the film."""
    grey = {
        name: (level,) * 3
        for name, level in zip(("dark", "a", "b", "c", "light"), (15, 190, 110, 55, 235), strict=True)
    }
    picture = np.asarray(_flat(shapes, grey, (80, 80, 80)).reduce(2), np.float32).mean(axis=2, keepdims=True)
    y, x = np.indices(SIZE[::-1], np.float32)
    slant, step = rng.uniform(-0.6, 0.6), rng.uniform(13, 20)
    blind = np.where((y + slant * x) % step < 0.55 * step, 1.15, 0.35)
    beam = np.exp(-(((x - rng.uniform(40, 120)) / 60) ** 2) - ((y - rng.uniform(30, 80)) / 60) ** 2)
    lit = (picture + 20) * (0.25 + blind * beam)[..., None] + _noise(rng, 14)
    tint = np.array(blend((255, 255, 255), colours["a"], 0.75), np.float32) / 255
    return _image(lit * tint)


def _blueprint(shapes, colours, rng):
    """Thin lines of one colour, measures and construction marks on squared paper."""
    paper, pale = colours["paper"], blend(colours["ink"], colours["paper"], 0.85)
    picture = Image.new("RGB", CANVAS, paper)
    pen, step = ImageDraw.Draw(picture), int(rng.integers(12, 18))
    for place in range(0, W, step):
        shade = blend(pale, paper, 0.3 if place % (4 * step) == 0 else 0.14)
        pen.line((place, 0, place, H), fill=shade)
        pen.line((0, place, W, place), fill=shade)
    for outline, _ in shapes:
        points = np.array(_points(outline))
        pen.line([tuple(point) for point in (*points, points[0])], fill=pale, width=2)
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        if x1 - x0 > 40 and x1 < W and y1 < H:
            middle = ((x0 + x1) / 2, (y0 + y1) / 2)
            pen.line((x0, y1 + 9, x1, y1 + 9), fill=pale)
            for x in (x0, x1):
                pen.line((x, y1 + 4, x, y1 + 14), fill=pale)
            pen.line((middle[0] - 9, middle[1], middle[0] + 9, middle[1]), fill=pale)
            pen.line((middle[0], middle[1] - 9, middle[0], middle[1] + 9), fill=pale)
    pen.rectangle((8, 8, W - 9, H - 9), outline=pale, width=2)
    return picture


def _collage(shapes, colours, rng):
    """Patterned scraps of torn paper with shadows on cardboard."""
    picture = _image(np.array(blend(colours["paper"], (176, 140, 100), 0.7), np.float32) + _noise(rng, 9))
    pen, sheets = ImageDraw.Draw(picture, "RGBA"), {}
    for outline, colour in shapes:
        if colour not in sheets:
            sheets[colour] = _patterned(colours[colour], rng)
        turn, centre = rng.normal(0, 0.05), np.mean(outline, axis=0)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        torn = (np.asarray(outline) - centre) @ rotation + centre + rng.normal(0, 0.007, np.shape(outline))
        for distance in (4, 7, 10):
            pen.polygon(_points(torn + (distance / W, distance / H)), fill=(20, 15, 10, 55))
        mask, points = Image.new("L", CANVAS), _points(torn)
        ImageDraw.Draw(mask).polygon(points, fill=255)
        picture.paste(sheets[colour], mask=mask)
        pen.line([*points, *points[:2]], fill=(252, 250, 245, 255), width=4)  # the white core of the paper
    return picture


def _patterned(colour, rng) -> Image.Image:
    """Paper with stripes, dots or nothing on it."""
    sheet, other = Image.new("RGB", CANVAS, colour), blend(colour, (255, 255, 255), 0.7)
    pen, kind, step = ImageDraw.Draw(sheet), rng.integers(3), int(rng.integers(14, 22))
    for place in range(-H, W, step):
        if kind == 0:
            pen.line((place, H, place + H, 0), fill=other, width=step // 3)
        elif kind == 1 and place >= 0:
            for y in range(0, H, step):
                pen.ellipse((place, y, place + step // 3, y + step // 3), fill=other)
    return sheet


def _retro(shapes, colours, rng):
    """Rays and arches of the seventies in washed-out colours within a round frame."""
    cream = blend(colours["paper"], (242, 226, 192), 0.6)
    faded = {name: blend(colour, cream, 0.75) for name, colour in colours.items()}
    picture = Image.new("RGB", CANVAS, cream)
    pen, bands = ImageDraw.Draw(picture), [faded[name] for name in rng.permutation(["a", "b", "c"])]
    x, y = rng.uniform(0.3, 0.7) * W, rng.uniform(0.7, 1.0) * H
    if rng.random() < 0.5:
        turn = rng.uniform(0, 30)
        for ray in range(0, 360, 30):
            pen.pieslice((x - W, y - W, x + W, y + W), ray + turn, ray + turn + 15, fill=bands[ray // 30 % 2])
    for ring, radius in enumerate(range(150, 60, -15)):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=cream if ring % 2 else bands[ring // 2])
    for outline, colour in shapes:
        pen.polygon(_points(np.asarray(outline) + 0.015), fill=cream)
        pen.polygon(_points(outline), fill=faded[colour])
    frame = Image.new("L", CANVAS, 255)
    ImageDraw.Draw(frame).rounded_rectangle((12, 12, W - 13, H - 13), 36, fill=0)
    picture.paste(cream, mask=frame)
    return picture


def _mosaic(shapes, colours, rng):
    """Small triangles, each of one shade."""
    flat = np.asarray(_flat(shapes, colours, blend(colours["paper"], colours["a"], 0.7), 0.5), np.float32)
    columns = int(rng.integers(13, 18))
    rows = columns * 3 // 4
    y, x = np.mgrid[-1 : rows + 2, -1 : columns + 2].astype(float)
    inside = (slice(1, -1), slice(1, -1))
    x[inside] += rng.uniform(-0.33, 0.33, x[inside].shape)
    y[inside] += rng.uniform(-0.33, 0.33, y[inside].shape)
    corners = np.stack((x * W / columns, y * H / rows), axis=-1)
    a, b, c, d = corners[:-1, :-1], corners[:-1, 1:], corners[1:, :-1], corners[1:, 1:]
    triangles = np.stack((a, b, d, a, d, c), axis=2).reshape(-1, 3, 2)
    places = (triangles.mean(axis=1) / 2).astype(int).clip(0, (SIZE[0] - 1, SIZE[1] - 1))
    shades = flat[places[:, 1], places[:, 0]] * rng.uniform(0.78, 1.12, (len(places), 1))
    shades = (shades + rng.uniform(0, 14, shades.shape)).clip(0, 255).astype(int)
    picture = Image.new("RGB", CANVAS)
    pen = ImageDraw.Draw(picture)
    for triangle, shade in zip(triangles.reshape(-1, 6).tolist(), shades.tolist(), strict=True):
        pen.polygon(triangle, fill=tuple(shade))
    return picture


STYLES = {
    "comic": _comic,
    "minimal": _minimal,
    "watercolour": _watercolour,
    "pixel": _pixel,
    "neon": _neon,
    "noir": _noir,
    "blueprint": _blueprint,
    "collage": _collage,
    "retro": _retro,
    "mosaic": _mosaic,
}
