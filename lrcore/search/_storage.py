"""The storage of a study, and Optuna's log."""

from __future__ import annotations

import os
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend

from lrcore._shared.words import shortened, shown


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's log of each trial and its warnings about new features."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


HEARTBEAT = 30  # seconds; other machines count a worker as dead after twice this time


def open_storage(storage: Any) -> Any:
    """Return a storage of Optuna: for a database's URL, a journal's path, or itself."""
    if storage is None:
        return optuna.storages.InMemoryStorage()
    if isinstance(storage, optuna.storages.BaseStorage):
        return storage
    wanted = (
        "storage: expected a database's URL, a journal file's path or a storage of "
        "Optuna, found"
    )
    if not isinstance(storage, (str, bytes, os.PathLike)):
        raise TypeError(f"{wanted} {shown(storage)}")
    place = os.fsdecode(storage)
    try:
        if "://" in place:
            return optuna.storages.RDBStorage(place, heartbeat_interval=HEARTBEAT)
        journal = JournalFileBackend(place)
        with open(place, "rb") as file:
            if file.read(1) not in (b"", b"{"):  # Optuna would append to it
                raise ValueError("it is a file, but no journal of Optuna")
        return optuna.storages.JournalStorage(journal)
    except Exception as error:
        kind = ImportError if isinstance(error, ImportError) else ValueError
        why = traceback.format_exception_only(error)[0].partition("\n")[0]
        told = _without_password(place)
        secret = told != place
        if secret and kind is not ImportError:  # the error may quote the password
            why = f"{type(error).__name__} (its text may have the password)"
        raise kind(
            f"{wanted} {shown(told)}, which cannot be opened: {shortened(why)}; an "
            "SQLite database is named as 'sqlite:///study.db'"
        ) from (None if secret else error)


_SECRETS = re.compile(r"(?i)([?&;][^=&;]*(?:pass|pwd|secret|token|key)[^=&;]*=)[^&;]*")
"""The entries of a URL's query whose names sound secret."""


def _without_password(url: str) -> str:
    """Return a database's URL with ``***`` for each password.

    A password may have any characters, "/" and "@" too, so all between the first colon
    and the last "@" is hidden.
    """
    scheme, separator, rest = _SECRETS.sub(r"\1***", url).partition("://")
    if rest.startswith("/"):  # a file, without a login
        return f"{scheme}{separator}{rest}"
    login, at, place = rest.rpartition("@")
    user, colon, _ = login.partition(":")
    hidden = f"{user}:***@{place}" if at and colon else rest
    return f"{scheme}{separator}{hidden}"


def in_memory(study: optuna.Study) -> optuna.Study:
    """Return a copy of a study in memory."""
    memory = optuna.storages.InMemoryStorage()
    name = study.study_name
    optuna.copy_study(
        from_study_name=name, from_storage=study._storage, to_storage=memory
    )
    return optuna.load_study(study_name=name, storage=memory)
