"""Wrong values of every kind, and helpers that check the message about them."""

import numpy as np
import pytest

f4 = np.float32
LONGEST = 2048  # the most characters that a message may have


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no repr")


deep = []
for _ in range(100_000):
    deep = [deep]
itself = []
itself.append(itself)

LONG = {
    "str": "x" * 10**5,
    "bytes": b"x" * 10**5,
    "list": [0] * 10**5,
    "dict": dict.fromkeys(range(10**4)),
    "set": {*range(10**4)},
    "deep": deep,
    "cycle": itself,
    "unprintable": Unprintable(),
    "unprintables": [Unprintable()],
    "array": np.zeros(10**6),
    "all": {(i, "y" * 10**4): deep for i in range(9)},
    "object of a long type": type("n" * 10**6, (), {})(),
}
# Its dtype by itself takes more characters than a message may have.
STRUCTURED = np.zeros(3, [(f"f{i}" * 50, f4) for i in range(40)])


def nested(depth, leaf, kind="list"):
    tree = leaf
    for _ in range(depth):
        match kind:
            case "dict":
                tree = {"k": tree}
            case "tuple":
                tree = (tree,)
            case _:
                tree = [tree]
    return tree


class Wordy:
    """Has a long repr, and can be called: it returns itself."""

    def __repr__(self):
        return "wordy " * 10**5

    def __call__(self, t):
        return self


class Wordless(Wordy):
    def __repr__(self):
        raise RuntimeError("no repr")


WRONG = {
    **{name: LONG[name] for name in ("str", "bytes", "dict", "cycle")},
    **{name: LONG[name] for name in ("unprintable", "unprintables")},
    "deep": nested(2000, [()] * 1000),
    "of a long type": LONG["object of a long type"],
    "list": ["x" * 10**4] * 10**4,
    "tuple": (None,) * 10**4,
    "function of a long repr": Wordy(),
    "function of no repr": Wordless(),
    "long int": 10**4000,
    "longer int": 10**5000,
    "negative int": -(10**4000),
    "array": np.zeros((1,) * 64),
    "structured": STRUCTURED,
}


def message(f, *args, error=(TypeError, ValueError, RuntimeError, AttributeError)):
    """Return the message of a call that has to raise; it is short."""
    with pytest.raises(error) as raised:
        f(*args)
    assert len(str(raised.value)) <= LONGEST
    return str(raised.value)


def refused(f, *args, **kwargs):
    """Return whether a call raises; its message has to be short, and lrcore's own."""
    try:
        f(*args, **kwargs)
    except Exception as error:
        said = str(error)
    else:
        return False
    assert 0 < len(said) <= LONGEST
    assert "no repr" not in said
    return True


def array():
    return np.ones(3, f4)
