# How a change is kept or undone, whatever happens to the run that makes it. Given what transaction.sh is given, and as $1
# what this script was called for: nothing (the run itself), "ended" (systemd, after the run's process has ended, however
# that was), "boot" (the node starts, and the run had not ended), "resume" (after "boot": see agree.sh).
#
# The journal has the state of a change, and survives a reboot:
#   kept      it stays, and is on the disk; from here on it is completed, also by "ended" and "boot"
#   restored  what there was before is back, and on the disk
#   exit N    the run has come to its end: 0 where the change stays, with the repair for the next boot disarmed
#   undoing   after "kept": peers have undone the change (agree.sh)
# Without any, "ended" and "boot" undo it. $run.undo has what is to be undone, in the order in which it was done.

called=${1-}
undo_first='' undo_then='' at_the_end='' bad='' begun='' kept=$state/undo after='' grace=0 boot_id=/proc/sys/kernel/random/boot_id

# undo COMMAND, undo_last COMMAND: undo by this; the latest first, and after all of them, in order.
# at_last COMMAND: do this at the very end, however it ends.
undo() {
    printf 'first %s\n' "$1" >> "$run.undo"
    undo_first="$1 || bad=1
$undo_first"
}
undo_last() {
    printf 'then %s\n' "$1" >> "$run.undo"
    undo_then="$undo_then
$1 || bad=1"
}
# lasting COMMAND: undo by this at boot, what outlasts a reboot and is no file of ours. undo_lasting COMMAND: then, too.
lasting() {
    if [ -d "$kept" ]; then
        printf '%s\n' "$1" >> "$kept/lasting"
        run on_disk "$kept/lasting" "$kept"
    fi
}
undo_lasting() {
    undo "$1"
    lasting "$1"
}
at_last() {
    printf 'last %s\n' "$1" >> "$run.undo"
    at_the_end=$1
}

# on_disk PATH...: have the files and folders that exist written to the disk; fails where that is not certain.
on_disk() {
    there=''
    for path; do if [ -e "$path" ]; then there="$there $path"; fi; done
    # shellcheck disable=SC2086
    sync -- $there
}

# secure: what was changed is on the disk: first the files, then the folders, which have their names.
secure() {
    folders=$units/multi-user.target.wants
    for path in $managed "$folders"; do
        while path=${path%/*} && [ -n "$path" ]; do
            case " $folders " in *" $path "*) ;; *) folders="$folders $path" ;; esac
        done
    done
    # shellcheck disable=SC2086
    on_disk $managed && on_disk $folders
} 2> /dev/null

# record WORDS: as `tell`, but only once the journal has it on the disk.
record() {
    if [ -d "$state" ]; then
        printf '%s\n' "$*" >> "$state/journal"
        on_disk "$state/journal" "$state"
    fi
    printf '%s %s\n' "$mark" "$*"
} 2> /dev/null
recorded() { grep -qsx "$1" "$state/journal"; }
to_stay() { recorded kept && ! recorded undoing; }

# Where no peers must agree on the change, there is nobody to listen to. See agree.sh, which replaces these.
hear() { :; }
heed() { :; }
prepare() { :; }
say() { :; }
linger() { :; }
let_go() { :; }
hush() { :; }
peer_kept() { return 1; }
peer_goes() { return 1; }
peer_undone() { return 1; }
returned() { return 1; }
disagree() { :; }
awake() { uptime; }
moment() { moment=0; }
peer_ended() { return 1; }
agree() { :; }

# keep PATH...: save the present content of these files, before any of them changes. What is in `paths` is on the disk.
keep() {
    begun=yes
    mkdir -p "$kept/files" 2> /dev/null || unwritable "$kept/files"
    printf '%s\n' "$id" > "$kept/id"
    printf '%s\n' "$about" > "$kept/about"
    cat "$kept/paths" > "$kept/new-paths" 2> /dev/null || :
    for path; do
        printf '%s\n' "$path" >> "$kept/new-paths"
        if [ -e "$path" ] || [ -L "$path" ]; then
            mkdir -p "$kept/files${path%/*}"
            cp -a -- "$path" "$kept/files$path" 2> /dev/null || unwritable "$kept/files$path"
        fi
    done
    if [ -e "$state/hosts.toml" ]; then run cp -a -- "$state/hosts.toml" "$kept/"; fi
    arm
}

# arm: should the node lose power before the change is kept, the change is undone at boot, before the daemons start.
# Peers that could not wait for the node have undone theirs, and might not hear it otherwise.
arm() {
    cat "$boot_id" > "$kept/boot"
    cp -- "$run.sh" "$kept/script" 2> /dev/null || unwritable "$kept/script"
    if [ -e "$run.hosts" ]; then cp -- "$run.hosts" "$kept/new-hosts.toml"; fi
    run find "$kept" "$state/journal" ! -type l -exec sync -- {} +
    run mv -f -- "$kept/new-paths" "$kept/paths"
    run on_disk "$kept" "$state" "${state%/*}"
    mkdir -p "$units/multi-user.target.wants"
    cat > "$units/lbdeploy-undo.service" << END
[Unit]
Description=lbdeploy: undo a change that nobody had confirmed when the node lost its power
Before=haproxy.service keepalived.service lbdeploy-firewall.service
$after
[Service]
Type=oneshot
ExecStart=/bin/sh $kept/script boot
END
    ln -sf ../lbdeploy-undo.service "$units/multi-user.target.wants/lbdeploy-undo.service"
    run on_disk "$units/lbdeploy-undo.service" "$units/multi-user.target.wants" "$units"
}
disarm() {
    rm -f -- "$units/multi-user.target.wants/lbdeploy-undo.service" "$units/lbdeploy-undo.service"
    on_disk "$units/multi-user.target.wants" "$units"
}

# ready SECONDS: all is done but the step on which peers must agree. Take it once the laptop has said that all are ready, or
# a peer is heard that takes it. If neither comes, or the laptop is gone, this fails: a node that took it alone would not be
# heard by its peers, and both would hold the VIPs.
ready() {
    prepare ready
    tell ready "$1"
    uptime
    deadline=$((now + $1))
    until [ -e "$run.go" ] || peer_goes; do
        if [ -e "$run.abandon" ]; then
            tell abandoned
            exit 1
        fi
        uptime
        if laptop_gone || [ "$now" -ge "$deadline" ]; then
            tell alone
            exit 1
        fi
        sleep 0.05
    done
    say goes
}

# await SECONDS: wait until the laptop confirms over a new connection that all is well, or a peer has kept its change. If
# that does not come in time, or the laptop abandons the change, this fails, and everything is undone. If its lock is gone,
# so is the laptop, and the wait ends soon; at once if a peer is heard with the old configuration, which nobody can have
# confirmed then. The same if a peer has undone its change.
await() {
    prepare
    tell await "$1"
    uptime
    deadline=$((now + $1)) last=$now
    reason=''
    until [ -e "$run.confirm" ] || peer_kept; do
        awake
        if [ "$reason" != abandoned ] && [ -e "$run.abandon" ]; then
            tell abandoned
            give_up_in 0 abandoned
        fi
        if [ -z "$reason" ] && laptop_gone; then give_up_in "$grace" laptop; fi
        if [ "${reason:-laptop}" = laptop ] && peer_undone; then give_up_in 0 peer; fi
        if [ "$now" -ge "$deadline" ] || { [ "$reason" ] && returned "$given_up"; }; then
            case $reason in
                abandoned) ;;
                peer) disagree ;;
                *)
                    if peer_ended; then break; fi
                    tell unconfirmed "$1"
                    ;;
            esac
            exit 1
        fi
        sleep 0.2
    done
    tell confirmed
}
# give_up_in SECONDS REASON: wait only so long any more.
give_up_in() {
    deadline=$((now + $1)) reason=$2
    moment
    given_up=$moment
}
laptop_gone() { [ -e "$lock" ] && flock -n "$lock" true; }

# keep_generation ID: keep what was there before run ID as a generation, so that it can be restored; five are kept.
keep_generation() {
    if [ -e "$state/generations/$1" ]; then
        rm -rf "$kept"
    else
        latest=$(in_order | tail -n 1)
        printf '%s\n' "$((${latest%% *} + 1))" > "$kept/number"
        on_disk "$kept/number" "$kept" # or it might be empty after a power cut, and the latest count as the oldest
        mv -T "$kept" "$state/generations/$1"
    fi
    for each in script boot paths new-paths steps lasting new-hosts.toml; do rm -f -- "$state/generations/$1/$each"; done
    in_order | head -n -5 | while read -r _ path; do rm -rf "$path"; done
}

# in_order: the generations, the oldest first, each with its number: this node counts them, as the time in a name is that of
# a laptop. Those from before they were counted have none, and come first, in the order of their names.
in_order() {
    for path in "$state/generations"/*; do
        number=0
        if [ -e "$path/number" ]; then read -r number < "$path/number" || :; fi
        case $number in '' | 0?* | *[!0-9]* | ??????????*) number=0 ;; esac
        if [ -d "$path" ]; then printf '%s %s\n' "$number" "$path"; fi
    done | LC_ALL=C sort -k 1,1n -k 2
}

# commit: forget how the change is undone. Done again, or by "boot", it does what is left.
commit() {
    disarm
    # /run has its copy only until a reboot.
    for path in "$run.hosts" "$kept/new-hosts.toml"; do
        if [ -e "$path" ]; then mv -f "$path" "$state/hosts.toml"; fi
    done
    if [ -d "$kept" ]; then keep_generation "$id"; fi
    record_versions
    on_disk "$state/hosts.toml" "$state/packages" "$state/generations" "$state"
} 2> /dev/null

restore() {
    if recorded restored; then
        printf '%s restored\n' "$mark"
    else
        say undone
        linger
        eval "$undo_first"
        systemctl daemon-reload || bad=1
        eval "$undo_then"
        let_go
        secure || bad=1
        if [ "$bad" ]; then
            tell unrestored
            return
        fi
        disarm
        record restored
    fi
    rm -rf "$kept"
}

finish() {
    status=$?
    trap - EXIT
    trap '' TERM INT HUP
    set +e
    if [ "$rehearsal" ]; then
        :
    elif [ "$status" -eq 0 ] && stays; then
        commit
    elif [ -n "$undo_first$undo_then" ]; then
        status=1
        restore
    elif [ "$begun" ]; then
        disarm
        rm -rf "$kept" # nothing was changed, so there is nothing to restore
    fi
    hush
    eval "$at_the_end" # only now, or the node might take the VIPs while its change is being undone
    # shellcheck disable=SC2086
    remove_staged $staged
    record exit "$status"
    forget_run
}

# stays: the change is to stay, which is certain once it is on the disk.
stays() {
    if recorded undoing; then return 1; fi
    if ! recorded kept; then
        if ! secure; then
            tell failed sync
            return 1
        fi
        record kept
    fi
    agree
}
forget_run() {
    for each in sh hosts go confirm abandon linger heard heard-new says ask agreeing agreed undo; do rm -rf -- "$run.$each"; done
}

# killed: the run's process has ended. If it could not come to its end, by SIGKILL, do what was left: complete the change,
# or undo it.
killed() {
    if [ ! -e "$run.undo" ] || recorded 'exit [0-9]*'; then
        if [ -e "$run.undo" ]; then
            sed -n "s/^exit /$mark &/p" "$state/journal"
        else
            printf '%s exit 1\n' "$mark" # it had not even begun
        fi
        trap - EXIT
        forget_run
        exit 0
    fi
    load_steps
    if to_stay; then
        case $(systemctl is-system-running) in
            stopping) trap - EXIT ;; # it goes on as the node starts
        esac
        exit 0
    fi
    tell killed
    exit 1
}
load_steps() {
    while read -r word command; do
        case $word in
            first) undo_first="$command || bad=1${line}$undo_first" ;;
            then) undo_then="$undo_then${line}$command || bad=1" ;;
            last) at_the_end=$command ;;
        esac
    done < "$run.undo"
    if [ -d "$kept" ]; then begun=yes; fi
}

# at_boot: the node starts, and the run had not ended when it lost its power.
at_boot() {
    trap - EXIT
    set +e
    if [ "$(cat "$kept/boot")" = "$(cat "$boot_id")" ]; then exit 0; fi
    mkdir -p -m 700 "${run%/*}"
    if at_boot_stays; then
        at_boot_keeps
    else
        hush
        put_back
        secure || bad=1
        if [ "$bad" ]; then # it has not ended: the next boot tries again, `plan` shows it, and the next run cleans up
            record unrestored
            exit 1
        fi
        record restored
        disarm
        rm -rf -- "$kept"
        # shellcheck disable=SC2086
        remove_staged $staged
        record exit 1
    fi
    exit 0
}
at_boot_stays() { to_stay; }
at_boot_keeps() {
    commit
    record exit 0
}
put_back() {
    settings=''
    while read -r path; do
        case $path in /etc/sysctl.d/*) settings=yes ;; esac
        if [ -e "$kept/files$path" ] || [ -L "$kept/files$path" ]; then
            { cp -a --remove-destination -- "$kept/files$path" "$path$suffix" && mv -fT -- "$path$suffix" "$path"; } || bad=1
        else
            rm -f -- "$path" || bad=1
        fi
    done < "$kept/paths"
    if [ "$settings" ]; then sysctl -q --system || :; fi # they were not there when the node read these files
    if [ -e "$kept/lasting" ]; then
        while read -r command; do eval "$command" || bad=1; done << END
$(tac "$kept/lasting")
END
        systemctl --no-block start multi-user.target # with what is enabled again, and was not as the node began to start
    fi
}
trap finish EXIT
trap 'exit 1' TERM INT HUP
