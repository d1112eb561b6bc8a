"""What all rooms use and none owns: leaves, which import nothing of the rooms.

domains : the values that an argument can have, and the errors for all others.
"""
