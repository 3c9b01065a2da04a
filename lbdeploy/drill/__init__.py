"""Drills: break one thing on purpose, measure the outage as a client sees it, undo it whatever happens.

kinds    what is broken, and how it is undone, as shell text
timers   the outage that hosts.toml's timers predict
prober   a client on the operator's machine; `watch`: the same on the other nodes
gaps     what a series of probes says about an outage
journal  who took over when
hands    breaking and undoing over SSH
course   the order of a drill
result   what was measured
"""
