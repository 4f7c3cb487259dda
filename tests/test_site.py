"""What a reader opens first: README, pages and citation are whole, and the site can be built from them."""

import ast
import io
import re
import tomllib
from pathlib import Path

import docutils.core
import nbformat
import pytest
import yaml
from sphinx.ext.napoleon import Config, GoogleDocstring

from tests.conftest import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")
TOC = yaml.safe_load((PROJECT / "docs/toc.yml").read_text(encoding="utf-8"))
CITATION = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
LINK = re.compile(r"\]\(([^)\s]+)\)")


def listed(entries: list[dict]) -> list[str]:
    """The pages that entries of the table of contents name, those below them too."""
    pages = [entry.get("file") or entry["glob"] for entry in entries]
    return pages + [page for entry in entries for page in listed(entry.get("entries", []))]


def pages() -> list[Path]:
    """The Markdown pages of the site."""
    names = [TOC["root"], *(name for part in TOC["subtrees"] for name in listed(part["entries"]))]
    return [PROJECT / f"{name}.md" for name in names if (PROJECT / f"{name}.md").is_file()]


def text_of(page: Path) -> str:
    """A page, or the text cells of a notebook."""
    if page.suffix == ".ipynb":
        cells = nbformat.read(page, as_version=4).cells
        return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    text = text_of(page)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", re.sub(r"<[^>]+>", "", heading).lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def test_the_readme_is_one_screen_and_a_half_with_a_picture_above_the_fold():
    assert len(README.split()) <= 900
    assert "](docs/images/" in README[:1000]


def test_the_readme_says_what_the_audit_found():
    found = (PROJECT / "AUDIT.md").read_text(encoding="utf-8").split("\n\n")[2]
    entries, undecided, as_published, reproduced, refuted = re.findall(r"\d+", found)[:5]
    said = re.search(r"Of (\d+) published entries\*\*, (\d+) .*?(\d+) only .*?(\d+) are not, and\s+(\d+)", README, re.S)
    assert said.groups() == (entries, reproduced, as_published, refuted, undecided)


@pytest.mark.parametrize("page", [*pages(), *NOTEBOOKS], ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_within_the_project_leads_somewhere(page):
    text = text_of(page)
    assert not re.search("^%", text, re.MULTILINE)  # which the site takes for the beginning of a comment
    for link in LINK.findall(text):
        if re.match(r"https?:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_and_notebook_is_on_the_site():
    names = {str(page.relative_to(PROJECT)) for page in pages()}
    assert {str(page.relative_to(PROJECT)) for page in (PROJECT / "docs").rglob("*.md")} <= names
    assert {"README.md", "AUDIT.md", "CONTRIBUTING.md", "data/README.md", "results/README.md"} <= names


def test_the_address_of_the_repository_is_one():
    """Until it is published, a placeholder; whoever replaces it replaces all of it (see CONTRIBUTING.md)."""
    urls = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    address = urls["Repository"].removeprefix("https://github.com/")
    assert f"mybinder.org/v2/gh/{address}/" in README
    assert f"colab.research.google.com/github/{address}/" in README
    assert f"github.com/{address} companion" in (PROJECT / "docs/colab.ipynb").read_text(encoding="utf-8")


def test_the_notebook_for_colab_is_whole_and_names_every_notebook():
    colab = nbformat.read(PROJECT / "docs/colab.ipynb", as_version=4)
    nbformat.validate(colab)
    for notebook in NOTEBOOKS:
        assert f"`{notebook.stem}`" in colab.cells[0].source


def test_the_paper_is_cited_alike_everywhere():
    """In CITATION.cff with all that BibTeX needs, and in the README as BibTeX."""
    assert {"cff-version", "message", "title", "authors", "type", "license", "version"} <= CITATION.keys()
    paper = CITATION["preferred-citation"]
    (author,) = paper["authors"]
    bibtex = re.search(r"```bibtex\n(.*?)```", README, re.S)[1]
    fields = {
        key: " ".join(value.split()) for key, value in re.findall(r"(\w+)\s*= \{(.*?)\},?\n(?=  \w|\})", bibtex, re.S)
    }
    assert re.sub(r"[{}]", "", fields["title"]) == paper["title"]
    assert fields["author"] == f"{author['family-names']}, {author['given-names']}"
    assert (fields["year"], fields["url"]) == (str(paper["year"]), paper["url"])


def docstrings() -> list[tuple[str, str]]:
    """Every docstring of the package, with its place."""
    found = []
    for file in sorted((PROJECT / "wtmr_core").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
                name = getattr(node, "name", "")
                found.append((f"{file.relative_to(PROJECT)}:{name}", text))
    return found


def test_docstrings_can_be_read_by_the_reference():
    """Google style, whose text is reStructuredText: no open * or |, code by >>> or in backticks."""
    wrong = []
    for place, text in docstrings():
        warnings = io.StringIO()
        source = str(GoogleDocstring(text, Config(napoleon_use_ivar=True)))
        settings = {"warning_stream": warnings, "report_level": 2, "_disable_config": True}
        docutils.core.publish_doctree(f".. default-role:: code\n\n{source}", settings_overrides=settings)
        wrong += [f"{place}: {warnings.getvalue()}"] if warnings.getvalue() else []
    assert wrong == []
