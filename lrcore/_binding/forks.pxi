# Forks, as seen by a child process.

cdef unsigned int forks = 0  # how many forks lie between the first process and this one
cdef unsigned long survivor = 0  # the thread that forked: the only one that lives on


def _forked():
    global forks, survivor
    forks += 1
    survivor = PyThread_get_thread_ident()


in_children(_forked)
