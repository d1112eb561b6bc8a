"""The code that every optimizer shares; each file has one job.

A class of a family defines its fields, rule and coefficients; the rest is here.

fields : the type of a field: default, domain, doc, presets of a hyper-parameter.
common : the fields of every optimizer.
keywords : binds a caller's arguments to fields.
docs : docstrings and signatures, generated from the fields.
values : the value of a hyper-parameter in a step; checks the values of schedules.
stateful : schedules that change between steps: how they are saved and restored.
kind : the class attributes and methods that define an optimizer.
fold : the types of coefficients made from hyper-parameters; weight decay.
part : the arrays of a group with one layout, and their numbers.
scheduled : the numbers of a step; only those that change are recomputed.
group : the params and hyper-parameters of a group.
grouping : makes the groups of params, and checks their arrays.
by_path : groups by patterns of the names of arrays.
states : the arrays of a parameter.
averages : the weights of averages of the params.
mechanic : learns the scale of the steps.
memory : the allocation of state arrays.
options : the settings of the whole optimizer.
places : finds the array that a caller names.
plan : builds the plan of a step from params, groups and kinds.
planned : params, groups, states, options and plan, on which the modules below work.
averaged : reading averages, and putting them into the params.
report : the measurements of a step.
matching : which saved arrays and groups are those of an optimizer.
saved_dict, saved_states : the entries of a saved dict and their checks; its arrays.
checkpoint : saves the state as a dict, and loads it.
saved, copied : the methods that save and load, copy and pickle.
on_disk : the methods that save to files, by lrcore.checkpoint.
grown : adding a group.
rates : multiplying the learning rates.
optimizer : the class itself: construct, step.
"""
