"""What several rooms need, and no user: leaves, which import only each other.

types, words, sums, bounds : of numbers, and of what messages say.
domains : the values that an argument can have, and the errors for all others.
trees, arrays, containers, refusals : of the arrays that users hand over; what is wrong.
pictures, figure : what all pictures have in common.  quota : processors to be had.
"""
