"""Types that several modules speak of."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

Measured = tuple[float, float, float, float, int]
"""Of arrays: norms of the gradient, of that as clipped, of p, of its change; elements
of the gradient that are not finite."""
