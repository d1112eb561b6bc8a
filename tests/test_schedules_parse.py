"""parse(): a schedule from text, of which nothing is run."""

import numpy as np
import pytest
from every_schedule import ALL

from lrcore import schedules
from lrcore.schedules import Constant, Cosine, Function, Linear, OneCycle, parse


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_a_repr_makes_the_schedule_again(schedule):
    assert parse(repr(schedule)) == schedule


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Cosine(0.1, total=900).warmup(100)", Cosine(0.1, total=900).warmup(100)),
        ("  Cosine(\n    .1,\n    total=9,\n  )\n", Cosine(0.1, total=9)),
        ("Constant(1).then(5, 0.5)", Constant(1).then(5, 0.5)),
        ("1 - 2 * Cosine(+0.1, 10) / 4", 1 - 2 * Cosine(0.1, 10) / 4),
        ("-Cosine(0.1, 5 * 2 - 1)", -Cosine(0.1, 9)),
        ("Cosine(0.1, 9).clamp(low=None, high=1e-2)", Cosine(0.1, 9).clamp(None, 0.01)),
        ("Cosine(1, 9).per_epoch(4, True)", Cosine(1, 9).per_epoch(4, True)),
        ("Linear(1, 0, total=3).scale(0.1)", Linear(1, 0, total=3).scale(0.1)),
        ("OneCycle(0.1, 10).momentum()", OneCycle(0.1, 10).momentum()),
        (
            "Constant(1).warmup(4, 0.1, shape='exponential')",
            Constant(1).warmup(4, 0.1, shape="exponential"),
        ),
        ("make('Cosine', 0.1, 100, warmup=9)", Cosine(0.1, 91).warmup(9)),
        ("join([1, Cosine(0.1, 9)], (5,))", Constant(1).then(5, Cosine(0.1, 9))),
        ("0.5", Constant(0.5)),
        ("-3", Constant(-3.0)),
    ],
)
def test_what_can_be_written(text, wanted):
    assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        # Where the wrong thing begins.
        ("Cosin(0.1, total=9)", 1, "did you mean Cosine?"),
        ("  0.5 * Cosin(0.1, 9)", 9, "did you mean Cosine?"),
        ("'é' + foo", 7, "found 'foo'"),
        ("Cosine(0.1, total=-1)", 19, "total: expected a number of steps"),
        ("Cosine(0.1, -1)", 13, "total: expected a number of steps"),
        ("Cosine(True, 9)", 8, "base: expected a finite number"),
        ("MultiStep(1, at=(3, 'x'))", 17, "at[1]: expected"),
        ("make('Cosine', 1, 9, warmup=10)", 29, "warmup: expected at most"),
        ("make('Cosin', 1, 9)", 6, "did you mean Cosine?"),
        ("Constant(1) + Cosine(0.1)", 15, "missing a required argument: 'total'"),
        ("Cosine(0.1, 9, nope=3)", 21, "Cosine: unexpected keyword 'nope'"),
        ("Cosine(0.1, totl=9)", 18, "keyword 'totl'; did you mean total?"),
        ("Cosine(0.1, total=9, total=9)", 28, "expected once, found twice"),
        ("Cosine(0.1, 9).warm(2)", 16, "did you mean warmup?"),
        ("Cosine(0.1, 9).momentum()", 16, "found 'momentum'"),
        ("(1).warmup(2)", 2, "expected a schedule before .warmup, found 1"),
        ("Cosine(0.1, 9) / 0", 1, "other than 0"),
        ("1 + 1 / 0", 5, "division by zero"),
        ("Cosine(0.1, 9) * 'x'", 18, "expected a schedule or a number, found 'x'"),
        ("Cosine(0.1, 9) / Cosine(0.1, 9)", 1, "unsupported operand"),
        ("Cosine", 1, "expected Cosine(...), found Cosine alone"),
        ("[1, 2]", 1, "expected a schedule, found (1, 2)"),
        ("True", 1, "expected a schedule, found True"),
        # Python's own errors.
        ("Cosine(0.1, 9", 7, "never closed"),
        ("Cosine(0.1, 9); 4", 15, "invalid syntax"),
        ("x = 3", 3, "invalid syntax"),
        ("", 1, "invalid syntax"),
        ("1\0", 1, "null bytes"),
        # What would run, or reach further than schedules.
        ("__import__('os').system('ls')", 1, "found '__import__'"),
        ("open('x')", 1, "found 'open'"),
        ("Function(print)", 1, "found 'Function'"),
        ("Schedule(1)", 1, "found 'Schedule'"),
        ("parse('1')", 1, "found 'parse'"),
        ("Cosine(0.1, 9).__class__", 1, "found Cosine(0.1, 9).__class__"),
        ("Cosine(0.1, 9).__class__(0.1, 9)", 16, "found '__class__'"),
        ("Cosine(0.1, 9).plot('x.png')", 16, "found 'plot'"),
        ("Cosine(0.1, 9).to_dict()", 16, "found 'to_dict'"),
        ("Constant(1)(3)", 1, "found Constant(1)(3)"),
        ("(lambda: 1)()", 1, "found (lambda: 1)()"),
        ("lambda t: 0.1", 1, "found lambda t: 0.1"),
        ("f'{1}'", 1, "found f'{1}'"),
        ("2 ** 9", 1, "found 2 ** 9"),
        ("[1] * 10", 1, "expected a schedule or a number, found (1,)"),
        ("'a' * 10", 1, "expected a schedule or a number, found 'a'"),
        ("[t for t in (1, 2)]", 1, "found [t for t in (1, 2)]"),
        ("Cosine(*(0.1, 9))", 8, "found *(0.1, 9)"),
        ("Cosine(**{'base': 1})", 10, "found **"),
        ("1j", 1, "found 1j"),
        ("b'1'", 1, "found b'1'"),
        ("1 if 2 else 3", 1, "found 1 if 2 else 3"),
    ],
)
def test_what_is_wrong_is_told_with_its_column(text, column, said):
    with pytest.raises(ValueError, match=r"^schedule, column \d+: ") as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith(f"schedule, column {column}: ")
    assert said in message
    assert "\n" not in message
    assert len(message) <= 2048


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000, "-" * 9999, "[" * 9999, "1+" * 4999, "1" * 9999,
        "1*" * 4999 + "1", "Constant(0.1)" + ".warmup(2)" * 900,
        "Constant(" * 900 + "1" + ")" * 900, "1-" * 4999 + "1", "9" * 4000 + "*9" * 99,
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_long_and_deep_texts(text):
    """A text of any depth is refused, not a crash."""
    with pytest.raises(ValueError, match=r"^schedule, column \d+: ") as caught:
        parse(text)
    assert len(str(caught.value)) <= 2048


def test_the_deepest_schedule_can_be_printed_and_called():
    deep = "Constant(1)" + ".warmup(2)" * 98
    schedule = parse(deep)
    assert schedule(200) == schedule(np.array([200]))[0] == 1
    assert parse(repr(parse("Constant(1)" + ".warmup(2)" * 60)))(0) == 0.5**60
    with pytest.raises(ValueError, match="fewer calls and brackets"):
        parse(deep + ".warmup(2)")


def test_a_text_has_a_limit():
    with pytest.raises(ValueError, match="at most 10,000 characters, found 10,001"):
        parse("1" * 10_001)


@pytest.mark.parametrize("value", [None, 1, b"Constant(1)", ["Constant(1)"]])
def test_all_else_is_no_text(value):
    with pytest.raises(TypeError, match=r"^schedule: expected a str, found"):
        parse(value)


def test_all_public_schedules_but_functions_can_be_written():
    """A class of a user's own cannot: its name has a dot."""
    for name in schedules.__dict__:
        kind = getattr(schedules, name)
        if not isinstance(kind, type) or kind in (schedules.Schedule, Function):
            continue
        with pytest.raises(ValueError, match="alone"):
            parse(name)
