"""A monitor that tells a bad learning rate from a good one.

`Monitor` takes up steps; `History` is what it keeps of them, `Finding` what it says.
Modules with an underscore are the room's own: `_history` joins steps to blocks,
`_diagnosis` makes findings of them, `_dashboard` and `_page` show both.
"""

from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History
from lrcore.monitor._monitor import Monitor

__all__ = ["Finding", "History", "Monitor"]
