"""The site: `make site` builds it from the committed pages, notebooks and docstrings; nothing is run or downloaded."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
PUBLISHED = "OWNER/REPOSITORY" not in REPOSITORY

project = "WTMR-Net companion"
author = "The WTMR-Net companion authors"
version = release = PROJECT["version"]

# The source is the whole repository, so that a link is right both on the site and where the files lie; toc.yml says
# which of them are pages.
extensions = ["myst_nb", "sphinx_external_toc", "sphinx_copybutton", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
external_toc_path = "docs/toc.yml"
external_toc_exclude_missing = True
exclude_patterns = [".*", "build", "data/*/**", "results/*/**", "tests", "profiles", "experiments"]

nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # no scripts from elsewhere; bars of progress are of no interest here
myst_heading_anchors = 4

default_role = "code"
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_default_options = {"members": True, "ignore-module-all": True}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
add_module_names = False

suppress_warnings = ["ref.python"]  # two classes of one name in different modules, named without them

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {
    "show_toc_level": 2,
    "use_download_button": False,
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
}
if PUBLISHED:
    html_theme_options |= {"repository_url": REPOSITORY, "use_repository_button": True}
    html_theme_options["launch_buttons"] = {"binderhub_url": "https://mybinder.org"}
# external links, listed by `make site` and tried by `sphinx-build -b linkcheck` where there is a network
linkcheck_ignore = [".*OWNER/REPOSITORY.*"]


def modules(room: str) -> list[str]:
    """The modules of a room of the package, or of its core."""
    folder = ROOT / "wtmr_core"
    files = folder.glob("*.py") if room == "core" else (folder / room).rglob("*.py")
    parts = (file.relative_to(ROOT).with_suffix("").parts for file in sorted(files))
    names = (".".join(part for part in of if part != "__init__") for of in parts if of[-1] != "__main__")
    return list(dict.fromkeys(names))


def add_reference(app, page: str, source: list[str]) -> None:
    """Add to a page of the API reference the docstrings of its room."""
    if page.startswith("docs/api/") and page != "docs/api/index":
        for module in modules(page.removeprefix("docs/api/")):
            source[0] += f"\n## {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n```\n"


def link_findings(app, page: str, source: list[str]) -> None:
    """Link to the findings of the audit by their anchors, which Markdown for GitHub writes as HTML."""
    if page == "AUDIT":
        source[0] = re.sub(r"\[([^\]]+)\]\((#\d+)\)", r'<a href="\2">\1</a>', source[0])


def setup(app) -> None:
    app.connect("source-read", add_reference)
    app.connect("source-read", link_findings)
