"""``lrcore bench``: the step beside other libraries', in turns.

``peers`` has the libraries, and ``whole`` the whole step by lrcore and by torch.
``cases`` says what is timed, ``clock`` times it, and ``run`` makes a run of both, after
``agreement`` has compared the peers' steps.  ``contest`` makes the peers of a case, on
arrays by ``arrays``, in this process.  ``apart`` makes each in a ``process`` of its
own, which runs ``worker``, beside ``neighbours``: other work on the machine.
``limits`` says how fast a step can be at most.  ``bars`` has a preset of cases with the
ratios that are asked of each.  ``report`` makes tables of a run, ``comparison``
compares two, ``saved`` keeps one as JSON, ``picture`` draws it, and ``units`` spells
times.  ``textbook`` is AdamW as one writes it in NumPy.
``bench/README.md`` says how the figures are measured.
"""
