"""The learning-rate range test.

`lr_find` runs it, `LRSweep` is its loop, `RangeTest` its result.  Modules with an
underscore are the room's own: `_settings` checks arguments, `_search` says which rates
come next; a `_curve` takes the losses of the sweep, `_rules` and `_guess` read rates
off it, `_race` compares rates, and `_verdict` makes the result; `_kept` undoes the
changes of a test, also of generators (`_random`), `_trained` has what the winner
learnt, `_bar` and `_picture` show it.
"""

from lrcore.finder._find import lr_find
from lrcore.finder._result import RangeTest
from lrcore.finder._sweep import LRSweep

__all__ = ["LRSweep", "RangeTest", "lr_find"]
