"""The storage of a study, and Optuna's log."""

from __future__ import annotations

import os
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import optuna
from optuna.storages.journal import JournalFileBackend

from lrcore._shared.words import shortened, shown, spelled


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


SERVER = 30.0
"""Seconds that a server may take to answer: it may be starting."""

HEARTBEAT = 30  # seconds; other machines count a worker as dead after twice this time


_WANTED = (
    "storage: expected a database's URL, a journal file's path, a server's URL or a "
    "storage of Optuna, found"
)


def open_storage(storage: Any) -> Any:
    """Return a storage of Optuna: for a URL, a journal's path, or itself.

    Raises
    ------
    TypeError, ValueError, ImportError
        It cannot be opened.  Nothing of the error has a password: not its text, nor the
        errors from which it is raised, which are left out if the URL has one.
    """
    if storage is None:
        return optuna.storages.InMemoryStorage()
    if isinstance(storage, optuna.storages.BaseStorage):
        return storage
    if not isinstance(storage, (str, bytes, os.PathLike)):
        told = shortened(_without_password(spelled(storage)))
        raise TypeError(f"{_WANTED} {told}")
    place = os.fsdecode(storage)
    told = _without_password(place)
    if "://" not in place and _LOGIN.match(place):  # a journal would get this name
        raise ValueError(f"{_WANTED} {shown(told)}; a URL begins as 'postgresql://'")
    try:
        return _opened(place)
    except Exception as error:
        why = error
    # Raised here: in the block above, the new error would keep `why` as its context.
    kind = ImportError if isinstance(why, ImportError) else ValueError
    raise kind(
        f"{_WANTED} {shown(told)}, which cannot be opened: "
        f"{_reason(why, quotes=told != place)}; an SQLite database is named as "
        "'sqlite:///study.db'"
    ) from (why if told == place else None)


def _reason(error: Exception, *, quotes: bool) -> str:
    """Return why a storage cannot be opened; the error's text may quote a password."""
    each = (error, error.__cause__, error.__context__)
    missing = [e.name for e in each if isinstance(e, ImportError) and e.name]
    if missing:
        return f"there is no module {shown(missing[0])}"
    if quotes:
        return f"{type(error).__name__} (its text may have the password)"
    text = traceback.format_exception_only(error)[0]
    return shortened(text.partition("\n")[0])


def _opened(place: str) -> Any:
    if place.startswith("grpc://"):
        return _proxy(place)
    if "://" in place:
        return optuna.storages.RDBStorage(place, heartbeat_interval=HEARTBEAT)
    journal = JournalFileBackend(place)
    with open(place, "rb") as file:
        if file.read(1) not in (b"", b"{"):  # Optuna would append to it
            raise ValueError("it is a file, but no journal of Optuna")
    return optuna.storages.JournalStorage(journal)


def _proxy(url: str) -> Any:
    """Return the storage behind a server: ``grpc://host:port``."""
    parts = urlsplit(url)
    if not parts.hostname or parts.port is None or parts.path not in ("", "/"):
        raise ValueError("a server is named as 'grpc://host:13000'")
    with quiet():
        proxy = optuna.storages.GrpcStorageProxy(host=parts.hostname, port=parts.port)
    try:
        proxy.wait_server_ready(SERVER)
    except ConnectionError as error:
        proxy.close()
        raise ConnectionError(
            f"no server has answered within {SERVER:g} seconds; start "
            "optuna.storages.run_grpc_proxy_server there"
        ) from error
    return proxy


_LOGIN = re.compile(r"[^/]+:.*@", re.DOTALL)
"""How a text begins that is meant as a URL with a login."""

_SCHEME = re.compile(r"[\w.+-]*:/+")

_SECRETS = re.compile(
    r"(?i)([?&;][^=&;]*(?:pass|pwd|secret|token|key|auth|cred)[^=&;]*=)[^&;]*"
)
"""The entries of a URL's query whose names sound secret."""


def _without_password(url: str) -> str:
    """Return a database's URL, also a misspelt one, with ``***`` for each password.

    A password may have any characters, "/" and "@" too, so all between the first colon
    behind the scheme and the last "@" is hidden.
    """
    url = _SECRETS.sub(r"\1***", url)
    found = _SCHEME.match(url)
    scheme = found.group() if found else ""
    login, at, place = url[len(scheme) :].rpartition("@")
    user, colon, _ = login.partition(":")
    return f"{scheme}{user}:***@{place}" if at and colon else url


def in_memory(study: optuna.Study) -> optuna.Study:
    """Return a copy of a study in memory."""
    memory = optuna.storages.InMemoryStorage()
    name = study.study_name
    optuna.copy_study(
        from_study_name=name, from_storage=study._storage, to_storage=memory
    )
    return optuna.load_study(study_name=name, storage=memory)
