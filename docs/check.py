"""Check built pages in a browser: ``python docs/check.py build/docs``.

Pages are shown at the widths of a desktop and of a phone, in the light and the dark
theme.  None may log an error, ask for anything outside of the folder, need a
horizontal scroll bar, or break a rule of WCAG 2 that axe-core can see (contrast, names,
alternative texts, order of headings).  Each link within the site must lead to a page
and a place on it.  Live pages are worked by keyboard (check_keyboard.py).
"""

import argparse
import os
import re
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from urllib.parse import unquote, urldefrag

from axe_playwright_python.sync_playwright import Axe
from check_keyboard import PAGES as LIVE
from check_keyboard import live_faults
from playwright.sync_api import Page, sync_playwright

WIDTHS = 1280, 390
THEMES = "light", "dark"
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "preload": False,  # reading style sheets again fails from a disk
}
# One template makes these pages, so that one in twenty is opened.  All have their links
# followed.
GENERATED, EVERY = "generated", 20
# The search page has an empty list until somebody searches.
LEFT_OUT = {"search.html"}

# Elements that are wider than the page, unless they scroll by themselves.
WIDER = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const scrolls = e => e && (
        /(auto|scroll|hidden)/.test(getComputedStyle(e).overflowX)
        || scrolls(e.parentElement));
    return [...document.querySelectorAll("main *")]
        .filter(e => e.getBoundingClientRect().right > width + 1
                     && !scrolls(e.parentElement))
        .slice(0, 3).map(e => e.outerHTML.slice(0, 120)).concat("a horizontal scroll");
}"""


@cache
def ids(path: Path) -> set[str]:
    """Return the places of a page to which a link can lead."""
    return set(re.findall(r'\sid="([^"]+)"', path.read_text()))


def dead_links(path: Path) -> list[str]:
    """Return the links of a page that lead nowhere in the site."""
    found = []
    for link in set(re.findall(r'\s(?:href|src)="([^"]*)"', path.read_text())):
        address, place = urldefrag(link)
        if re.match(r"[a-z]+:", address) or link == "#":
            continue
        to = path.parent / unquote(address.partition("?")[0]) if address else path
        if not to.exists():
            found.append(f"{link} leads to nothing")
        elif place and to.suffix == ".html" and unquote(place) not in ids(to):
            found.append(f"{link} leads to no place of that page")
    return found


def faults_seen(page: Page, path: Path, axe: Axe) -> list[str]:
    """Open a page in each width and theme; return what is wrong with it."""
    seen: list[str] = []
    page.on("console", lambda m: seen.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("requestfailed", lambda request: seen.append(f"misses {request.url}"))
    page.goto(path.resolve().as_uri())
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)  # until the theme has seen the new width
        seen += [f"{width} px: {wide}" for wide in page.evaluate(WIDER)]
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(f"document.documentElement.dataset.theme == {theme!r}")
        broken = axe.run(page, options=RULES).response["violations"]
        seen += [
            f"{theme}: {rule['id']}: {node['html'][:150]}"
            for rule in broken
            for node in rule["nodes"][:3]
        ]
    return sorted(set(seen))


def faults_of(paths: list[Path], folder: Path, browser: str | None) -> list[str]:
    """Return what is wrong with some pages of a folder, each with the page's name."""
    faults = []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=browser, args=["--allow-file-access-from-files"]
        )
        context = launched.new_context(offline=True)
        axe = Axe()
        for path in paths:
            page, name = context.new_page(), path.relative_to(folder).as_posix()
            found = dead_links(path)
            if is_opened(path):
                found += faults_seen(page, path, axe)
            if name in LIVE:
                found += live_faults(page, folder, name)
            page.close()
            faults += [f"{name}: {fault}" for fault in found]
        launched.close()
    return faults


def is_opened(path: Path) -> bool:
    """Whether a page is looked at, beside its links."""
    if GENERATED not in path.parts:
        return True
    return sorted(path.parent.glob("*.html")).index(path) % EVERY == 0


def main() -> int:
    """Print what is wrong with the pages of a folder; return 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="pages whose path contains this")
    parser.add_argument("--browser", default=shutil.which("chromium"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="browsers")
    args = parser.parse_args()
    paths = [
        path
        for path in sorted(args.folder.rglob("*.html"))
        if args.only in str(path) and not {"_static", *LEFT_OUT} & {*path.parts}
    ]
    if not paths:
        parser.error(f"no page in {args.folder} has {args.only!r} in its path")
    jobs = min(args.jobs, len(paths))
    look = partial(faults_of, folder=args.folder, browser=args.browser)
    with ProcessPoolExecutor(jobs) as pool:
        shares = pool.map(look, [paths[k::jobs] for k in range(jobs)])
        faults = sorted(fault for share in shares for fault in share)
    print(*faults, f"{len(paths)} pages, {len(faults)} faults", sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
