"""RunView -> a folder with report.html, report.md and figures/*.png; several views -> a comparison."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from dama.errors import DamaError
from dama.hardness.summary import DOMINATES
from dama.report import tables
from dama.report.concerns import concerns, length_dominates
from dama.report.describe import described_engine
from dama.report.drawing import Drawing, drawn
from dama.report.figures import GAP_CAPTION, beta_panels, gap_panel, training_panels
from dama.report.flags import meaning
from dama.report.overlays import gap_panels, overlay_panels
from dama.report.palette import DARK, LIGHT, accent, css_variables
from dama.report.panels import Panel
from dama.report.summary import REPORT, Summary, summarised, to_bytes
from dama.report.table import Table, escaped
from dama.report.table_four import NOTE, OurRow, paper_key, paper_table, table_four
from dama.report.view import Fact, RunView, number, said, signed

COMPARISON = "compare.html"
_FACTS, _LISTED, _LETTERS = 14, 40, 400
"""What a page shows at most: facts of an answer, preferences in a list, letters of a fact."""


def write_report(view: RunView, out: Path) -> Summary:
    """Write report.html, report.md, summary.json and figures/*.png of one run; return the summary."""
    training, betas, gaps = training_panels(view), beta_panels(view), gap_panel(view)
    drawings = _draw((*training, *betas, *((gaps,) if gaps else ())), out)
    by_name = {drawing.panel.name: drawing for drawing in drawings}
    summary = summarised(view)
    values = {
        "view": view,
        "summary": summary,
        "concerns": concerns(view),
        "training": [by_name[p.name] for p in training],
        "betas": [by_name[p.name] for p in betas],
        "gaps": by_name.get("gaps"),
        "results": tables.results_table(view),
        "beta_table": tables.beta_table(view),
        "times": tables.time_table(view),
        "data": tables.data_table(view),
        "paper": paper_table(),
        "four": published_table(view),
        "four_note": NOTE,
        "spent": tables.duration(tables.total_seconds(view.stages, reused=False)),
        "spent_whole": tables.duration(tables.total_seconds(view.stages, reused=True)),
        "length_dominates": view.hardness is not None and length_dominates(view.hardness),
        "length_limit": DOMINATES,
        "flags": tables.flags_of(view),
        "most": _FACTS,
        "listed": _LISTED,
        "drawings": drawings,
    }
    pages = environment()
    _write(out / REPORT, pages.get_template("report.html.j2").render(values))
    _write(out / "report.md", pages.get_template("report.md.j2").render(values))
    (out / "summary.json").write_bytes(to_bytes(summary))
    return summary


def compare(views: Sequence[RunView], out: Path) -> None:
    """Write compare.html, compare.md and figures/*.png of several runs; DamaError without two runs."""
    if len(views) < 2 or len({view.run for view in views}) < len(views):
        raise DamaError(
            f"{len(views)} runs to compare: {', '.join(view.run for view in views) or 'none'}",
            wanted="two or more, each under its own name",
        )
    overlays, gaps = overlay_panels(views), gap_panels(views)
    told: dict[str, list[str]] = {}
    for view in views:
        for text in concerns(view):
            told.setdefault(text, []).append(view.run)
    drawings = _draw((*overlays, *gaps), out)
    values = {
        "views": views,
        "results": tables.comparison_table(views),
        "measured": any(view.changes() for view in views),
        "overlays": drawings[: len(overlays)],
        "gaps": drawings[len(overlays) :],
        "times": tables.comparison_times(views),
        "concerns": told,
        "gap_caption": GAP_CAPTION,
        "paper": paper_table(),
        "drawings": drawings,
    }
    pages = environment()
    _write(out / COMPARISON, pages.get_template("compare.html.j2").render(values))
    _write(out / "compare.md", pages.get_template("compare.md.j2").render(values))


def published_table(view: RunView) -> Table | None:
    """Return the run beside the paper's Table 4, None when it measured none of those benchmarks."""
    ours = [
        OurRow(f"{view.run}, {when}", results, paper_key(view.model, method))
        for when, results, method in (("before", view.before, None), ("after", view.after, view.method))
        if any(result.benchmark != "miniature" for result in results)
    ]
    return table_four(ours) if ours else None


def _draw(panels: Sequence[Panel], out: Path) -> list[Drawing]:
    """Draw panels and write their pictures."""
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    drawings = [drawn(panel) for panel in panels]
    for drawing in drawings:
        (folder / f"{drawing.panel.name}.png").write_bytes(drawing.png)
    return drawings


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def environment() -> Environment:
    """Return what pages are rendered by: the templates of this folder, their filters and colours."""
    made = Environment(
        loader=PackageLoader("dama.report", "."),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "symbols": symbols,
        "said": said,
        "signed": signed,
        "number": number,
        "md": escaped,
        "picture": picture,
        "warmth": warmth,
        "meaning": meaning,
        "engine": described_engine,
        "shortened": shortened,
        "accent": accent,
        "svg": _svg,
    }
    made.globals |= {
        "css": Markup(files("dama.report").joinpath("page.css").read_text(encoding="utf-8")),  # noqa: S704 - ours
        "light": Markup(css_variables(LIGHT)),  # noqa: S704 - ours
        "dark": Markup(css_variables(DARK)),  # noqa: S704 - ours
    }
    return made


def symbols(text: str) -> Markup:
    """Return `text` escaped, with `β_C` and the like set as subscripts and `code` as code."""
    safe = str(escape(text))
    safe = re.sub(r"([βα]|R̄)_([A-Z])", r"<i>\1</i><sub>\2</sub>", safe)
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", safe))  # noqa: S704 - escaped above


def picture(image: bytes) -> str:
    """Return a JPEG as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(image).decode()


def warmth(fact: Fact, ends: tuple[float, float]) -> str:
    """Return how far a fact's score lies between the two ends, as a percentage; empty where it has none."""
    low, high = ends
    if fact.score != fact.score:
        return ""
    share = (fact.score - low) / (high - low) if high > low else 0.5
    return f"{100 * min(max(share, 0.0), 1.0):.0f}%"


def shortened(text: str) -> str:
    """Return `text` on one line, cut where it is very long."""
    text = " ".join(text.split())
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"


def _svg(drawing: Drawing) -> Markup:
    return Markup(drawing.svg)  # noqa: S704 - made by drawing.py, where matplotlib escapes all text
