"""What the tests of `lrcore bench` share: a case, a run of given times, cells."""

from lrcore.bench.cases import Case, Result, Run
from lrcore.bench.clock import Timing

CASE = Case("step", "AdamW", "float32", 1000, 1, 1)  # 1 thread: others may be at work
QUICK = {"rounds": 2, "seconds": 1e-4}
MACHINE = {
    "processor": "Abacus", "cores": 2, "isa": "beads", "system": "Linux x86_64",
    "python": "3.11.0", "versions": {"lrcore": "0.1.0", "numpy": "2.0.0"},
}  # fmt: skip


def told(times, case=CASE, left_out=None, **more):
    """A run of one case with these times in us: a median, or median and quartiles."""
    given = {
        name: Timing(*(x * 1e-6 for x in (t if isinstance(t, tuple) else (t, t, t))))
        for name, t in times.items()
    }
    size = 28 * case.elements
    result = Result(case, given, left_out or {}, 8 * case.elements, size, size)
    return Run(MACHINE, {"rounds": 9, "seconds": 0.03}, [result], more)


def cells(text, name):
    """The rest of the line that begins with a name."""
    line = next(x for x in text.splitlines() if x.strip().startswith(name))
    return line.strip().removeprefix(name).split()
