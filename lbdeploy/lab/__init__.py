"""The rehearsal lab: real nodes for a hosts.toml on this machine. See `lbdeploy.lab.commands`."""
