"""Types that several modules speak of."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
