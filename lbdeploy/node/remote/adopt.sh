# What runs on a node that somebody has set up: its name and addresses, and how haproxy and keepalived were started.
# Changes nothing. Each line that is printed begins with what it is.

# process NAME: the first process of this name in the network of the host itself, which systemd need not know of.
process() {
    own=$(readlink /proc/self/ns/net)
    for dir in /proc/[0-9]*; do
        read -r comm < "$dir/comm" || continue
        if [ "$comm" = "$1" ] && [ "$(readlink "$dir/ns/net")" = "$own" ]; then
            echo "${dir#/proc/}"
            return
        fi
    done
}

# started NAME: a daemon's process, where its root is seen from here, its arguments, its environment.
started() {
    pid=$(systemctl show -p MainPID "$1.service" | sed -n 's/^MainPID=//p')
    root=
    if [ "${pid:-0}" = 0 ]; then
        pid=$(process "$1")
        [ -z "$pid" ] || root=/proc/$pid/root
    fi
    [ -n "$pid" ] || return 0
    printf 'root %s %s\n' "$1" "$root"
    printf 'argv %s %s\n' "$1" "$(base64 -w 0 "/proc/$pid/cmdline")"
    printf 'environ %s\nsecret %s\n' "$1" "$(base64 -w 0 "/proc/$pid/environ")"
}

printf 'name %s\n' "$(uname -n)"
ip a | sed 's/^/ip /'
started keepalived
started haproxy
