# The block of `opt.averaged`.

LENT = (
    "this optimizer's params are lent to `with opt.averaged()`; do it after that block"
)


cdef class Lent:
    """Puts an average into the params for a `with` block.

    No Python code runs between the exchange and the first instruction of the block, so
    that an error of a signal's handler finds the params either outside of the block, or
    inside of it, where the block's end restores them.

    opt : the optimizer; its `_exchanges(name)` returns a Commit.
    """

    cdef object opt, name
    cdef Commit commit

    def __init__(self, opt, name):
        self.opt, self.name = opt, name

    def __enter__(self):
        cdef Commit commit = self.opt._exchanges(self.name)
        commit.make()
        self.commit, commit.lock.lent = commit, LENT

    def __exit__(self, *error):
        cdef Commit commit = self.commit
        cdef bint whole = commit.put_back()
        self.commit, commit.lock.lent = None, None
        if not whole:
            raise refusals.moved(self.opt._tree)
