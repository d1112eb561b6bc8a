"""Names stay text, in one line and short, wherever lrcore writes them."""

import csv
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from hostile import NAMES
from wrong import LONGEST

import lrcore
from lrcore import cli
from lrcore.monitor import Finding, _page, _panels
from lrcore.schedules import Constant, Cosine

PLAIN = [f"name {k}" for k in range(len(NAMES))]


def monitored():
    monitor = lrcore.Monitor()
    for k in range(50):
        monitor.update(1 / (k + 1), lr=0.1)
    return monitor


def searched(names):
    space = {f"{name} {k}": [1, 2] for k, name in enumerate(names)}
    space["choice"] = list(dict.fromkeys(names))
    return lrcore.tune(lambda params: 1.0, space, "random", 5, seed=0)


def listed(names):
    return [Finding(name, "error", 9, 3, name, name, name) for name in names]


# --- HTML -----------------------------------------------------------------------------


class Reader(HTMLParser):
    """Collects elements with the names of their attributes, and comments."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, *(name for name, _ in attrs)))

    def handle_comment(self, data):
        self.found.append(("comment", data))


def page(names, path):
    """The page without its pictures, which have no names."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_panels, "panels", lambda history: {})
        _page.write(path, monitored().history, listed(names), " ".join(names))
    return path.read_text("utf-8")


def in_a_notebook(names, _):
    monitor = monitored()
    monitor.findings = listed(names)
    return monitor._repr_html_()


HTML = {
    "page": page,
    "monitor": in_a_notebook,
    "search": lambda names, _: searched(names)._repr_html_(),
}


@pytest.mark.parametrize("name", HTML)
def test_html_has_no_element_more(name, tmp_path):
    text = HTML[name](NAMES, tmp_path / "page.html")
    like = HTML[name](PLAIN, tmp_path / "like.html")
    assert sorted(Reader(text).found) == sorted(Reader(like).found)
    assert all(line.isprintable() for line in text.split("\n"))
    text.encode()


# --- pictures -------------------------------------------------------------------------

LOSSES = [2.0, 1.0, 0.5]
TITLE = "\n".join(NAMES)

PICTURES = {
    "dashboard": lambda path: lrcore.plots.dashboard(
        lrcore.Monitor().history, listed(NAMES), path, TITLE
    ),
    "compare": lambda path: lrcore.plots.compare(
        dict.fromkeys(NAMES, LOSSES), path, TITLE, label=NAMES[-1]
    ),
    "schedules": lambda path: lrcore.plots.schedules(
        dict.fromkeys(NAMES, Cosine(1.0, total=9)), 9, path, TITLE, label=NAMES[6]
    ),
    "surface": lambda path: lrcore.plots.surface(
        lrs={NAMES[6]: 0.1}, steps=2, path=path, title=TITLE
    ),
    "search": lambda path: searched(NAMES[6:7]).plot(path, TITLE),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_and_has_no_element_more(name, tmp_path):
    path = tmp_path / "picture.svg"
    PICTURES[name](path)
    # Texts are shapes beside comments; a comment of 10,000 letters would be the name.
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    elements = [*ElementTree.parse(path, parser).getroot().iter()]
    tags = {str(each.tag).rpartition("}")[2] for each in elements}
    assert not {"script", "img", "image", "foreignObject", "a"} & tags
    assert not [key for each in elements for key in each.attrib if key[:2] == "on"]
    comments = [each.text for each in elements if each.tag is ElementTree.Comment]
    assert any("x$" in text for text in comments)
    assert max(map(len, comments)) < 300


# --- text -----------------------------------------------------------------------------


def params(names):
    return {f"{name} {k}": np.ones(2) for k, name in enumerate(names)}


def groups(names):
    opt = lrcore.SGD(params(names), groups={"*": {"lr": 0.5}})
    return "\n".join(map(repr, [opt, *opt.param_groups]))


def noted(names):
    """The table of a search that an error has ended."""

    values = iter([1.0, 2.0])
    space = {name: [1, 2] for name in names}
    with pytest.raises(StopIteration) as told:
        lrcore.tune(lambda _: next(values), space, "random", 4, seed=0)
    return told.value.__notes__[-1]


TEXTS = {
    "search": lambda names: str(searched(names)),
    "note": noted,
    "groups": groups,
    "space": lambda names: repr(lrcore.space.check({"x": names})),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_table_has_its_lines_and_no_codes(name):
    text, like = TEXTS[name](NAMES), TEXTS[name](PLAIN)
    assert text.count("\n") == like.count("\n")
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_saved_finding_whose_text_has_codes_is_refused():
    monitor = monitored()
    saved = monitor.state_dict()
    for name in NAMES[7:12]:
        saved["findings"] = [tuple(listed([name])[0])]
        with pytest.raises(ValueError, match=r"findings\[0\]: expected a finding"):
            monitor.load_state_dict(saved)


def test_messages_have_one_short_line():
    opt = lrcore.SGD(np.ones(2))
    saved = opt.state_dict()
    for name in NAMES:
        for call in (
            lambda name=name: opt.load_state_dict({**saved, "optimizer": name}),
            lambda name=name: opt.param_groups[0].__setitem__(name, 1.0),
            lambda name=name: lrcore.SGD({name: 1}),
            lambda name=name: lrcore.SGD(np.ones(2), convention=name),
            lambda name=name: lrcore.schedules.parse(name),
            lambda name=name: opt.load(f"/gone/{name}".replace("\0", "")),
        ):
            with pytest.raises((KeyError, OSError, TypeError, ValueError)) as told:
                call()
            assert str(told.value).isprintable(), name
            assert len(str(told.value)) <= LONGEST


# --- the command line -----------------------------------------------------------------


def test_a_csv_file_has_numbers_only(capsys):
    assert cli.main(["schedule", "Constant(0.1)", "--csv", "--steps", "3"]) == 0
    rows = [*csv.reader(capsys.readouterr().out.splitlines())]
    assert rows[0] == ["step", "value"]
    assert [[float(x) for x in row] for row in rows[1:]] == [[t, 0.1] for t in range(3)]
    assert Constant(0.1)(0) == 0.1


@pytest.mark.parametrize("name", [NAMES[0], NAMES[7], NAMES[8], NAMES[10], NAMES[12]])
def test_a_command_prints_no_codes_of_a_file(name, tmp_path, capsys):
    path = tmp_path / f"{name.replace('/', '')}.py"
    path.write_text(f"raise ValueError({name!r})")
    assert cli.main(["compare", str(path)]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err[:-1].isprintable()
