"""What has happened to a cluster: runs, moves of the VIPs, drills. From the nodes' records, and this machine's logs.

No clock is believed more than it must be: a node's times are converted to this machine's, and runs are in the order in
which the nodes counted them.
"""
