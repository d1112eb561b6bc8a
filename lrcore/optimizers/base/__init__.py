"""What every optimizer shares, a file a job.

A class of a family says its defaults, its rule and its coefficients; the rest is here.

keywords : the arguments of every optimizer, their types and their defaults.
conventions : which of the values given, of a library's and of the defaults holds.
docs : the paragraphs that the docstrings have in common.
domains : which values a hyper-parameter can have.
values : what a hyper-parameter is in a step; what its schedule gives is checked.
stateful : schedules that change between steps: how they are saved and restored.
kind : what a class says of itself.
fold : the types of what a class folds its hyper-parameters into; weight decay.
part : what is stepped alike, and its numbers.
scheduled : the numbers of a step, of which only what changes is made again.
group : the params and hyper-parameters of a group.
states : the arrays of a parameter.
averages : the weights of averages of the params.
averaged : reading averages, and putting them into the params.
mechanic : the scale of the steps, learned.
memory : where state arrays lie.
options : how the whole optimizer steps.
report : what a step did.
checkpoint : saving and restoring.
places : which array a caller means.
plan : from params, groups and kinds to what a step follows.
optimizer : the class itself: construct, step, report.
"""
