"""The learning-rate range test.

`lr_find` runs it, `LRSweep` is its loop, `RangeTest` its result.  Modules with an
underscore are the room's own:

- arguments: `_settings` checks them, with `_range`, `_horizon`, `_ratios`;
- the course: `_search` says which rates come next, and `_loop` takes the steps, with
  `_batches` and a `_score`;
- the sweep: a `_curve` takes its losses; `_rules` and `_guess` read rates off it;
- the race: `_race` says which `_racer` goes on and which comes or leaves; `_standings`
  who leads and who wins, by what is `_compared` and what `_neighbours` tell;
- the result: `_verdict` makes it of an `_outcome`, `_text` and `_picture` show it, and
  `_trained` is what the winner has learnt;
- `_kept` undoes the changes of a test, also of generators (`_random`); `_bar` shows how
  far it is; `_levels` has means and levels of losses.
"""

from lrcore.finder._find import lr_find
from lrcore.finder._result import RangeTest
from lrcore.finder._sweep import LRSweep

__all__ = ["LRSweep", "RangeTest", "lr_find"]
