"""The environment variables that lbdeploy reads; docs/commands.md and the manual page list them with these meanings."""

from __future__ import annotations

FILE = "LBDEPLOY_FILE"
SUDO_VARIABLE = "LBDEPLOY_SUDO_PASSWORD"
APT_WAIT = "LBDEPLOY_APT_WAIT"
PAGER = "PAGER"
NO_COLOR = "NO_COLOR"
FORCE_COLOR = "FORCE_COLOR"
APT_WAIT_SECONDS = 120  # the default of APT_WAIT

MEANINGS = {
    FILE: "The hosts.toml to use, where no -f names one.",
    SUDO_VARIABLE: "The password for sudo on the nodes, where sudo wants one.",
    APT_WAIT: f"Seconds to wait on a node for another apt or dpkg, such as unattended-upgrades [{APT_WAIT_SECONDS}].",
    "XDG_STATE_HOME": "The folder of the folder with the logs [~/.local/state].",
    "XDG_CACHE_HOME": "The folder of the folder with what a valid hosts.toml was found to say [~/.cache].",
    PAGER: "What shows a plan that is longer than the terminal [less]; empty or cat: nothing does.",
    NO_COLOR: "No colours, whatever the output goes to.",
    FORCE_COLOR: "Colours, also where the output is no terminal.",
}
