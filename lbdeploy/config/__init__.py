"""hosts.toml: read, checked, and made into a `Cluster`.

`schema` defines each table and key, with the types of `values`; `json_schema` is generated from it. `reader` reads a
file, `checks` find what disagrees in it, and `build` makes the `model`: keys of a frontend and of `vrrp` go there by
their names. `keys` has hints about misspelt keys, `attachments` the files that a file names, and
`unvalidated` reads the copies that nodes keep. `draft` and `writer` are for `init`.
"""
