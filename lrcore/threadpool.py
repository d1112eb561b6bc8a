"""A controller for threadpoolctl, which lets it see and limit the threads of lrcore.

Import this module to register it.  ``import lrcore`` does so if threadpoolctl has been
imported before.
"""

from typing import ClassVar

from threadpoolctl import LibController, register

from lrcore import _core
from lrcore._config import get_num_threads, version

__all__ = ["LrcoreController"]


class LrcoreController(LibController):  # type: ignore[misc] # it has no types
    """The number of threads of a step whose optimizer does not say.

    Examples
    --------
    >>> import threadpoolctl, lrcore.threadpool
    >>> with threadpoolctl.threadpool_limits(1):
    ...     lrcore.get_num_threads()
    1
    """

    user_api = "lrcore"
    internal_api = "lrcore"
    filename_prefixes = ("_core.",)
    check_symbols = ("lrc_num_threads",)
    _set: ClassVar[dict[int, int]] = {}

    def get_num_threads(self) -> int:
        """Return `lrcore.get_num_threads()`."""
        n = get_num_threads()
        self._set[n] = _core.num_threads_set()
        return n

    def set_num_threads(self, num_threads: int) -> None:
        """Set the number, or what was set when `get_num_threads` gave this number.

        So the default is the default again at the end of a limit, and not a number.
        """
        _core.set_num_threads(self._set.get(num_threads, num_threads))

    def get_version(self) -> str:
        """Return the version of lrcore."""
        return version()

    def set_additional_attributes(self) -> None:
        """Tell what runs the threads."""
        self.threading_layer = _core.threading()


register(LrcoreController)
