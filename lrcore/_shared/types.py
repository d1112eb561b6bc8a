"""Types that several modules use."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

Measured = tuple[float, float, float, float, int]
"""Norms of the gradient, of the clipped gradient, of p and of its change; the number of
elements of the gradient that are not finite."""
