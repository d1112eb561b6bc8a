"""The password of a storage's URL is in nothing that can be read, whatever fails."""

import traceback
from pathlib import Path
from urllib.parse import quote

import optuna
import pytest
from objectives import LR, final
from sqlalchemy import URL, exc
from wrong import LONGEST

from lrcore import tune

PASSWORDS = [
    "s3cr3t", "s3c/r3t", "s3c@r3t", "s3c:r3t", "s3c?r3t", "s3c#r3t&x=1", "%s3c'r3t\"",
]  # fmt: skip
PIECES = ["s3c", "r3t"]

# U: the user with the password, P: the password.
URLS = [
    "nosuch://U@host/name",
    "nosuch://U@host:port/name",
    "nosuch://:P@host/name",
    "nosuch:///U@host/name",
    "nosuch://host/name?password=P",
    "nosuch://U@host/name?sslmode=x&passwd=P",
    "nosuch://host/name?user=me&auth_token=P&x=1",
    "mysql://U@host/name",  # whose driver is missing
    "mysql://host/name?password=P",
    "postgresql+psycopg2://U@127.0.0.1:1/name",  # where nobody listens
    "postgresql+psycopg2://127.0.0.1:1/name?user=me&password=P",
    "sqlite://U@host/name",
    "sqlite:///study.db?password=P",
    "sqlite:////gone/study.db?key=P",
    "postgresql:/U@host/name",
    "postgresql:U@host/name",
    "U@host",
]


def urls(password):
    for text in (password, quote(password, safe="")):
        for url in URLS:
            yield url.replace("U", f"me:{text}").replace("P", text)


def chain(error):
    """An error, and all that it was raised from or beside."""
    seen = []
    todo = [error]
    while todo:
        each = todo.pop()
        if each is not None and each not in seen:
            seen.append(each)
            todo += [each.__cause__, each.__context__]
    return seen


def told(error):
    """All that a program could print of an error."""
    said = traceback.format_exception(error)
    for each in chain(error):
        said += [str(each), repr(each), *map(repr, each.args)]
        said += getattr(each, "__notes__", [])
    return "\n".join(said)


def check(error, folder, capfd, caplog):
    said = told(error)
    assert "storage: expected a database's URL, a journal file's path" in said
    assert len(str(error)) <= LONGEST
    files = [path for path in folder.rglob("*") if path.is_file()]
    written = [repr(path) + repr(path.read_bytes()) for path in files]
    everything = "\n".join([said, caplog.text, *capfd.readouterr(), *written])
    assert not [piece for piece in PIECES if piece in everything]


@pytest.mark.parametrize("password", PASSWORDS)
def test_no_error_has_the_password(password, tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.chdir(tmp_path)
    for url in urls(password):
        ways = [url, url.encode(), Path(url)] if password == PASSWORDS[0] else [url]
        for storage in ways:
            with pytest.raises((ValueError, ImportError)) as raised:
                tune(final, LR, "random", 1, storage=storage, name="s")
            check(raised.value, tmp_path, capfd, caplog)


@pytest.mark.parametrize("password", PASSWORDS)
def test_nor_has_that_about_another_object(password, tmp_path, capfd, caplog):
    query = {"password": password, "x": "y" * 300}
    for storage in (
        URL.create("postgresql", "me", password, "host", 5432, "name"),
        URL.create("postgresql", "me", host="host", query=query),
        {"url": f"postgresql://me:{password}@host/name"},
    ):
        with pytest.raises(TypeError) as raised:
            tune(final, LR, "random", 1, storage=storage, name="s")
        check(raised.value, tmp_path, capfd, caplog)


@pytest.mark.parametrize("password", PASSWORDS)
def test_whatever_a_driver_tells(password, tmp_path, monkeypatch, capfd, caplog):
    """Each error that SQLAlchemy, a driver or Optuna may raise quotes the URL."""
    url = f"postgresql://me:{password}@host/name"

    def raising(error):
        def refuse(url, **_):
            try:
                raise OSError(f"invalid dsn: {url}")
            except OSError as why:
                error.add_note(f"with {url}")
                raise error from why

        return refuse

    for error in (
        exc.ArgumentError(f"Could not parse {url}"),
        exc.NoSuchModuleError(f"Can't load plugin: {url}"),
        exc.OperationalError("SELECT 1", {"password": password}, OSError(url)),
        optuna.exceptions.StorageInternalError(url),
        ImportError(f"no driver for {url}"),
        UnicodeDecodeError("utf-8", url.encode(), 0, 1, url),
    ):
        monkeypatch.setattr(optuna.storages, "RDBStorage", raising(error))
        with pytest.raises((ValueError, ImportError)) as raised:
            tune(final, LR, "random", 1, storage=url, name="s")
        check(raised.value, tmp_path, capfd, caplog)


def test_an_error_without_a_password_says_why():
    with pytest.raises(ValueError, match="nosuch") as raised:
        tune(final, LR, "random", 1, storage="nosuch://me@host/name", name="s")
    assert isinstance(raised.value.__cause__, exc.NoSuchModuleError)
