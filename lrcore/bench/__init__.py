"""``lrcore bench``: the step beside other libraries', in one process and in turns.

``peers`` has the libraries, ``whole`` the whole step by lrcore and by torch; ``clock``
times, ``cases`` is what, ``run`` is all of it; ``bars`` has a preset of cases with what
is asked of each, ``report`` and ``picture`` tell of a run, ``textbook`` is AdamW as one
writes it in NumPy.  ``bench/README.md`` says how figures come about.
"""
