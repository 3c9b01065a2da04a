"""Many clusters in one run, each of which is a site: a hosts.toml of its own, planned and judged by itself.

`job` is what is asked and what came of it, `work` does it for one cluster, `course` is the order of all, and `remote`
has it done by the workers of a Dask scheduler. See docs/fleets.md.
"""
