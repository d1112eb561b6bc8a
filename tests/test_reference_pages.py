"""Each public name stands on a page of docs/reference/."""

import re
from importlib import import_module
from inspect import isclass, ismodule
from pathlib import Path

import pytest

import lrcore
from lrcore.optimizers.base import docs
from lrcore.optimizers.base.common import Common
from lrcore.schedules import Schedule

PAGES = Path(__file__).parents[1] / "docs" / "reference"
LISTS = [
    (module, [line for line in body.splitlines() if not line.startswith(":")])
    for page in PAGES.glob("*.md")
    for module, body in re.findall(
        r"^```\{public\} (\S+)\n(.*?)^```", page.read_text(), re.M | re.S
    )
]


OUTSIDE = {f"lrcore.{room}" for room in lrcore._ADAPTERS}


def names_of(module):
    found = getattr(module, "__all__", None)
    return found or [n for n in vars(module) if not n.startswith("_")]


def named():
    """Return the modules that are listed, and the public things in their lists."""
    modules, things = set(), []
    for name, given in LISTS:
        modules.add(".".join(name.split(".")[:2]))
        if name not in OUTSIDE or name == "lrcore.scipy":  # others may be absent
            module = import_module(name)
            things += [getattr(module, each) for each in given or names_of(module)]
    return modules, things


MODULES, THINGS = named()


def test_each_room_has_a_page():
    rooms = {f"lrcore.{room}" for room in (*lrcore._ROOMS, "optimizers")}
    assert rooms | OUTSIDE <= MODULES


@pytest.mark.parametrize(
    "room", ["", *(f".{r}" for r in (*lrcore._ROOMS, "optimizers"))]
)
def test_each_public_name_is_listed(room):
    module = import_module(f"lrcore{room}")
    missing = [
        name
        for name in names_of(module)
        if not ismodule(thing := getattr(module, name))
        and not any(thing is each for each in THINGS)
    ]
    assert missing == []


def test_the_common_parameters_are_all_listed():
    text = (PAGES / "common_parameters.md").read_text()
    kinds = re.findall(r"^```\{common-parameters\} (\w+)$", text, re.M)
    by_name = {kind.__name__: kind for kind in Common.__bases__}
    listed = [name for kind in kinds for name in by_name[kind]._fields]
    assert sorted(listed) == sorted(Common._fields)


def test_the_page_of_an_optimizer_has_its_own_parameters():
    text = vars(lrcore.RMSprop)["__doc__"].with_own("**others\n    Elsewhere.")
    names = re.findall(r"^(\w+) : ", text, re.M)
    assert names[:3] == ["params", "lr", "alpha"]
    assert "convention" in names
    assert "clip_norm" not in names
    assert "**others\n    Elsewhere.\n" in text
    assert docs.own(lrcore.RMSprop) == names[1:]
    assert "clip_norm : " in lrcore.RMSprop.__doc__


def schedules():
    """Return the public classes of schedules."""
    kinds = {getattr(lrcore.schedules, name) for name in names_of(lrcore.schedules)}
    return {k for k in kinds if isclass(k) and issubclass(k, Schedule)}


def within(schedule):
    """Return the classes of a schedule and of those within it."""
    found = {type(schedule)}
    for value in vars(schedule).values():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Schedule):
                found |= within(each)
    return found


def test_the_gallery_shows_each_schedule():
    text = (PAGES / "schedule_gallery.md").read_text()
    shown = set()
    for block in re.findall(r"^```\{schedules\}\n(.*?)^```", text, re.M | re.S):
        for words in block.splitlines():
            shown |= within(lrcore.schedules.parse(words))
    assert schedules() - shown == {Schedule, lrcore.schedules.Function}


def test_the_table_of_schedules_names_each():
    words = re.findall(r"\w+", lrcore.schedules.__doc__)
    missing = {kind.__name__ for kind in schedules()} - {*words}
    assert missing == set(), "name them in lrcore/schedules/__init__.py"
