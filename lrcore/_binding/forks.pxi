# What a child process knows of its fork.

cdef unsigned int forks = 0  # of which this process is the child
cdef unsigned long survivor = 0  # the thread that made the last of them, the child's own


def _forked():
    global forks, survivor
    forks += 1
    survivor = PyThread_get_thread_ident()


os.register_at_fork(after_in_child=_forked)
