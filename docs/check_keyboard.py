"""Work the live pages by keyboard alone: Tab, arrows, Enter.

Each control must be reached by Tab, show that it has the focus, change what is drawn,
tell so to a screen reader (the text of the page's status), and let Tab go on.
"""

from pathlib import Path

from playwright.sync_api import Page

# Tabs before the first control of a page: the theme's links and its search.
MOST_TABS = 80

# What has the focus: a word for it, whether the page shows that, and what it changes.
FOCUSED = """() => {
    const at = document.activeElement, live = document.querySelector(".lrcore-live");
    if (!live.contains(at)) return null;
    const style = getComputedStyle(at);
    const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return [at.name || at.localName, ringed || style.boxShadow !== "none"];
}"""
DRAWN = """() => {
    const live = document.querySelector(".lrcore-live");
    const canvas = live.querySelector("canvas");
    const picture = canvas ? canvas.toDataURL() : live.querySelector("svg").outerHTML;
    return [picture, live.querySelector("[role=status]").textContent];
}"""

# For each page the controls in the order of Tab, and the keys of which each must change
# what is drawn.
SCHEDULES = [("select", ["ArrowDown"]), ("", ["ArrowRight"]), ("", ["ArrowRight"])]
SURFACE = [
    ("surface", ["ArrowDown"]),
    ("rule", ["ArrowDown"]),
    ("rate", ["ArrowLeft"]),
    ("canvas", ["ArrowLeft", "ArrowUp", "Enter"]),
    ("again", ["Enter"]),
    ("one", ["Enter"]),
    ("many", ["Enter"]),
]
PAGES = {"live/schedules.html": SCHEDULES, "live/surface.html": SURFACE}


def live_faults(page: Page, folder: Path, name: str) -> list[str]:
    """Work one live page of a folder of pages; return what is wrong."""
    page.goto((folder / name).resolve().as_uri())
    if page.query_selector(".lrcore-live") is None:
        return ["it has no controls: was the site built without clang's WebAssembly?"]
    page.wait_for_function("document.querySelector('.lrcore-live select').length > 0")
    found = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED):
            break
    else:
        return [f"no control is reached by {MOST_TABS} tabs"]
    for expected, keys in PAGES[name]:
        at = page.evaluate(FOCUSED)
        if at is None or expected not in at[0]:
            return [*found, f"the focus is on {at}, not on {expected or 'a slider'}"]
        control, is_shown = at
        if not is_shown:
            found.append(f"{control} does not show that it has the focus")
        for key in keys:
            before = page.evaluate(DRAWN)
            page.keyboard.press(key)
            page.wait_for_timeout(50)
            for was, now, what in zip(
                before, page.evaluate(DRAWN), ("picture", "status"), strict=True
            ):
                if was == now:
                    found.append(f"{key} on {control} does not change the {what}")
        page.keyboard.press("Tab")
    for _ in range(MOST_TABS):  # over sliders that are left
        if page.evaluate(FOCUSED) is None:
            return found
        page.keyboard.press("Tab")
    return [*found, "Tab does not leave the controls"]
