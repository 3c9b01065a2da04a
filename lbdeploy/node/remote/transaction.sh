# Functions for an applying script, together with commit.sh and apt.sh. Given: mark, state (lbdeploy's folder), units (the
# folder of systemd units), lock (the cluster's lock file on this node), run (the path of this run's files, without an
# extension), id (the run's), about (who started it, as text), patience (s), handover (a file), socket (haproxy's), suffix
# (of the paths of staged files), and as lists of words: staged (files), managed (files), packages.
#
# Every step that changes something first registers how it is undone. When a step fails, or nobody confirms, `finish`
# undoes them: first what was changed or started, in reverse order; then, with the old files back, the services that
# read them are reloaded or restarted, in the order registered.

set -eu
export DEBIAN_FRONTEND=noninteractive
rehearsal='' line='
'

# The journal survives a reboot; the log of a run does not.
tell() {
    printf '%s %s\n' "$mark" "$*"
    printf '%s\n' "$*" >> "$state/journal" || :
} 2> /dev/null
step() { tell step "$@"; }
fail() {
    tell failed "$@"
    exit 1
}
run_or_not() { "$@" < /dev/null; }
run() { run_or_not "$@" || fail "$@"; }
unwritable() {
    free=$(df -h --output=avail "${1%/*}" | tail -n 1 | tr -d ' ')
    printf 'cannot write %s: its file system has %s free\n' "$1" "$free"
    fail write
}
uptime() {
    read -r now _ < /proc/uptime # monotonic, even if the clock is set
    now=${now%.*}
}

# begin: do what this script was called for, if that is not the run itself: see commit.sh.
begin() {
    case $called in
        ended) killed ;;
        boot) at_boot ;;
        resume) resume ;;
        *) begin_run ;;
    esac
}

# begin_run: clean up after an interrupted run: delete staged files that were never put in place, keep what was there
# before it as a generation, and let the node take VIPs again when this run ends. Then start this run's journal.
begin_run() {
    mkdir -p "$state/generations" 2> /dev/null || unwritable "$state/generations"
    chmod 700 "$state"
    while read -r word path; do
        [ "$word" != staged ] || remove_staged "$path"
    done < "$state/journal" || :
    disarm
    if [ -e "$kept/paths" ]; then
        while read -r path; do
            grep -qxF -- "$path" "$kept/paths" || rm -rf -- "$kept/files$path" # it may have been cut short
        done < "$kept/new-paths" || :
        keep_generation "$(cat "$kept/id" || echo interrupted)"
    fi
    rm -rf -- "$kept"
    find "${run%/*}" -name '*.log' ! -path "$run.log" -delete
    printf 'run %s\nabout %s\nboot %s\n' "$id" "$about" "$(cat /proc/sys/kernel/random/boot_id)" \
        > "$state/journal" || unwritable "$state/journal"
    for path in $staged; do printf 'staged %s\n' "$path"; done >> "$state/journal"
    : > "$run.undo"
    read -r was < "$handover" && case $was in -25[34]) at_last "echo 0 > $handover" ;; esac || :
} 2> /dev/null

# remove_staged STAGED...: and the copies of a rehearsal.
remove_staged() {
    for path; do rm -rf -- "$path" "$path-rehearsed"; done
}

# validate PATH STAGED COMMAND: fails where the validator fails or prints anything: any output is an objection.
validate() {
    step "validate $1"
    judged=$2
    if [ "$rehearsal" ]; then rehearse "$2"; fi
    said=$(sh -c "$3" lbdeploy "$judged" 2>&1) && [ -z "$said" ] && return
    printf '%s\n' "$said" | sed "s|$judged|$1|g; s|$2|$1|g"
    fail "validator of $1"
}

# rehearse STAGED: what the file names may come with this run, too, and not be in its place yet: a copy names it where it
# is staged. Sets `judged` to that copy.
rehearse() {
    judged=$1-rehearsed
    cp -- "$1" "$judged" || unwritable "$judged"
    for each in $staged; do
        path=${each%"$suffix"}
        if [ -e "$each" ] && [ ! -e "$path" ]; then
            sed -i "s|$path\([^A-Za-z0-9._-]\)|$each\1|g; s|$path\$|$each|" "$judged"
        fi
    done
}

# swap PATH: the staged file takes the place of PATH, whose old content is kept. What is put back beside it first replaces
# what another user, whose folder it may be, has put there: a link would be followed.
swap() {
    [ ! -d "$1" ] || [ -L "$1" ] || run rmdir -- "$1"
    if [ -e "$1" ] || [ -L "$1" ]; then
        undo "{ cp -a --remove-destination -- '$kept/files$1' '$1$suffix' && mv -fT -- '$1$suffix' '$1'; }"
    else
        undo "rm -f -- '$1'"
    fi
    run sync -- "$1$suffix"
    run mv -fT -- "$1$suffix" "$1"
}

# not_from_future PATH...: files that were changed before the clock was set back get the present time, as whatever reads
# them now has read them.
not_from_future() {
    clock=$(date +%s)
    for path; do
        if [ -e "$path" ] && [ "$(stat -c %Z -- "$path")" -gt "$clock" ]; then run touch -c -- "$path"; fi
    done
}

# drop PATH: delete it; its old content is kept.
drop() {
    undo "{ cp -a --remove-destination -- '$kept/files$1' '$1$suffix' && mv -fT -- '$1$suffix' '$1'; }"
    run rm -f -- "$1"
}

# worker: print the process that serves haproxy's socket: the newest worker, once it has taken over.
worker() { echo 'show info' | timeout 2 socat -t 2 - "UNIX-CONNECT:$socket" 2> /dev/null | sed -n 's/^Pid: //p'; }

# takes_over OLD: wait until haproxy answers through a worker other than OLD, which keeps running if a reload fails.
takes_over() {
    step 'wait for haproxy to answer'
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
        new=$(worker)
        if [ -n "$new" ] && [ "$new" != "$1" ]; then return; fi
        sleep 0.2
    done
    journalctl -q -u haproxy -n 20 -o cat --no-pager | grep ALERT | tail -n 2
    if [ -n "$1" ]; then
        printf 'haproxy did not accept the new configuration; the old process keeps running\n'
    else
        printf 'haproxy does not answer on its socket\n'
    fi
    fail health check
}

# holds VIP...: whether this node holds any of them.
holds() {
    there=$(ip -o addr)
    for vip; do
        case $there in *" $vip/"*) return 0 ;; esac
    done
    return 1
}

# release VIP...: remove VIPs that a killed keepalived has left behind.
release() {
    for vip; do
        ip -o addr show to "$vip" | while read -r _ device _ address _; do
            step "take $address off $device"
            ip addr del "$address" dev "$device" || :
        done
    done
}

# let_vips_go VIP...: the same for those that came with a change that is being undone. A keepalived that was not killed
# takes them off itself, once it has read its old file; were they taken from it before, it would elect anew.
let_vips_go() {
    uptime
    deadline=$((now + 5))
    while holds "$@" && [ "$now" -lt "$deadline" ]; do
        sleep 0.1
        uptime
    done
    release "$@"
    ! holds "$@"
}

# vips_come VIP...: those that the node does not have yet go again where the change is undone; others were put there by
# something else, and stay.
vips_come() {
    for each; do
        if ! holds "$each"; then undo_last "let_vips_go '$each'"; fi
    done
}

# lower NUMBER: keepalived adds it to its priority from now on, and notices at once. When this run ends, however that is,
# the file gets its old content back, or 0 where the old one was left by a run that could not end.
lower() {
    { read -r was < "$handover"; } 2> /dev/null || was=0
    case $was in '' | -25[34] | *[!0-9-]*) was=0 ;; esac
    at_last "echo $was > $handover"
    printf '%s\n' "$1" > "$handover" || unwritable "$handover"
}

# give_up_vips SECONDS NUMBER VIP...: have another node take the VIPs, and wait until it has.
give_up_vips() {
    limit=$1 number=$2
    shift 2
    uptime
    deadline=$((now + limit))
    if holds "$@"; then step 'wait for another node to take the VIPs'; fi
    lower "$number"
    while holds "$@"; do
        uptime
        if [ "$now" -ge "$deadline" ]; then
            printf 'no other node took the VIPs within %s s\n' "$limit"
            fail handover
        fi
        sleep 0.2
    done
}

# still_standby SECONDS VIP...: wait until VIPs that have come to this node since the run has looked have gone back; fails
# where they stay. A keepalived that elects anew begins as BACKUP, so the only node that serves would let go of them.
still_standby() {
    limit=$1
    shift
    if ! holds "$@"; then return; fi
    step 'wait for the VIPs, which have come here since this run began, to go back'
    uptime
    deadline=$((now + limit))
    while holds "$@"; do
        uptime
        if [ "$now" -ge "$deadline" ]; then
            printf 'they have stayed for %s s: the node that held them has lost them\n' "$limit"
            fail standby
        fi
        sleep 0.2
    done
}

# why_deaf: why a program that listens to the network has ended: only perl itself is tried again.
why_deaf() {
    if perl -e 1; then
        echo 'perl works, but could open no socket for it as root'
    else
        echo 'perl does not work; repair perl-base there'
    fi
} 2> /dev/null

# listen PROGRAM: record the VRRP on the wire, from now on; see listen-vrrp.pl.
listen() {
    : > "$run.heard"
    timeout 300 perl -e "$1" 300 < /dev/null > "$run.heard" 2> /dev/null &
    listener=$!
    uptime
    listening=$now
}

# free_vrid ID,... INTERFACE ADDRESS...: fails where any host not at these addresses sends adverts for one of these virtual
# routers there. A master sends one every second, by default.
free_vrid() {
    step 'listen for the VRRP of others'
    uptime
    while [ "$now" -lt $((listening + 3)) ]; do
        sleep 0.2
        uptime
    done
    if ! kill "$listener"; then
        printf 'could not listen for the VRRP of others: %s\n' "$(why_deaf)"
        printf 'to continue anyway: --ignore vrid-in-use\n'
        fail listen
    fi
    wanted=$1 interface=$2
    shift 2
    while read -r heard source where; do
        case ",$wanted," in *",$heard,"*) ;; *) continue ;; esac
        case "$where, $* " in "$interface, "*" $source "*) ;; "$interface, "*)
            printf 'virtual router ID %s is in use: adverts come from %s; ' "$heard" "$source"
            printf 'choose another router_id in hosts.toml, or to continue anyway: --ignore vrid-in-use\n'
            fail listen
            ;;
        esac
    done < "$run.heard"
}
