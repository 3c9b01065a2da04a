"""lbdeploy's own folders and files on a node, and the paths that more than one module must agree on."""

from __future__ import annotations

UNIT = "lbdeploy"  # the transient unit in which a change runs; its name serves as a lock
DRILL_UNIT = "lbdeploy-drill"  # what undoes a drill by itself: a timer, which outlives the operator's connection
STATE = "/var/lib/lbdeploy"  # what outlasts a reboot: the journal, the generations, and what the files were made from
JOURNAL = f"{STATE}/journal"  # the last run, step by step
UNDO = f"{STATE}/undo"  # what files held before the run in progress, until it is confirmed
GENERATIONS = f"{STATE}/generations"  # what files held before each of the last runs
HOSTS = f"{STATE}/hosts.toml"  # what the files of the last run were made from
VERSIONS = f"{STATE}/packages"  # the versions of packages at the end of the last run
ORIGINAL = f"{STATE}/original"  # records of what there was before lbdeploy
PACKAGED = f"{STATE}/packaged"  # the managed files as they came with their packages
INSTALLED = f"{STATE}/installed"  # the names of the packages that lbdeploy installed
SERVER_STATE = f"{STATE}/haproxy-servers"  # haproxy reads from it which servers are drained
RUN = "/run/lbdeploy"  # what a reboot clears: scripts and logs of runs in progress
LOCK = f"{RUN}/lock"
NOTIFY_FOLDER = "/run/lbdeploy-notify"  # which state the operator's scripts are to be told of, and whether they were
NOTIFY_RESULT = f"{NOTIFY_FOLDER}/result"
TELL_STATE = "/etc/keepalived/lbdeploy-tell-state"  # what keepalived runs to have them told
STAGED = ".lbdeploy-new"  # added to a file's path: beside the file, on the same file system, and read by no daemon
HAPROXY_CFG = "/etc/haproxy/haproxy.cfg"
HAPROXY_SOCKET = "/run/haproxy/admin.sock"


def proc_path(setting: str) -> str:
    """Where the kernel has a setting, by its dotted name as in sysctl(8)."""
    return "/proc/sys/" + setting.replace(".", "/")
