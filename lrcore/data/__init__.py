"""Data for the demo and the examples: `digits`; README.md says whose they are."""

import numpy as np


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return 1,797 handwritten digits.

    Returns
    -------
    images : ndarray of uint8, shape (1797, 8, 8)
        Values from 0 to 16.
    labels : ndarray of uint8, shape (1797,)
        0 to 9.

    References
    ----------
    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository (1998), CC BY 4.0; the test part.

    Examples
    --------
    >>> images, labels = lrcore.data.digits()
    >>> images.shape, labels[:5]
    ((1797, 8, 8), array([0, 1, 2, 3, 4], dtype=uint8))
    """
    from importlib.resources import files  # takes longer than the rest of the import

    with np.load(str(files(__name__) / "digits.npz")) as data:
        return data["images"], data["labels"]
