"""What a notebook shows instead of a repr: a small table of escaped text."""

from html.parser import HTMLParser

import numpy as np
import pytest

import lrcore
from lrcore._shared.html import table
from lrcore.optimizers.base.report import Report


class Cells(HTMLParser):
    """Collect names and values of a table, and check that all elements are closed."""

    def __init__(self, text):
        super().__init__()
        self.opened, self.cells, self.caption = [], [], ""
        self.feed(text)
        assert self.opened == []
        self.rows = dict(zip(self.cells[::2], self.cells[1::2], strict=True))

    def handle_starttag(self, tag, attrs):
        assert tag in {"table", "caption", "tbody", "tr", "th", "td"}
        assert {name for name, _ in attrs} <= {"style", "scope"}  # nothing to load
        self.opened.append(tag)
        if tag in ("th", "td"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag

    def handle_data(self, data):
        if self.opened[-1] == "caption":
            self.caption += data
        else:
            self.cells[-1] += data


def test_text_is_escaped():
    odd = "<script>alert('&amp; \"')</script>"
    shown = Cells(table(odd, [(odd, odd)]))
    assert (shown.caption, shown.rows) == (odd, {odd: odd})


def test_a_report():
    opt = lrcore.SGD(np.ones(4), lr=0.1, telemetry=True)
    opt.step(np.full(4, 3.0))
    shown = Cells(opt.report._repr_html_())
    assert shown.caption == "Report"
    assert [*shown.rows] == [*Report._fields]
    assert (shown.rows["t"], shown.rows["lr"]) == ("1", "0.1")
    assert (shown.rows["grad_norm"], shown.rows["applied"]) == ("6", "True")


@pytest.mark.parametrize("trial_steps", [0, 200])
def test_a_range_test(trial_steps):
    w = np.ones(2)
    opt = lrcore.SGD(w)
    found = lrcore.lr_find(opt, lambda _: (w @ w, 2 * w), [0], trial_steps=trial_steps)
    shown = Cells(found._repr_html_()).rows
    assert float(shown["suggestion"]) == pytest.approx(found.suggestion, rel=1e-2)
    assert shown["confidence"] == f"{found.confidence:.2f}"
    assert shown["reason"] == found.reason
    assert shown["rules"].count(",") == 3
    assert (shown["losses of trials"] == "none") == (trial_steps == 0)
    nothing = lrcore.LRSweep(opt).result
    shown = Cells(nothing._repr_html_()).rows
    assert (shown["suggestion"], shown["rules"]) == ("nan", "none can read the curve")


def test_a_monitor():
    monitor = lrcore.Monitor()
    assert Cells(monitor._repr_html_()).rows["learning rate"] == "unknown"
    for k in range(2000):
        monitor.update(1.0 + k, lr=0.1)
    shown = Cells(monitor._repr_html_())
    assert (shown.rows["learning rate"], shown.rows["steps"]) == ("too high", "2,000")
    assert shown.rows["error"].startswith("diverging at step")
    assert len(monitor._repr_html_()) < 5000
