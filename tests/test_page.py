"""The page of a run, as a browser shows it: Chromium, through its debugging pipe."""

import base64
import io
import json
import os
import select
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from typing import NamedTuple

import numpy as np
import pytest
from histories import DIVERGED, FINDINGS, HEALTHY, found, history, nothing
from hostile import NAMES
from matplotlib import image

from lrcore.monitor import _page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

DESKTOP, PHONE = (1280, 900), (390, 844)
ODD = "<script>alert(1)</script> & \"quotes\" '{title}' $x$ \N{GREEK SMALL LETTER ETA}"


class Shown(NamedTuple):
    """What a browser made of a page."""

    problems: list  # errors of scripts and of the page, and what it asked of a network
    text: str
    width: float  # of all there is
    pictures: list  # name, left, top, width, height of each SVG, and texts within
    clipped: list  # texts that reach out of their SVG
    ids: list
    pixels: np.ndarray


class Browser:
    """A headless Chromium; requests and answers go through two pipes."""

    def __init__(self, folder):
        there, self.out = os.pipe()
        self.read, back = os.pipe()
        os.set_inheritable(there, True)
        os.set_inheritable(back, True)
        command = [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu",
            "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
            "--remote-debugging-pipe", f"--user-data-dir={folder}",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{there} 4>&{back}', "bash", *command],
            pass_fds=(there, back),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there)
        os.close(back)
        self.events, self.rest, self.session, self.count = [], b"", {}, 0
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def message(self):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.read], [], [], 60)
            more = os.read(self.read, 1 << 16) if ready else b""
            if not more:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the browser has ended, or is silent")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def ask(self, method, **params):
        self.count += 1
        request = {"id": self.count, "method": method, "params": params, **self.session}
        os.write(self.out, json.dumps(request).encode() + b"\0")
        while (answer := self.message()).get("id") != self.count:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def value(self, expression):
        done = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return done["result"]["value"]

    def show(self, path, size, scheme="light"):
        width, height = size
        scheme = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=size == PHONE,
        )  # fmt: skip
        self.events.clear()
        address = path.as_uri()
        self.ask("Page.navigate", url=address)
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self.events.append(self.message())
        pictures = self.value(
            "[...document.querySelectorAll('svg')].map(s => {"
            " const b = s.getBoundingClientRect();"
            " return [s.getAttribute('aria-label'), b.x, b.y, b.width, b.height,"
            " [...s.querySelectorAll('text')].map(t => t.textContent)] })"
        )
        clipped = self.value(
            "[...document.querySelectorAll('svg text')].filter(t => {"
            " const a = t.getBoundingClientRect();"
            " const b = t.closest('svg').getBoundingClientRect();"
            " return a.left < b.left || a.right > b.right"
            "  || a.top < b.top || a.bottom > b.bottom }).map(t => t.textContent)"
        )
        png = base64.b64decode(self.ask("Page.captureScreenshot")["data"])
        return Shown(
            [e for e in self.events if is_problem(e, address)],
            self.value("document.body.innerText"),
            self.value("document.documentElement.scrollWidth"),
            pictures,
            clipped,
            self.value("[...document.querySelectorAll('[id]')].map(e => e.id)"),
            image.imread(io.BytesIO(png))[..., :3],
        )

    def close(self):
        self.ask("Browser.close")
        os.close(self.out)
        self.process.wait(20)
        os.close(self.read)


def is_problem(event, address):
    method, params = event["method"], event["params"]
    if method == "Network.requestWillBeSent":
        return params["request"]["url"] != address
    if method == "Log.entryAdded":
        return params["entry"]["level"] in ("warning", "error")
    return method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no chromium is installed (Debian: apt install chromium)")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def page(tmp_path):
    return tmp_path / "report.html"


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    _page.write(path, DIVERGED, FINDINGS, "A run of AdamW")
    return path


# --- in a browser ---------------------------------------------------------------------


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_browser_shows_pictures_and_findings(browser, diverged, size):
    shown = browser.show(diverged, size)
    assert shown.problems == []
    assert shown.clipped == []
    assert shown.width <= size[0]  # nothing to scroll sideways
    names = ["loss", "learning rate", "gradient norm", "update / weight"]
    assert [name for name, *_ in shown.pictures] == [f"{x} by step" for x in names]
    for _, x, _, width, height, texts in shown.pictures:
        assert width >= 0.45 * size[0]
        assert height >= 0.3 * width
        assert 0 <= x <= x + width <= size[0]
        assert "1" in texts  # a finding's number
        assert "step" in texts
    for finding in FINDINGS:
        for word in (finding.kind, finding.evidence, finding.cause, finding.remedy):
            assert word in shown.text
    assert "error, steps 70,000 to 76,000" in shown.text


def test_what_is_drawn_is_seen(browser, diverged):
    shown = browser.show(diverged, DESKTOP)
    _, x, y, width, height, _ = shown.pictures[0]
    loss = shown.pixels[int(y) : int(y + height), int(x) : int(x + width)]
    for color in ((0, 114, 178), (213, 94, 0)):  # the smoothed loss; an error's line
        near = np.abs(loss * 255 - color).max(axis=2) < 12
        assert near.sum() > 200


def test_dark_and_light_follow_the_reader(browser, diverged):
    light, dark = (browser.show(diverged, DESKTOP, s) for s in ("light", "dark"))
    assert np.median(light.pixels) > 0.95
    assert np.median(dark.pixels) < 0.15
    _, x, y, width, height, _ = dark.pictures[0]
    label = dark.pixels[int(y) : int(y + height), int(x) : int(x + width / 20)]
    assert label.max() > 0.7  # the axis' name is light


def test_text_is_text(browser, page):
    findings = [found(name, 5, 5, name, name, name) for name in (ODD, *NAMES)]
    _page.write(page, history(np.ones(9)), findings, ODD)
    shown = browser.show(page, PHONE)
    assert shown.problems == []
    assert "<script>alert(1)</script>" in NAMES
    assert all(name in shown.text for name in NAMES if name.isprintable())
    assert (
        shown.text.count(ODD) == 6
    )  # heading, verdict, kind, the three of the finding
    assert browser.value("document.title") == ODD
    assert browser.value("document.scripts.length") == 0
    assert shown.width <= PHONE[0]


@pytest.mark.parametrize(
    ("given", "pictures"),
    [
        (nothing(), 1),
        (history([0.5]), 1),
        (history([np.nan] * 5), 1),
        (history([np.inf, -np.inf, np.nan, 1e308, -1e308]), 1),
        (history(np.geomspace(1, 1e-9, 1000), every=1000), 1),
        (history(np.ones(99), lr=np.full(99, 2.5e-7), grad_norm=np.full(99, 1e9)), 3),
        (history(np.linspace(-1.0001e9, -1e9, 99), lr=np.geomspace(1e-7, 10, 99)), 2),
    ],
)
def test_any_history_has_a_page(browser, page, given, pictures):
    _page.write(page, given, [], "A run")
    shown = browser.show(page, PHONE)
    assert shown.problems == []
    assert shown.clipped == []
    assert len(shown.pictures) == pictures
    assert "Nothing was found." in shown.text


def test_ids_are_unique_and_found(browser, diverged):
    ids = browser.show(diverged, DESKTOP).ids
    assert len(ids) == len(set(ids)) > 100
    asked = browser.value(
        "[...document.querySelectorAll('use')].map(u => u.getAttribute('xlink:href'))"
    )
    asked += browser.value(
        "[...document.querySelectorAll('[clip-path]')]"
        ".map(c => c.getAttribute('clip-path').slice(4, -1))"
    )
    assert {name.removeprefix("#") for name in asked} <= set(ids)
    assert len(asked) > 50


# --- in the file ----------------------------------------------------------------------


class Reader(HTMLParser):
    """Collect the elements, and the addresses that they load from."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.addresses = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.addresses += [v for k, v in attrs if k in ("src", "href", "xlink:href")]


def test_the_file_loads_and_runs_nothing(diverged):
    text = diverged.read_text(encoding="utf-8")
    read = Reader(text)
    tags = [tag for tag, _ in read.elements]
    assert not {"script", "link", "img", "iframe", "object", "image"} & set(tags)
    assert read.addresses
    assert all(address.startswith("#") for address in read.addresses)
    assert "@import" not in text
    assert text.count("url(") == text.count("url(#")
    assert text.startswith("<!DOCTYPE html>\n")
    assert read.elements[0] == ("html", {"lang": "en"})
    assert tags.count("h1") == tags.count("title") == 1


def test_the_file_is_small_and_the_same_each_time(diverged, page):
    _page.write(page, DIVERGED, FINDINGS, "A run of AdamW")
    assert page.read_bytes() == diverged.read_bytes()
    assert diverged.stat().st_size < 400_000  # of a thousand blocks


def test_a_style_of_the_users_does_not_matter(page):
    from matplotlib import style

    _page.write(page, history(np.ones(9)), [], "A run")
    plain = page.read_bytes()
    with style.context("dark_background"):
        _page.write(page, history(np.ones(9)), [], "A run")
    assert page.read_bytes() == plain


def test_the_summary(page):
    given = history([3.0, 0.25, np.nan], every=1000)
    given = given._replace(validation=np.array([np.nan, 4.0, np.nan]))
    told = {
        term: (value, severity)
        for term, value, severity in _page._summary(given, FINDINGS)
    }
    assert told == {
        "Verdict": ("diverging, non-finite loss", ' class="error"'),
        "Steps": ("0 to 2,000", ""),
        "Last loss": ("nan", ""),
        "Best loss": ("0.25 at step 1,000", ""),
        "Best validation": ("4 at step 1,000", ""),
    }
    healthy = found("healthy", 9, 1, "", "", "")
    verdicts = {
        "healthy": [healthy],
        "plateau; healthy at the end": [FINDINGS[3], healthy],
        "oscillating; healthy at the end": [FINDINGS[0], FINDINGS[3], healthy],
        "oscillating": [FINDINGS[0], FINDINGS[3]],
    }
    for verdict, findings in verdicts.items():
        assert _page._summary(given, findings)[0][1] == verdict
    assert _page._summary(nothing(), []) == [
        ("Verdict", "nothing found", ' class="info"')
    ]


def test_without_matplotlib_it_says_what_to_install(monkeypatch, page):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "lrcore\[plot\]"'):
        _page.write(page, HEALTHY, [], "A run")
    assert not page.exists()
