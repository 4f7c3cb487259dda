"""A log as a page for any browser, without network or scripts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import pandas as pd
from markupsafe import Markup

from wtmr_core import files
from wtmr_core.tracking.render import STYLE, timeline
from wtmr_core.tracking.table import COLUMNS, rows

TEMPLATE = Path(__file__).with_name("page.html")


def write_page(folder: str | Path, video: str = "") -> Path:
    """Write `page.html` into the folder of a log and return its path.

    The page shows the timeline and, for each person, the summary and the episodes with their key frames. Its pictures
    are files of the folder, so share the folder as a whole.

    Args:
        folder: folder of the log, with its `log.json`
        video: name of the annotated video in the folder, "" for none

    Raises:
        RunError: where the log cannot be read or the page cannot be written.
    """
    folder = Path(folder)
    log = files.read_json(folder / "log.json", ("video", "people", "episodes"))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["seconds"] = lambda value: f"{value:.1f}"
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    page = folder / "page.html"
    files.write_text(page, template.render(log=log, video=video, timeline=_drawn(log)))
    return page


def _drawn(log: dict[str, Any]) -> Markup:
    """The timeline as inline SVG, with a description for screen readers."""
    episodes = rows(pd.DataFrame(log["episodes"], columns=list(COLUMNS)))
    seconds = log["video"]["seconds"]
    text = io.StringIO()
    with mpl.rc_context(STYLE):
        timeline(episodes, seconds).savefig(text, format="svg", metadata={"Date": None})
    words = f"Timeline of {seconds:.1f} seconds: {len(episodes)} episodes of {len(log['people'])} people, listed below"
    svg = text.getvalue()
    return Markup(svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{words}"', 1))
