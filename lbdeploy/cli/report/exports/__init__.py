"""What other programs need to know of a cluster beforehand, made from hosts.toml: alert rules, a dashboard. Pure.

All metrics are those that `verify --format prometheus` prints, those that keepalived's script writes, or those of
haproxy's own exporter, by the names that haproxy 2.2, 2.6 and 3.0 have in common; tests hold them against each.
"""
