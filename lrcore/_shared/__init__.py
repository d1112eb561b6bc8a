"""What several rooms need, and no user: leaves, which import only each other.

types, words, numbers, sums, bounds : of numbers, and of what messages say.
trees, arrays, containers, refusals : of the arrays that users hand over; what is wrong.
pictures, figure : what all pictures have in common.  quota : processors to be had.
"""
