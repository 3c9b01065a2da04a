# Who else lives on the node, and which files its daemons read. Given, as lists of words: vips (addresses), settings (of
# the kernel, dotted), folders (that are written to), restricted (ports that only some networks may use); firewall: not
# empty where there is to be one. Each line that is printed begins with what it is.

# reads UNIT: how systemd starts it, how the running process was started, and the variables that both use.
reads() {
    shown=$(systemctl show -p ExecStart -p Environment -p EnvironmentFiles -p MainPID "$1.service")
    printf '%s\n' "$shown" | sed "s/^/unit $1 /"
    pid=$(printf '%s\n' "$shown" | sed -n 's/^MainPID=//p')
    [ "${pid:-0}" = 0 ] || printf 'unit %s Running=%s\n' "$1" "$(tr '\0' ' ' < "/proc/$pid/cmdline")"
    for variable in $(printf '%s\n' "$shown" | grep '^ExecStart=' | grep -o '\$[{]\{0,1\}[A-Za-z_]*' | tr -d '${' | sort -u); do
        printf '%s\n' "$shown" | sed -n 's/^EnvironmentFiles=\([^ ]*\).*/\1/p' | while read -r file; do
            sed -n "s|^[[:space:]]*\($variable=.*\)|unit $1 Variable=\1|p" "$file"
        done
    done
}
for unit in haproxy keepalived; do reads "$unit"; done

# The VIPs that the node has, and what its keepalived says of itself right before. Where it says that it has none, it may
# be just about to take them, or to let go of them: then it is asked again, and so is the kernel.
look() {
    state=$(vrrp | tr '\n' ' ')
    there=$(for vip in $vips; do ip -o addr show to "$vip" | sed 's/^/address /'; done)
}
look
case $there,$state in
    ,* | *MASTER* | *'"state":2'*) ;;
    *)
        printf 'state %s\n' "$state"
        sleep 0.5
        look
        ;;
esac
printf 'state %s\n%s\n' "$state" "$there"

# config DIR WORD...: the file that a keepalived with this command line reads, below its own root.
config() {
    root=$1/root file=/etc/keepalived/keepalived.conf
    while [ $# -gt 1 ]; do
        case $2 in
            -f | --use-file) file=${3:-} ;;
            --use-file=*) file=${2#*=} ;;
            -f*) file=${2#-f} ;;
        esac
        shift
    done
    echo "$root$file"
}
own=$(readlink /proc/self/ns/net)
# shellcheck disable=SC2046
for dir in /proc/[0-9]*; do
    read -r name < "$dir/comm" || continue
    case $name in keepalived | kube-vip | ucarp | corosync | pacemakerd | heartbeat | vrrpd) ;; *) continue ;; esac
    [ "$(readlink "$dir/ns/net")" = "$own" ] || continue
    ! grep -q '/keepalived\.service' "$dir/cgroup" || continue
    # Anybody may call a process so: what it says of itself is bounded, and no more than a line.
    command=$(head -c 4000 "$dir/cmdline" | tr '\0\n' '  ')
    [ "$command" ] || continue # it has ended meanwhile
    knows=unknown
    if [ "$name" = keepalived ]; then
        # One that only answers has no addresses: another look at this node may be asking, or a validator.
        case $command in *' --signum='* | *' -t '* | *' --config-test'* | *' -v '* | *' --version '*) continue ;; esac
        set -f
        file=$(config "$dir" $command)
        set +f
        if [ -f "$file" ] && [ -r "$file" ]; then
            knows=none
            conf=$(timeout 2 head -c 1000000 -- "$file" | tr '\0' ' ')
            # What is in other files, or in addresses of several parts, only that keepalived can tell.
            elsewhere='^[[:space:]]*include|[.:][$]|[$][{]?[A-Za-z0-9_]+[}]?[.:]|~(SEQ|LST)'
            ! printf '%s\n' "$conf" | grep -qE "$elsewhere" || knows=unknown
            for vip in $vips; do ! printf '%s\n' "$conf" | grep -qwF -e "$vip" || knows=vips; done
        fi
    fi
    printf 'process %s %s %s %s\n' "${dir#/proc/}" "$name" "$knows" "$command"
done

# The files of the network that are read, and none beside them, such as an old copy. NetworkManager reads those of any
# name in /etc; ifupdown what its first file names (interfaces(5)), in a folder only plain names.
# shellcheck disable=SC2086
for vip in $vips; do
    grep -nHF -e "$vip" -- /etc/netplan/*.yaml /run/netplan/*.yaml /etc/NetworkManager/system-connections/* \
        /run/NetworkManager/system-connections/*.nmconnection /etc/systemd/network/*.network \
        /etc/systemd/network/*.network.d/*.conf /run/systemd/network/*.network /run/systemd/network/*.network.d/*.conf
    cd /etc/network || continue
    grep -nHF -d skip -e "$vip" -- interfaces $(sed -n 's/^[[:space:]]*source[[:space:]]\{1,\}//p' interfaces)
    named=$(sed -n 's/^[[:space:]]*source-directory[[:space:]]\{1,\}//p' interfaces)
    [ -e interfaces ] || named=interfaces.d # which the first file names as Debian installs it
    [ ! "$named" ] || grep -rnHF --exclude='*[!a-zA-Z0-9_-]*' -e "$vip" -- $named
done | sed 's|^[^/]|/etc/network/&|; s/^/network /'
for setting in $settings; do
    last=${setting##*.}
    grep -nH "$last" /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/local/lib/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf \
        /etc/sysctl.conf | sed 's/^/sysctl /'
done
nft list tables | sed -n 's/^table \(.* keepalived\)$/table \1/p'

# What root can't write to: on a file system that is mounted read-only, or with attributes of chattr(1).
for path in $folders /etc/haproxy/* /etc/keepalived/* /etc/sysctl.d/* /etc/systemd/system/*.d/*; do
    [ -e "$path" ] || continue
    attributes=$(lsattr -d -- "$path")
    case ${attributes%% *} in
        *i*) printf 'unwritable immutable %s\n' "$path" ;;
        *a*) printf 'unwritable append-only %s\n' "$path" ;;
        *) [ -w "$path" ] || printf 'unwritable %s %s\n' "$(findmnt -no OPTIONS -T "$path" | cut -c 1-2)" "$path" ;;
    esac
done

# Who listens here, and whose connections are open now, of those that a firewall or `allow` may shut out.
[ ! "$firewall" ] || ss -Hltunp | sed 's/^/listens /'
for port in $restricted; do
    ss -Htn state established "( sport = :$port )" | awk -v port="$port" '
        { sub(/:[0-9]+$/, "", $4) }
        !($4 in seen) && n++ < 500 { seen[$4]; print "client", port, $4 }'
done
