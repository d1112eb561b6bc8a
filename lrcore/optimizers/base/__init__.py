"""What every optimizer shares, a file a job.

A class of a family says its fields, its rule and its coefficients; the rest is here.

fields : what a field is: default, domain, doc and presets of a hyper-parameter.
common : the fields of every optimizer.
keywords : a caller's arguments, bound to fields; which of them and the presets holds.
docs : docstrings and signatures, made of the fields.
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
