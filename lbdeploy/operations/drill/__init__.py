"""Drills: break one thing on purpose, measure the outage as a client sees it, undo it whatever happens.

kinds    what is broken, and how it is undone, as shell text
timers   the outage that hosts.toml's timers predict
prober   a client on the operator's machine; `watch`: the same on the other nodes
holding  which node had each VIP when, as the nodes' kernels report it
listen   runs the scripts of `watch` and `holding` on the nodes meanwhile
gaps     what a series of probes says about an outage
journal  which node took over when
clocks   what time it is on each node
injector breaking and undoing over SSH
breaking arming the repair, breaking, undoing, and Ctrl-C
eyes     looking until all is well again
course   the steps of a drill
result   what was measured
timeline the result as rows of spans, for the reports
"""
