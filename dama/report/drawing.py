"""Panel -> picture: an inline SVG in the page's colours, and a PNG on white. Same panel, same bytes."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from dama.report.palette import LIGHT
from dama.report.panels import Line, Panel

_WIDTH, _HEIGHT, _TITLE = 4.6, 2.6, 0.36
"""Inches of a figure, and of the head that only a PNG has."""
_PAD = 0.16
"""Inches around a PNG."""
_LEFT = 0.42
"""Inches left of the axes, for their numbers."""
_RC = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "mathtext.fontset": "dejavusans",
    "svg.fonttype": "none",
    "svg.hashsalt": "dama",
    "path.simplify": True,
    "axes.unicode_minus": True,
}
_FONT = re.compile(r"(font(?:-family)?:[^;\"]*?)'DejaVu Sans'(?:,[^;\"]*)?")


@dataclass(frozen=True)
class Drawing:
    """A drawn panel."""

    panel: Panel
    svg: str
    """An `<svg>` element for an HTML page; colours are the page's custom properties."""
    png: bytes


def drawn(panel: Panel) -> Drawing:
    """Draw a panel twice: for the page, and as a picture that stands alone."""
    with rc_context():
        rcdefaults()  # a person's own matplotlibrc must not change a report
        rcParams.update(_RC)
        figure = Figure(figsize=(_WIDTH, _HEIGHT), facecolor="none")
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        _fill(axes, panel)
        _place(axes, panel, head=0.0)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        figure.set_size_inches(_WIDTH, _HEIGHT + _TITLE)
        _place(axes, panel, head=_TITLE)
        figure.text(
            0.0,
            1 - 0.1 / (_HEIGHT + _TITLE),
            _math(panel.title),
            fontsize=9.5,
            fontweight="bold",
            color=LIGHT["ink"],
            va="top",
        )
        image = io.BytesIO()
        figure.savefig(
            image,
            format="png",
            dpi=200,
            facecolor=LIGHT["card"],
            bbox_inches=Bbox([[-_PAD, -_PAD / 2], [_WIDTH + _PAD, _HEIGHT + _TITLE + _PAD / 2]]),
            metadata={"Software": None},
        )
    return Drawing(panel, _inline(text.getvalue(), panel), image.getvalue())


def _place(axes: Any, panel: Panel, head: float) -> None:  # noqa: ANN401 - matplotlib has no types
    """Set the axes' margins in inches, so that all figures of a page line up."""
    height = _HEIGHT + head
    names = [line.label for line in panel.lines] + [mark.label for mark in panel.marks if mark.axis == "y"]
    longest = max((len(_plain(name)) for name in names), default=0)
    right = 0.42 if panel.right else 0.1 + 0.062 * longest + (0.05 if longest else 0.0)
    right += 0.2 if _dashes_differ(panel) else 0.0
    axes.set_position(
        (_LEFT / _WIDTH, 0.42 / height, (_WIDTH - _LEFT - right) / _WIDTH, (_HEIGHT - 0.42 - 0.32) / height)
    )


def _fill(axes: Any, panel: Panel) -> None:  # noqa: ANN401
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LIGHT["hair"])
    axes.set_facecolor("none")
    axes.grid(axis="y", color=LIGHT["hair"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", length=0, colors=LIGHT["muted"], pad=4)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=6, integer=panel.bars is None, min_n_ticks=1, steps=[1, 2, 5, 10])
    )
    axes.set_xlabel(_math(panel.x_label), color=LIGHT["muted"], labelpad=3, loc="right")
    above = {"color": LIGHT["muted"], "textcoords": "offset points", "va": "bottom", "annotation_clip": False}
    axes.annotate(
        _math(panel.y_label), (0, 1), (-72 * _LEFT, 9), xycoords="axes fraction", ha="left", **above
    )
    if panel.right is not None:
        label, factor = panel.right
        other = axes.secondary_yaxis("right", functions=(lambda y: y * factor, lambda y: y / factor))
        other.spines["right"].set_visible(False)
        other.tick_params(axis="y", length=0, colors=LIGHT["muted"], pad=4)
        other.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        axes.annotate(_math(label), (1, 1), (26, 9), xycoords="axes fraction", ha="right", **above)
    for band in panel.bands:
        axes.fill_between(band.x, band.low, band.high, color=LIGHT[band.colour], alpha=0.16, linewidth=0)
    if panel.bars is not None:
        edges = panel.bars.edges
        axes.bar(
            edges[:-1],
            panel.bars.counts,
            np.diff(edges) * 0.92,
            align="edge",
            color=LIGHT[panel.bars.colour],
            alpha=0.85,
            linewidth=0,
        )
    for line in panel.lines:
        _stroke(axes, line)
    _limits(axes, panel)
    _marks(axes, panel)
    _labels(axes, panel)


def _stroke(axes: Any, line: Line) -> None:  # noqa: ANN401
    colour = LIGHT[line.colour]
    dot = "o" if int(np.isfinite(line.y).sum()) <= 2 else ""
    if line.faint is not None and not dot:
        axes.plot(line.x, line.faint, color=colour, alpha=0.22 * line.opacity, linewidth=0.7)
    axes.plot(
        line.x,
        line.y,
        color=colour,
        alpha=line.opacity,
        linewidth=1.6,
        linestyle=line.dash,
        marker=dot,
        markersize=4,
        solid_capstyle="round",
    )


def _limits(axes: Any, panel: Panel) -> None:  # noqa: ANN401
    if panel.y_range is not None:
        axes.set_ylim(*panel.y_range)
    elif panel.bars is None:
        low, high = axes.get_ylim()
        if high - low < 1e-9:
            axes.set_ylim(low - 0.5, high + 0.5)
    if panel.bars is None:
        last = max((float(line.x[-1]) for line in panel.lines if len(line.x)), default=1.0)
        first = min((float(line.x[0]) for line in panel.lines if len(line.x)), default=0.0)
        axes.set_xlim(first - 0.5, last + 0.5) if last - first < 2 else axes.set_xlim(first, last)


def _marks(axes: Any, panel: Panel) -> None:  # noqa: ANN401
    for mark in panel.marks:
        if mark.axis == "y":
            axes.axhline(mark.value, color=LIGHT["muted"], linewidth=0.8, linestyle=mark.dash, zorder=1.5)
        else:
            axes.set_ylim(0, axes.get_ylim()[1] * 1.12)
            axes.axvline(mark.value, color=LIGHT["ink"], linewidth=0.9, linestyle=mark.dash)
            axes.annotate(
                _math(mark.label),
                (mark.value, 1.0),
                (4, -1),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                color=LIGHT["ink"],
                ha="left",
                va="top",
            )


def _labels(axes: Any, panel: Panel) -> None:  # noqa: ANN401
    """Write each line's name at its end, pushed apart where two would overlap, with a sample of its dash."""
    low, high = axes.get_ylim()
    ends: list[tuple[float, str, str, float, str]] = []
    for line in panel.lines:
        known = np.flatnonzero(np.isfinite(line.y))
        if line.label and len(known):
            end = (float(line.y[known[-1]]) - low) / (high - low)
            ends.append((end, line.label, line.colour, max(line.opacity, 0.75), line.dash))
    for mark in panel.marks:
        if mark.axis == "y" and mark.label and low <= mark.value <= high:
            ends.append(((mark.value - low) / (high - low), mark.label, "muted", 1.0, mark.dash))
    ends.sort()
    start = 1.075 if _dashes_differ(panel) else 1.015
    heights = spread([end for end, *_ in ends], gap=0.085)
    for height, (_, label, colour, opacity, dash) in zip(heights, ends, strict=True):
        style = {"transform": axes.transAxes, "color": LIGHT[colour], "alpha": opacity}
        axes.text(start, height, _math(label), va="center", ha="left", **style)
        if start > 1.05:
            sample = Line2D([1.015, 1.062], [height, height], linestyle=dash, linewidth=1.4, **style)
            sample.set_clip_on(False)
            axes.add_line(sample)


def _dashes_differ(panel: Panel) -> bool:
    return len({line.dash for line in panel.lines if line.label}) > 1


def spread(places: list[float], gap: float) -> list[float]:
    """Move ascending places in [0, 1] apart as little as keeps neighbours at least `gap` apart."""
    groups: list[list[float]] = []
    for place in places:
        groups.append([min(max(place, 0.0), 1.0)])
        while len(groups) > 1 and _span(groups[-2], gap)[1] + gap > _span(groups[-1], gap)[0]:
            last = groups.pop()
            groups[-1] += last
    return [_span(group, gap)[0] + gap * index for group in groups for index in range(len(group))]


def _span(group: list[float], gap: float) -> tuple[float, float]:
    """Return where the first and the last of a group go: evenly spaced about the group's mean."""
    length = gap * (len(group) - 1)
    first = max(0.0, min(sum(group) / len(group) - length / 2, 1.0 - length))
    return first, first + length


def _math(text: str) -> str:
    """Set `β_C` and the like as subscripts for matplotlib."""
    return re.sub(r"([βα])_([A-Z])", r"\1$_\\mathregular{\2}$", text)


def _plain(text: str) -> str:
    return text.replace("_", "")


def _inline(svg: str, panel: Panel) -> str:
    """Make matplotlib's SVG file an element of a page: own ids, the page's colours and fonts."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', svg)
    view = box.group(0) if box else ""
    label = panel.title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    svg = re.sub(
        r"<svg[^>]*>", f'<svg {view} role="img" aria-label="{label}">', svg, count=1, flags=re.DOTALL
    )
    svg = re.sub(r'\bid="', f'id="{panel.name}-', svg)
    svg = svg.replace("url(#", f"url(#{panel.name}-").replace('xlink:href="#', f'href="#{panel.name}-')
    svg = _FONT.sub(r"\1var(--sans)", svg)
    for name, colour in LIGHT.items():
        svg = svg.replace(colour, f"var(--{name})")
    return re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
