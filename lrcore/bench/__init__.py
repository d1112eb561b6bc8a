"""``lrcore bench``: the step beside other libraries', in one process and in turns.

``peers`` has the libraries, and ``whole`` the whole step by lrcore and by torch.
``cases`` says what is timed, ``clock`` times it, and ``run`` makes a run of both.
``bars`` has a preset of cases with the ratios that are asked of each.  ``report`` makes
tables of a run, ``comparison`` compares two, ``saved`` keeps one as JSON, ``picture``
draws it, and ``units`` spells times.  ``textbook`` is AdamW as one writes it in NumPy.
``bench/README.md`` says how the figures are measured.
"""
