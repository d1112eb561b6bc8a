"""The storage of a study, and Optuna's log."""

from __future__ import annotations

import os
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
        raise kind(
            f"{wanted} {shown(_without_password(place))}, which cannot be opened: "
            f"{shortened(why)}; an SQLite database is named as 'sqlite:///study.db'"
        ) from error


def _without_password(url: str) -> str:
    """Return a database's URL with ``***`` for its password."""
    scheme, separator, rest = url.partition("://")
    login, at, place = rest.partition("/")[0].rpartition("@")
    user, colon, _ = login.partition(":")
    if not (at and colon):
        return url
    return f"{scheme}{separator}{user}:***@{place}{rest[len(login + at + place) :]}"


def in_memory(study: optuna.Study) -> optuna.Study:
    """Return a copy of a study in memory."""
    memory = optuna.storages.InMemoryStorage()
    name = study.study_name
    optuna.copy_study(
        from_study_name=name, from_storage=study._storage, to_storage=memory
    )
    return optuna.load_study(study_name=name, storage=memory)
