"""The page of a log: whole, accessible, closed to the network, and shown by a real browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from wtmr_core import files
from wtmr_core.tracking.log import LogWriter
from wtmr_core.tracking.page import write_page
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.render import VideoWriter
from wtmr_core.tracking.table import Row

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FILE = "keyframes/person-001-000000.50s.jpg"


@pytest.fixture
def folder(tmp_path):
    """A log with names that would break a page, one key frame and a video."""
    (tmp_path / "keyframes").mkdir()
    cv2.imwrite(str(tmp_path / FILE), np.full((30, 20, 3), 80, np.uint8))
    with LogWriter(tmp_path, video="<b>&.mp4", size=(64, 48), detector="movenet", model="home", fps=10) as log:
        for t in range(21):
            log.processed(t, t / 10, {1: Sighting(t, t / 10, np.array([1.0, 2, 3, 4]), 0.5)})
        log.warnings.append("the <end> is broken")
        log.episode(Row(1, Episode("sitting", 0, 1, 1, 0.9), "sofa", "near 2", ("", FILE, FILE)))
        log.episode(Row(1, Episode('"><script>alert(1)</script>', 1, 2, 1, 0.9)))
        log.episode(Row(2, Episode("unknown", 0, 2, 2, 0.4)))
        log.finish(frames=21, seconds=2.0)
    with VideoWriter(tmp_path / "annotated.mp4") as video:
        for t in range(20):
            video.write(np.full((48, 64, 3), 10 * t, np.uint8), t / 10)
    return tmp_path


class Elements(HTMLParser):
    """Every element of a page with its attributes; all are closed that must be."""

    VOID = ("meta", "img", "path", "use", "br")

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_a_page_is_whole_and_needs_neither_network_nor_scripts(folder):
    text = write_page(folder, "annotated.mp4").read_text()
    page = Elements(text)
    assert not page.all("script")
    assert not page.all("link")
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or (folder / value).is_file(), value
    assert not re.search(r"@import|url\((?!#)", text)
    assert "the &lt;end&gt; is broken" in text
    assert "<b>&" not in text


def test_a_page_tells_those_who_do_not_see_it(folder):
    page = Elements(write_page(folder).read_text())
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("title")) >= 1
    assert len(page.all("h1")) == 1
    assert {image["alt"] for image in page.all("img")} == {"Person 1, sitting, middle", "Person 1, sitting, best"}
    assert page.all("svg")[0]["aria-label"].startswith("Timeline of 2.0 seconds: 3 episodes of 2 people")
    assert all(cell["scope"] in ("row", "col") for cell in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) == 4
    assert not page.all("video")


def test_an_empty_and_a_stopped_log_have_a_page_that_says_so(tmp_path):
    with LogWriter(tmp_path, video="v", size=(6, 4), detector="d", model="m"):
        pass
    text = write_page(tmp_path).read_text()
    assert "Nobody was seen" in text
    assert "was stopped" in text
    Elements(text)


def test_a_folder_without_a_log_is_told(tmp_path):
    with pytest.raises(files.RunError, match=r"log\.json"):
        write_page(tmp_path)


def test_a_browser_shows_the_page(folder, tmp_path_factory):
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"no browser is installed: {', '.join(NAMES)}")
    page = write_page(folder, "annotated.mp4")
    command = [browser, *FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}", "--window-size=1200,1600"]
    picture = folder / "page.png"
    shown = subprocess.run(
        [*command, "--virtual-time-budget=3000", f"--screenshot={picture}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert picture.is_file()
    colours = cv2.imread(str(picture)).reshape(-1, 3)
    for colour in ((0x73, 0x9E, 0x00), (80, 80, 80)):  # BGR: the bar of sitting, the key frame
        assert (np.abs(colours.astype(int) - colour).max(1) <= 3).sum() > 100
