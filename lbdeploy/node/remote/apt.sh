# What an applying script has apt and dpkg do, besides what node/apt.py has them do. Given what transaction.sh is given.

# Another process may be using apt or dpkg, for example unattended-upgrades: wait for it, and say which one it is.
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

# would_get NAME: print the version that apt would install.
would_get() { apt-cache policy "$1" | sed -n 's/^  Candidate: //p'; }

# pinned NAME PATTERN: make sure that apt would install a version that matches. Sets `options` if that is a downgrade.
pinned() {
    case $(would_get "$1") in
        $2) ;;
        *)
            step 'apt-get update'
            patiently apt-get -q update
            case $(would_get "$1") in
                $2) ;;
                *)
                    printf 'no apt source offers %s %s; they offer: %s\n' "$1" "$2" \
                        "$(apt-cache madison "$1" | awk '{print $3}' | sort -u | tr '\n' ' ')"
                    fail versions
                    ;;
            esac
            ;;
    esac
    had=$(dpkg-query -W -f '${Version}' "$1" 2> /dev/null) || return 0
    if dpkg --compare-versions "$(would_get "$1")" lt "$had"; then options=--allow-downgrades; fi
}

# record_versions: record the versions of the packages at the end of a run: another one at the next run is told.
record_versions() {
    # shellcheck disable=SC2086
    dpkg-query -W -f '${Package} ${Version}\n' $packages > "$state/packages.new" && mv "$state/packages.new" "$state/packages"
}

# note_new SIMULATED: record the packages that `apt-get -s` said it would newly install. An upgrade would have the old
# version in brackets.
note_new() { printf '%s\n' "$1" | sed -n 's/^Inst \([^ ]*\) (.*/\1/p' >> "$state/installed" || unwritable "$state/installed"; }

# purge NAME...: purge packages that lbdeploy installed; fails where others would be removed along with them.
purge() {
    step "apt-get purge $*"
    goes=$(apt-get -s purge "$@" | sed -n 's/^\(Purg\|Remv\) \([^ ]*\) .*/\2/p')
    for name in $goes; do
        case " $* " in
            *" $name "*) ;;
            *)
                printf '%s needs what would be removed\n' "$name"
                fail apt-get purge
                ;;
        esac
    done
    patiently apt-get -q -y -o Dpkg::Use-Pty=0 purge "$@"
}
