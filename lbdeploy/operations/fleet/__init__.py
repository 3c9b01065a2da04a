"""Many clusters in one run, each with a hosts.toml of its own, planned and judged by itself.

`job` is a request and its result, `worker` carries it out for one cluster, `batches` is the order of the run, and
`dask` has the workers of a Dask scheduler carry it out. See docs/fleets.md.
"""
