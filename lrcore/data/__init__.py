"""Data for the demo and the examples."""

from importlib.resources import files

import numpy as np


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return 1,797 handwritten digits: images of 8 x 8, 0 to 16, and their labels."""
    with np.load(str(files(__name__) / "digits.npz")) as data:
        return data["images"], data["labels"]
