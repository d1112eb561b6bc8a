"""A monitor that tells a bad learning rate from a good one.

`Monitor` records steps in a `History`, and reports `Finding`s.  Modules with an
underscore are the room's own: `_reading` reads a step, `_history` joins steps to
blocks, `_windows` looks at the last of them, `_summary` makes numbers of them, which
`_scores` weighs; `_looks` decides when a run is diagnosed and what is told;
`_diagnosis` makes findings (by `_rates`, `_others` and `_meaning`), `_results` tells
them, `_rollback` sets a run back, `_resume` and `_saved` read a saved monitor;
`_dashboard`, `_page` and `_comparison` draw.
"""

from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History
from lrcore.monitor._monitor import Monitor

__all__ = ["Finding", "History", "Monitor"]
