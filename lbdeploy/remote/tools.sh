# What an applying script is made of. Given: mark, kept (where old content goes), patience (s), staged (files, in words).
#
# Every step that changes something first says how it is undone. When a step fails, `finish` undoes them: first what was
# changed, the latest first; then, in their order, the services, which by then find their old files again.

set -eu
export DEBIAN_FRONTEND=noninteractive
undo_first='' undo_then='' bad=''

tell() { printf '%s %s\n' "$mark" "$*"; }
step() { tell step "$@"; }
undo() {
    undo_first="$1 || bad=1
$undo_first"
}
undo_last() {
    undo_then="$undo_then
$1 || bad=1"
}

fail() {
    tell failed "$@"
    exit 1
}
run_or_not() { "$@" < /dev/null; }
run() { run_or_not "$@" || fail "$@"; }

# Somebody else may be using apt or dpkg, unattended-upgrades for example: wait for them, and say who it is.
patiently_or_not() {
    waited=0
    while :; do
        if said=$(run_or_not "$@" 2>&1); then
            printf '%s\n' "$said"
            return 0
        fi
        holder=$(printf '%s\n' "$said" | sed -n 's/.*is held by process \(.*\)$/process \1/p' | head -n 1)
        case "$holder,$said" in
            ,*'lock'*'by another process'*) holder='another process' ;;
            ,*) break ;;
        esac
        if [ "$waited" -ge "$patience" ]; then
            said="the lock of apt and dpkg was not free for $patience s: it is held by $holder"
            break
        fi
        step "wait for the lock of apt and dpkg, held by $holder"
        waited=$((waited + 1))
        sleep 1
    done
    printf '%s\n' "$said"
    return 1
}
patiently() { patiently_or_not "$@" || fail "$@"; }

# validate PATH STAGED COMMAND: what the validator says at all, it says against the file.
validate() {
    step "validate $1"
    said=$(sh -c "$3" lbdeploy "$2" 2>&1) && [ -z "$said" ] && return
    printf '%s\n' "$said" | sed "s|$2|$1|g"
    fail "validator of $1"
}

unwritable() {
    free=$(df -h --output=avail "${1%/*}" | tail -n 1 | tr -d ' ')
    printf 'cannot write %s: its file system has %s free\n' "$1" "$free"
    fail write
}

# swap PATH: the staged file takes the place of PATH, whose old content is kept.
swap() {
    mkdir -p "$kept${1%/*}"
    chmod 700 "${kept%/*}"
    rm -rf "$kept$1"
    [ ! -d "$1" ] || [ -L "$1" ] || run rmdir -- "$1"
    if [ -e "$1" ] || [ -L "$1" ]; then
        run cp -a -- "$1" "$kept$1"
        undo "{ cp -a -- '$kept$1' '$1.lbdeploy-new' && mv -fT -- '$1.lbdeploy-new' '$1'; }"
    else
        undo "rm -f -- '$1'"
    fi
    run sync -- "$1.lbdeploy-new"
    run mv -fT -- "$1.lbdeploy-new" "$1"
}

healthy() {
    step "wait for $1 to answer"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        /etc/keepalived/check-haproxy && return
        sleep 0.5
    done
    printf '%s does not answer on its socket\n' "$1"
    fail health check
}

finish() {
    status=$?
    trap - EXIT
    set +e
    if [ "$status" -ne 0 ] && [ -n "$undo_first$undo_then" ]; then
        eval "$undo_first"
        systemctl daemon-reload || bad=1
        eval "$undo_then"
        if [ "$bad" ]; then tell unrestored; else tell restored; fi
    fi
    # shellcheck disable=SC2086
    rm -f -- "$0" $staged
    tell exit "$status"
}
trap finish EXIT
trap 'exit 1' TERM INT HUP
