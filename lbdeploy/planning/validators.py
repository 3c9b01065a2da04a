"""Conditions for a staged file to be put in place: shell commands for the node, whose "$1" is the file.

Any output is an objection, as is an exit status other than 0.
"""

from __future__ import annotations

from lbdeploy.common.shell import Raw, cmd

SHELL = Raw('sh -n "$1"')

# It says "syntax OK" where all is well.
PERL = Raw('perl -cw "$1" > /dev/null 2>&1 || perl -cw "$1" 2>&1')

# keepalived 2.1.5 wants a link-local VIP first where it sends to the IPv6 group; it prints that, but works without.
KEEPALIVED = Raw(r"""said=$(keepalived -t -f "$1" 2>&1)
status=$?
printf '%s\n' "$said" | grep -v ' the first IPv6 VIP address must be link local$'
exit $status
""")

# It says "syntax OK" where all is well.
PERL = Raw('perl -cw "$1" > /dev/null 2>&1 || perl -cw "$1" 2>&1')

# A script that can't be run counts as failed, which may move the VIPs away. /usr/bin/env finds its program by PATH.
RUNNABLE = Raw(r"""set -f
read -r line < "$1"
set -- ${line#'#!'}
[ "$1" != /usr/bin/env ] || shift
while case $1 in -*) ;; *) false ;; esac; do shift; done
command -v "$1" > /dev/null || echo "this node has no $1, by which it is to be run"
""")

# The processes of haproxy.service; another haproxy, such as that of a container, is as much in the way as any program.
HAPROXY_PIDS = Raw(r"grep -ls '/haproxy\.service' /proc/[0-9]*/cgroup | tr -cd '0-9\n'")

# `haproxy -c` does not bind. A reload that can't bind fails, and before that, it makes the old process pause for two
# seconds (measured on 2.6). So check first whether another program listens on a port. `ss` shows as * who listens on
# all addresses of both families, as [::] who has those of IPv6 alone, and as [::ffff:...] who has one of IPv4.
# haproxy's * is IPv4 alone (its documentation of `bind`); its :: has both, where the node's bindv6only is 0. The same
# rule, where doctor knows the addresses already: `takes` in operations/doctor/system_checks.py.
_PORTS_FREE = r"""ss -Hltnp | awk -v cfg="$1" -v own="$own" '
    { pid = match($6, /pid=[0-9]+/) ? substr($6, RSTART + 4, RLENGTH - 4) : "?" }
    !index(" " own " ", " " pid " ") {
        port = $4; sub(/.*:/, "", port); host = substr($4, 1, length($4) - length(port) - 1); sub(/%.*/, "", host)
        if (sub(/^\[::ffff:/, "", host)) sub(/\]$/, "", host)
        busy[++count] = host; ports[count] = port; who[count] = $6
    }
    END {
        while ((getline line < cfg) > 0) {
            words = split(line, word)
            if (words < 2 || word[1] != "bind") continue
            split(word[2], addresses, ",")
            for (each in addresses) {
                address = addresses[each]; six = address ~ /^ipv6@/; sub(/^ipv[46]@/, "", address)
                if (address ~ /^(\/|[a-z]+@)/) continue
                port = address; sub(/.*:/, "", port); host = substr(address, 1, length(address) - length(port) - 1)
                four = !six && (host == "" || host == "*" || host == "0.0.0.0")
                both = host == "::" || host == "[::]" || (six && (host == "" || host == "*"))
                for (i = 1; i <= count; i++) {
                    same = busy[i] == host || busy[i] == "[" host "]" || busy[i] == "*"
                    same = same || (busy[i] == "0.0.0.0" && host !~ /:/) || (busy[i] == "[::]" && host ~ /:/)
                    same = same || both || (four && busy[i] !~ /:/)
                    if (ports[i] == port && same) print address " is in use: " who[i]
                }
            }
        }
    }'"""

# What it says of servers that are drained, or may be down until they are checked, is no objection to the file. Where
# it warns of anything, it also notes its version.
_OF_STATE = r" remains in forced drain mode\.$| changed from server-state after a reload\. | has no server available!$"
_CHECKED = f"""said=$(haproxy -c -f "$1" 2>&1 > /dev/null)
status=$?
said=$(printf '%s\\n' "$said" | grep -Ev {cmd(_OF_STATE)})
if [ $status != 0 ] || printf '%s\\n' "$said" | grep -Evq '^(\\[NOTICE\\].*)?$'; then printf '%s\\n' "$said"; fi"""

# Where the unit has haproxy read more files, such as those of /etc/haproxy/conf.d, all must stand together. Only a
# refusal counts: warnings of the others are none of this file's.
_WITH_OTHERS = r"""staged=$1 option='' own='' others=''
shift
while read -r word; do
    if [ "$option" = -f ]; then
        case $word in /etc/haproxy/haproxy.cfg) word=$staged own=yes ;; *) others=yes ;; esac
        set -- "$@" -f "$word"
    fi
    option=$word
done << END
$(tr '\0' '\n' 2> /dev/null < "/proc/$(systemctl show -p MainPID --value haproxy)/cmdline")
END
[ -z "$own$others" ] || [ "$own$others" = yes ] || said=$(haproxy -c "$@" 2>&1) || printf '%s\n' "$said"
"""
HAPROXY = Raw(f"{_CHECKED}\nown=$(echo $({HAPROXY_PIDS}))\n{_PORTS_FREE}\n{_WITH_OTHERS}")

# One of sshd's connections is the operator's: their local port must be among those that are allowed. Connections that
# sshd has made itself, as it forwards others, are from ports at which nobody listens.
_SSH_STAYS = """\
for port in $({ ss -Htln; ss -Htnp state established; } | awk '
    $1 == "LISTEN" {sub(/.*:/, "", $4); listens[$4] = 1; next}
    /"sshd/ {sub(/.*:/, "", $3); reached[$3] = 1}
    END {for (port in reached) if (port in listens) print port}
'); do
    grep -q "dport.*\\<$port\\>" "$1" || echo "sshd is reached at port $port: set port in [ssh], or firewall_allow"
done"""

NFT = Raw(f'nft -c -f "$1"\n{_SSH_STAYS}')
