# Forks, as seen by a child process.

cdef unsigned int forks = 0  # how many forks lie between the first process and this one
cdef unsigned long survivor = 0  # the thread that forked: the only one that lives on


def _forked():
    global forks, survivor
    forks += 1
    survivor = PyThread_get_thread_ident()


os.register_at_fork(after_in_child=_forked)
