"""Modules that several rooms share; they import only each other.

types, sums, bounds : numbers.  words : the words of messages.
domains : the values that an argument can have, and the errors for all others.
trees : the user's nested containers of arrays.  arrays, overlaps, containers, refusals,
foreign : checks of these, and their messages.
pictures, figure : what all pictures have in common.  quota : the number of processors.
"""
