# Asks once for what several probes need: starting programs is most of what an observation costs a node (measured).
# Given, as lists of words: units, files, and settings (paths of the kernel's).

line='
'
properties=LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,MainPID,NRestarts,Job
properties=$properties,ActiveEnterTimestamp,StateChangeTimestamp
ask_systemd() { TZ=UTC systemctl show --timestamp=us -p "$properties" "$@"; }
ask_files() { stat -c '%n file %a %U:%G %.Z' -- "$@"; }
# ask_settings PATH...: not the shell's `read`, which reads byte by byte: of a number, the kernel then gives one digit only.
ask_settings() { grep -H '' -- "$@"; }
# ask_digests FILE...: only of regular files: reading others might wait for ever.
ask_digests() {
    for each; do
        if [ -f "$each" ] && [ ! -L "$each" ]; then set -- "$@" "$each"; fi
        shift
    done
    [ $# = 0 ] || sha256sum -- "$@"
}

# shellcheck disable=SC2086
{
    shown=${units:+$(ask_systemd $units)}
    found=${files:+$(ask_files $files)}
    digests=$line${files:+$(ask_digests $files)}$line
    levels=${settings:+$(ask_settings $settings)}
    now=$(date +%s.%N)
} < /dev/null 2> /dev/null

# show UNIT: print its properties. systemctl prints a paragraph for each unit, in the order given.
show() {
    rest=$shown$line$line
    for unit in $units; do
        told=${rest%%"$line$line"*}
        if [ "$unit" = "$1" ] && [ -n "$told" ]; then
            printf '%s\n' "$told"
            return
        fi
        rest=${rest#*"$line$line"}
    done
    ask_systemd "$1"
}

# attributes FILE: print "file", its mode, its owner and group, and the time of its last status change (ctime).
attributes() {
    case $line$found in
        *"$line$1 file "*) rest=$line$found ;;
        *) rest=$line$(ask_files "$1") || return ;;
    esac
    rest=${rest#*"$line$1 "}
    printf '%s\n' "${rest%%"$line"*}"
}

# same FILE DIGEST: whether the file's content has this SHA-256.
same() {
    case $digests in *"$line$2  $1$line"*) ;; *) return 1 ;; esac
}

# setting PATH: print its value.
setting() {
    case $line$levels in
        *"$line$1:"*) rest=$line$levels ;;
        *) rest=$line$(ask_settings "$1") || return ;;
    esac
    rest=${rest#*"$line$1:"}
    printf '%s\n' "${rest%%"$line"*}"
}
