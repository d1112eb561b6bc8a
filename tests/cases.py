"""Cases of one test."""

import functools
import inspect

import pytest


def cases(names, values):
    """Run a test with each of some values, where `parametrize` makes a test of each.

    A test costs pytest and xdist more than 2 ms, which is more than many take; so it is
    parametrised by what one wants to see fail by itself, as an optimizer or a rule, and
    this is for the rest.  The first case that fails ends the test, with its values.

    names : one argument of the test, or several with commas
    values : each a value, or a tuple of so many; or a function that returns these of
        the test's other arguments
    """
    names = names.replace(",", " ").split()
    if not callable(values):
        values = [*values]

    def decorate(test):
        @functools.wraps(test)
        def run(**others):
            found = [*values(**others)] if callable(values) else values
            assert found
            for value in found:
                each = (value,) if len(names) == 1 else value
                given = dict(zip(names, each, strict=True))
                try:
                    test(**others, **given)
                except pytest.skip.Exception:
                    pytest.fail(f"a case is not skipped by itself: {given}")
                except (Exception, pytest.fail.Exception) as error:
                    error.add_note(f"in the case {given}")
                    raise

        signature = inspect.signature(test)
        assert {*names} <= {*signature.parameters}
        rest = [p for name, p in signature.parameters.items() if name not in names]
        run.__signature__ = signature.replace(parameters=rest)
        return run

    return decorate
