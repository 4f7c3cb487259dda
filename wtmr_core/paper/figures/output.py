"""What becomes of a figure: shown in a notebook, saved for a paper, the same bytes each time."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from wtmr_core import files
from wtmr_core.paper.figures.description import describe

DISPLAYED, PRINTED = 100, 200  # dots per inch


def show(fig: Figure) -> None:
    """Display a figure in a notebook as PNG and as text, and close it.

    The text is `describe(fig)`: what compares notebooks as text, as nbval does, compares the drawn data.
    """
    display(_Shown(png(fig), describe(fig)))
    plt.close(fig)


@dataclass(frozen=True)
class _Shown:
    """A picture where pictures can be shown, else its description."""

    picture: bytes
    text: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, bytes | str]:
        return {"image/png": self.picture, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text


def save(fig: Figure, stem: Path) -> None:
    """Write `stem`.png, with 200 dots per inch, and `stem`.pdf, each whole or not at all; make the folder if need be.

    A figure can be saved after it was shown. Raises `RunError` where a file cannot be written.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    nothing = dict.fromkeys(("Creator", "Producer", "CreationDate"))  # no versions and no dates
    files.write(stem.with_name(f"{stem.name}.png"), lambda path: path.write_bytes(png(fig, PRINTED)))
    files.write(stem.with_name(f"{stem.name}.pdf"), lambda path: fig.savefig(path, format="pdf", metadata=nothing))


def png(fig: Figure, dpi: int = DISPLAYED) -> bytes:
    """Render a figure as PNG of at most 256 colours, with the same bytes each time for the same matplotlib."""
    drawn, file = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png", dpi=dpi)
    picture = Image.open(drawn).convert("RGB")
    colours = picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours.save(file, format="png", optimize=True, dpi=(dpi, dpi))
    return file.getvalue()
