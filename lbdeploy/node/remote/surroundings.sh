# Who else lives on the node, and which files its daemons read. Given, as lists of words: vips (addresses), settings (of
# the kernel, dotted), folders (that are written to), restricted (ports that only some networks may use); firewall: not
# empty where there is to be one. Each line that is printed begins with what it is.

# Programs that are started take most of the time of a look: what the shell can do by itself, it does.
# told WORD: each line of the standard input, behind the word.
told() { while IFS= read -r each; do printf '%s %s\n' "$1" "$each"; done; }

# reads UNIT: how systemd starts it, how the running process was started, and the variables that both use. The standard
# input has what systemd shows of it, up to an empty line.
reads() {
    pid=0 command='' files=''
    while IFS= read -r shown && [ "$shown" ]; do
        printf 'unit %s %s\n' "$1" "$shown"
        case $shown in
            MainPID=*) pid=${shown#*=} ;;
            ExecStart=*) command=$command${shown#*=} ;;
            EnvironmentFiles=*)
                shown=${shown#*=}
                files="$files ${shown%% *}"
                ;;
        esac
    done
    [ "$pid" = 0 ] || printf 'unit %s Running=%s\n' "$1" "$(tr '\0' ' ' < "/proc/$pid/cmdline")"
    for file in $files; do
        [ -r "$file" ] || continue
        while read -r text || [ "$text" ]; do # the last line may lack its end
            case $text in [A-Za-z_]*=*) ;; *) continue ;; esac
            ! used "${text%%=*}" "$command" || printf 'unit %s Variable=%s\n' "$1" "$text"
        done < "$file"
    done
}
# used NAME COMMAND: whether a command line has a variable of this name.
used() {
    case $1 in *[!A-Za-z0-9_]*) return 1 ;; esac
    case $2 in
        *"\$$1"[!A-Za-z_]* | *"\$$1" | *"\${$1"[!A-Za-z_]*) return 0 ;;
    esac
    return 1
}
systemctl show -p ExecStart -p Environment -p EnvironmentFiles -p MainPID haproxy.service keepalived.service | {
    for unit in haproxy keepalived; do reads "$unit"; done
}

# The VIPs that the node has, and what its keepalived says of itself right before. Where it says that it has none, it may
# be just about to take them, or to let go of them: then it is asked again, and so is the kernel.
look() {
    state=$(vrrp | tr '\n' ' ')
    there=$(ip -o addr | while read -r number device family address rest; do
        case " $vips " in *" ${address%/*} "*) printf 'address %s\n' "$number $device $family $address $rest" ;; esac
    done)
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
# within UNIT DIR: whether a process is one of this service's.
within() {
    while IFS= read -r each; do
        case $each in *"/$1.service"*) return 0 ;; esac
    done < "$2/cgroup"
    return 1
}
own=''
# shellcheck disable=SC2046
for dir in /proc/[0-9]*; do
    read -r name < "$dir/comm" || continue
    case $name in keepalived | kube-vip | ucarp | corosync | pacemakerd | heartbeat | vrrpd) ;; *) continue ;; esac
    ! within keepalived "$dir" || continue
    [ "$own" ] || own=$(readlink /proc/self/ns/net)
    [ "$(readlink "$dir/ns/net")" = "$own" ] || continue
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
set --
for vip in $vips; do set -- "$@" -e "$vip"; done
# shellcheck disable=SC2086
if [ $# -gt 0 ]; then
    grep -nHF "$@" -- /etc/netplan/*.yaml /run/netplan/*.yaml /etc/NetworkManager/system-connections/* \
        /run/NetworkManager/system-connections/*.nmconnection /etc/systemd/network/*.network \
        /etc/systemd/network/*.network.d/*.conf /run/systemd/network/*.network /run/systemd/network/*.network.d/*.conf |
        told network
    if cd /etc/network; then
        more='' named=''
        if [ -e interfaces ]; then
            while read -r word rest || [ "$word" ]; do
                case $word in
                    source) more="$more $rest" ;;
                    source-directory) named="$named $rest" ;;
                esac
            done < interfaces
        else
            named=interfaces.d # which the first file names as Debian installs it
        fi
        {
            grep -nHF -d skip "$@" -- interfaces $more
            [ ! "$named" ] || grep -rnHF --exclude='*[!a-zA-Z0-9_-]*' "$@" -- $named
        } | while IFS= read -r each; do
            case $each in
                /*) printf 'network %s\n' "$each" ;;
                *) printf 'network /etc/network/%s\n' "$each" ;;
            esac
        done
    fi
fi
set --
for setting in $settings; do set -- "$@" -e "${setting##*.}"; done
[ $# = 0 ] || grep -nH "$@" /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/local/lib/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf \
    /etc/sysctl.conf | told sysctl
nft list tables | while read -r each; do
    case $each in 'table '*' keepalived') printf '%s\n' "$each" ;; esac
done

# What root can't write to: on a file system that is mounted read-only, or with attributes of chattr(1), which some file
# systems do not have.
set --
for path in $folders /etc/haproxy/* /etc/keepalived/* /etc/sysctl.d/* /etc/systemd/system/*.d/*; do
    [ ! -e "$path" ] || set -- "$@" "$path"
done
marked=$(lsattr -d -- "$@" | while read -r attributes path; do
    case $attributes in
        *i*) printf 'unwritable immutable %s\n' "$path" ;;
        *a*) printf 'unwritable append-only %s\n' "$path" ;;
    esac
done)
[ ! "$marked" ] || printf '%s\n' "$marked"
for path in "$@"; do
    [ ! -w "$path" ] || continue
    case "$marked
" in
        *" $path
"*) ;;
        *) printf 'unwritable %s %s\n' "$(findmnt -no OPTIONS -T "$path" | cut -c 1-2)" "$path" ;;
    esac
done

# Who listens here, and whose connections are open now, of those that a firewall or `allow` may shut out.
[ ! "$firewall" ] || ss --no-header -ltunp | told listens
for port in $restricted; do
    ss --no-header -tn state established "( sport = :$port )" | awk -v port="$port" '
        { sub(/:[0-9]+$/, "", $4) }
        !($4 in seen) && n++ < 500 { seen[$4]; print "client", port, $4 }'
done
