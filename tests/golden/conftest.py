"""Keep the search for doctests from importing make.py, which needs torch."""

collect_ignore = ["make.py"]
