"""Values from the JSON and the tensors that `_encode` made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lrcore._shared.types import Array
from lrcore._shared.words import error, shortened, shown
from lrcore._stateful import StatefulSetting
from lrcore.checkpoint import _random
from lrcore.checkpoint._encode import Encoder
from lrcore.optimizers.base.adagc import AdaGC
from lrcore.optimizers.base.spikes import ZClip
from lrcore.schedules import Schedule
from lrcore.training import ReduceOnPlateau

Read = Callable[[str], Array]
"""Maps the name of a tensor to its array."""

_NEW: Mapping[str, Callable[[], StatefulSetting]] = {
    "ReduceOnPlateau": lambda: ReduceOnPlateau(0.0),
    "ZClip": ZClip,
    "AdaGC": AdaGC,
}
"""Makes the settings that a file can have, by the names of their classes."""


class Decoder:
    """Turns JSON back into values.

    content : all JSON of the file, in which plateaus may refer to each other.
    missing : the places, and the names, of functions that were not given again.

    `own` is the value at the same place in the object that is loaded into.  If the file
    has only the name of a function, it is this one.
    """

    def __init__(self, read: Read, content: Any) -> None:
        self.missing: list[str] = []
        self._read = read
        self._shared = _shared(content)
        self._made: dict[int, Any] = {}  # plateaus by number, so that groups share them

    def decode(self, value: Any, where: str, own: Any = None) -> Any:
        """Return a value: plateaus as such; of other objects, their states."""
        if isinstance(value, list):
            return [
                self.decode(each, f"{where}[{i}]", _part(own, i))
                for i, each in enumerate(value)
            ]
        if not isinstance(value, dict):
            return value
        tag = _tag(value)
        if tag is None:
            return {
                key: self.decode(each, f"{where}[{key!r}]", _part(own, key))
                for key, each in value.items()
            }
        try:
            return self._tagged(tag, value, where, own)
        except _NOT_SAVED as found:
            raise _unlike(value, where, found) from None

    def _tagged(self, tag: str, value: Any, where: str, own: Any) -> Any:
        """Return the value that a dict with this key stands for."""
        inner = value[tag]
        match tag:
            case "$array":
                return self._read(inner)
            case "$number":
                return self._read(inner)[()]
            case "$complex":
                parts = self.decode(inner[0], where)
                array = parts.view(f"c{2 * parts.itemsize}")[..., 0]
                return array if inner[1] else array[()]
            case "$float":
                return float(inner)
            case "$tuple":
                return tuple(self.decode(inner, where, own))
            case "$dict":
                pairs = [(self.decode(k, where), v) for k, v in inner]
                return {
                    key: self.decode(v, f"{where}[{key!r}]", _part(own, key))
                    for key, v in pairs
                }
            case "$random":
                return _random.restored(self.decode(inner, where), where)
            case "$schedule":
                return Schedule.from_dict(self.decode(inner, where))
            case "$function":
                return self._function(inner, where, own)
            case "$state" | "$same":
                if self._state_of(value)[2] is not None:
                    return self._plateau(value, where, own)
                return self.state(value, where, own)
        raise error(ValueError, where, f"found an unknown kind of value, {tag}")

    def state(self, value: Any, where: str, own: Any = None) -> dict[str, Any]:
        """Return the state of an object, for its `load_state_dict`."""
        _, state, _ = self._state_of(value)
        mine = own if isinstance(own, Mapping) else {}
        return {
            key: self.decode(each, f"{where}: {key}", mine.get(key))
            for key, each in state.items()
        }

    def hyper(self, value: Any, where: str, own: Any = None) -> Any:
        """Return a hyper-parameter: as `decode`, but schedules may be our own."""
        tag = _tag(value)
        try:
            if tag == "$tuple":
                return tuple(
                    self.hyper(each, f"{where}[{i}]", _part(own, i))
                    for i, each in enumerate(value[tag])
                )
            if tag == "$schedule":
                return self._schedule(value, where, own)
        except _NOT_SAVED as found:
            raise _unlike(value, where, found) from None
        return self.decode(value, where, own)

    def _schedule(self, value: Any, where: str, own: Any) -> Any:
        """Return a schedule; of a class that is not imported, our own equal one."""
        saved = self.decode(value["$schedule"], where)
        try:
            return Schedule.from_dict(saved)
        except ValueError:
            if isinstance(own, Schedule) and _data_of(own) == saved:
                return own
            self.missing.append(f"{where}: {saved['schedule']}")
            return None

    def _plateau(self, value: Any, where: str, own: Any) -> Any:
        """Return a new plateau in the saved state; the same for groups that share it.

        It is of our own's class, which may be a subclass, if the names are the same.
        """
        name, _, number = self._state_of(value)
        if number in self._made:
            return self._made[number]
        new: Any = None
        if isinstance(own, StatefulSetting) and type(own).__name__ == name:
            new = own._copy()
        elif name in _NEW:
            new = _NEW[name]()
        if new is None:
            self.missing.append(f"{where}: {name}")
            return None
        mine = new.state_dict()
        before = len(self.missing)
        state = self.state(value, where, mine)
        if len(self.missing) == before:
            new.load_state_dict(state)
        self._made[number] = new
        return new

    def _state_of(self, value: Any) -> Any:
        """Return the class, the state and the number of an object."""
        if "$same" in value:
            return self._shared[value["$same"]]
        return value["$state"]

    def _function(self, name: str, where: str, own: Any) -> Any:
        """Return our own function; one that would be data is another."""
        if callable(own) and "$function" in Encoder().hyper(own, where, where):
            return own
        self.missing.append(f"{where}: {name}")
        return None


_NOT_SAVED = (AttributeError, IndexError, KeyError, TypeError)
"""What is raised where a value has another form than `Encoder` gives it."""


def _unlike(value: Any, where: str, found: Exception) -> Exception:
    """Return the error for a value that no save has written."""
    why = shortened(str(found))
    return error(
        ValueError, where, f"found {shown(value)}, which no save writes ({why})"
    )


def _shared(content: Any) -> dict[int, Any]:
    """Return the class, state and number of each plateau, by number."""
    found, rest = {}, [content]
    while rest:
        value = rest.pop()
        if isinstance(value, list):
            rest += value
        elif isinstance(value, dict):
            rest += value.values()
            match value:
                case {"$state": [_, _, int(number)]}:
                    found[number] = value["$state"]
    return found


def _data_of(schedule: Schedule) -> Any:
    """Return a schedule as a dict, or None if it has a function in it."""
    try:
        return schedule.to_dict()
    except TypeError:
        return None


def _tag(value: Any) -> str | None:
    """Return the key of a dict that stands for something else, or None."""
    if isinstance(value, dict) and len(value) == 1:
        (key,) = value
        if key.startswith("$"):
            return str(key)
    return None


def _part(own: Any, key: Any) -> Any:
    """Return the entry of a container, or None; of a shorter list, the last one."""
    if isinstance(own, Mapping):
        return own.get(key)
    if isinstance(own, (list, tuple)) and own and isinstance(key, int):
        return own[min(key, len(own) - 1)]
    return None
