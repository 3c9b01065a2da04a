"""`doctor`: every check that is made before anything is put on the nodes, at once.

`checklist` lists the checks. `software_checks` and `system_checks` judge one node, and have what they ask it;
`node_checks` joins these with the checks that `plan` makes, too. `network_checks` judges what all nodes say together.
`examination` is the script for a node, `checkup` what it found, `doctor` the run. `firewall` reads a node's rules.
"""
