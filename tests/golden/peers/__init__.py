"""The libraries whose trajectories are recorded, one module each.

A module has

VERSIONS                                versions by package
axes(row)                               the keywords of make.AXES that the library has
run(row, options, start, grads, lrs)    yields what is recorded after each step

where ``start`` is a list of arrays, ``grads`` one such list and ``lrs`` one number a
step, and ``options`` has a value for each of ``axes(row)``.
"""


def translated(kwargs, names):
    """Return keywords under other names; several names share out a tuple."""
    found = {}
    for name, value in kwargs.items():
        other = names.get(name, name)
        if isinstance(other, tuple):
            found.update(zip(other, value, strict=True))
        elif other is not None:
            found[other] = value
    return found
