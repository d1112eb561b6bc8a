"""``lrcore bench``: the step beside other libraries', in one process and in turns.

``peers`` has the libraries, ``whole`` the whole step by lrcore and by torch, ``run``
the cases and the clock, ``bars`` a preset of cases with what is asked of each,
``report`` the tables and the JSON.  ``bench/README.md`` says how figures come about.
"""
