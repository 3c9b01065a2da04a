"""The machine that the lab runs on: processes, network namespaces, cgroups, paths."""
