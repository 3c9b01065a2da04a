"""Drills: break one thing on purpose, measure the outage as a client sees it, undo it whatever happens.

`faults` has what is broken and how that is undone, as shell text; `injector` does it over SSH; `fault_window` arms the
repair, breaks, waits and undoes, also after Ctrl-C. `prediction` has the outage that hosts.toml's timers predict.
`drill` has the steps, `recovery` waits until all is well again, `result` has what was measured, and `timeline` the
result as rows of spans, for the reports. What clients and nodes see meanwhile is measured by
`lbdeploy.operations.outage`.
"""
