"""Many clusters in one run, each of which is a site: a hosts.toml of its own, planned and judged by itself.

`job` is a request and its result, `work` carries it out for one cluster, `course` is the order of the run, and `remote`
has the workers of a Dask scheduler carry it out. See docs/fleets.md.
"""
