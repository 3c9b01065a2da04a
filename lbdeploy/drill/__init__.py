"""Drills: break one thing on purpose, measure the outage as a client sees it, undo it whatever happens.

kinds    what is broken, and how it is undone, as shell text
timers   the outage that hosts.toml's timers predict
prober   a client on the operator's machine; `watch`: the same on the other nodes
holding  who had each VIP when, as the nodes' kernels tell it
listen   the nodes tell of the last two meanwhile
gaps     what a series of probes says about an outage
journal  who took over when
clocks   what time it is on each node
injector breaking and undoing over SSH
breaking arming that, breaking, undoing, and Ctrl-C
eyes     looking until all is well again
course   the order of a drill
result   what was measured
"""
