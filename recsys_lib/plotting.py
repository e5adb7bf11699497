"""Figures of one family: the house style, and the plots that more than one notebook draws."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

# Okabe & Ito's palette: told apart by colour-blind readers; ordered so that neighbours also differ in grey.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#222222", "#B8A800")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def style() -> None:
    """Set the house style: quiet axes, one palette, sizes that read on a phone."""
    mpl.rcParams.update(
        {
            "figure.figsize": (7.2, 4.2),
            "figure.dpi": 110,
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.titlesize": 12,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#E3E3E3",
            "grid.linewidth": 0.8,
            "lines.linewidth": 2.0,
            "lines.markersize": 7,
            "legend.frameon": False,
            "axes.prop_cycle": mpl.cycler(color=COLOURS),
        }
    )


def labelled_scatter(table: pd.DataFrame, x: str, y: str, *, ax=None, x_error=None, y_error=None, highlight=()):
    """One labelled point a row of `table` (labels = index). Returns the axes.

    x_error, y_error : (2, n) distances below and above the point, as matplotlib's errorbar takes them.
    highlight : labels drawn in colour; the others are grey. Empty: all in colour.
    """
    ax = ax or plt.gca()
    for row, (name, point) in enumerate(table.iterrows()):
        loud = not len(highlight) or name in highlight
        colour = COLOURS[row % len(COLOURS)] if loud else "#9A9A9A"
        pick = [None if e is None else np.asarray(e)[:, [row]] for e in (x_error, y_error)]
        ax.errorbar(
            point[x],
            point[y],
            xerr=pick[0],
            yerr=pick[1],
            fmt=MARKERS[row % len(MARKERS)],
            color=colour,
            capsize=2,
            elinewidth=1,
        )
    ax.margins(0.12)
    _label(ax, table[[x, y]])
    return ax


def _label(ax, points: pd.DataFrame) -> None:
    """Write each point's name beside it, at the first of a few places where it covers no other name or point."""
    ax.figure.draw_without_rendering()  # applies the layout, so that places in pixels are known
    renderer = ax.figure.canvas.get_renderer()
    taken = [mpl.transforms.Bbox.from_bounds(px - 5, py - 5, 10, 10) for px, py in ax.transData.transform(points)]
    for name, point in points.iterrows():
        text = ax.annotate(
            str(name), tuple(point), xytext=(7, 4), textcoords="offset points", fontsize=9.5, color="#333333"
        )
        for dx, dy in ((7, 4), (7, -12), (-7, 4), (-7, -12), (7, 16), (7, -24), (-7, 16), (-7, -24)):
            text.set(position=(dx, dy), horizontalalignment="left" if dx > 0 else "right")
            box = text.get_window_extent(renderer)
            if not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)


def intervals(table: pd.DataFrame, *, value="value", low="low", high="high", ax=None, reference: float | None = 0.0):
    """Horizontal intervals, one a row of `table` (labels = index), first row on top. Returns the axes."""
    ax = ax or plt.gca()
    place = np.arange(len(table))[::-1]
    start, stop = table[low].to_numpy(float), table[high].to_numpy(float)
    # The bar is drawn about its own middle: a value may lie outside its interval.
    ax.errorbar((start + stop) / 2, place, xerr=np.abs(stop - start) / 2, fmt="none", ecolor=COLOURS[0], capsize=3)
    ax.plot(table[value].to_numpy(float), place, "o", color=COLOURS[0])
    ax.set_yticks(place, table.index)
    ax.grid(axis="y", visible=False)
    if reference is not None:
        ax.axvline(reference, color="#555555", linewidth=1, linestyle="--")
    return ax


def concept_graph(boxes: dict, arrows, *, ax=None):
    """Boxes and arrows. boxes: name -> (x, y, text, colour index); arrows: (from, to)."""
    ax = ax or plt.gca()
    ax.set_axis_off()
    drawn = {}
    for name, (x, y, text, colour) in boxes.items():
        drawn[name] = ax.annotate(
            text,
            (x, y),
            ha="center",
            va="center",
            fontsize=10,
            bbox={"boxstyle": "round,pad=0.5", "fc": COLOURS[colour] + "22", "ec": COLOURS[colour], "lw": 1.4},
        ).get_bbox_patch()
    for start, end in arrows:
        (x0, y0), (x1, y1) = boxes[start][:2], boxes[end][:2]
        ax.annotate(
            "",
            (x1, y1),
            (x0, y0),
            arrowprops={
                "arrowstyle": "-|>",
                "color": "#555555",
                "lw": 1.3,
                "patchA": drawn[start],
                "patchB": drawn[end],
                "shrinkA": 2,
                "shrinkB": 2,
            },
        )
    return ax
