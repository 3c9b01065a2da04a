# Asks once for what several probes need: starting programs is most of what an observation costs a node (measured).
# Given, as lists of words: units, files, and settings (paths of the kernel's).

line='
'
properties=LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,MainPID,NRestarts,Job
properties=$properties,ActiveEnterTimestamp,StateChangeTimestamp
ask_systemd() { TZ=UTC systemctl show --timestamp=us -p "$properties" "$@"; }
ask_files() { stat -c '%n file %a %U:%G %.Z' -- "$@"; }
# ask_settings PATH...: not the shell's `read`, which reads byte by byte: of a number, the kernel then gives one digit only.
ask_settings() { grep --with-filename '' -- "$@"; }
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

# What follows is called by the probes, and starts no other shell where it need not: that takes a third of a millisecond.

# unit UNIT: find its properties, as `told`. systemctl prints a paragraph for each unit, in the order given.
unit() {
    rest=$shown$line$line
    for each in $units; do
        told=${rest%%"$line$line"*}
        if [ "$each" = "$1" ] && [ -n "$told" ]; then return; fi
        rest=${rest#*"$line$line"}
    done
    told=$(ask_systemd "$1")
}

# attributes FILE: find "file", its mode, its owner and group, and the time of its last status change (ctime), as `told`.
attributes() {
    case $line$found in
        *"$line$1 file "*) rest=$line$found ;;
        *) rest=$line$(ask_files "$1") || return ;;
    esac
    rest=${rest#*"$line$1 "}
    told=${rest%%"$line"*}
}

# service UNIT FILE...: print its properties, what the kernel says of the file that the process was started from (proc(5),
# /proc/pid/exe), when each of the files that there are was last changed, and what the clock says, unless none is asked for.
service() {
    unit "$1.service"
    printf '%s\n' "$told"
    process=${told#*MainPID=}
    process=${process%%[!0-9]*}
    [ "${process:-0}" = 0 ] || echo "Program=$(readlink "/proc/$process/exe")"
    shift
    for each; do
        if attributes "$each"; then echo "newest=${told##* }"; fi
    done
    [ $# = 0 ] || echo "now=$now"
}

# same FILE DIGEST: whether the file's content has this SHA-256.
same() {
    case $digests in *"$line$2  $1$line"*) ;; *) return 1 ;; esac
}

# plain FILE, coded FILE: print its content, and a mark after it, since its last newline is part of it.
plain() { cat "$1" && echo '|'; }
coded() { printf 'secret %s' "$(base64 -w 0 "$1")" && echo '|'; }

# look_at PATH HOW [DIGEST]: print what is there, and a file's content HOW, unless that has this SHA-256.
look_at() {
    if [ -f "$1" ] && [ ! -L "$1" ]; then
        attributes "$1" && printf '%s\n' "$told" && { same "$1" "${3:-}" && echo same || "$2" "$1"; }
    elif [ -f "$1" ]; then
        echo link && "$2" "$1"
    elif [ -e "$1" ] || [ -L "$1" ]; then
        echo other
    else
        echo missing
    fi
}

# leftovers SUFFIX PATTERN...: print each file that there is, its mode, and its content in base64; but not those that end
# in SUFFIX, or are named in one of the patterns without being there.
leftovers() {
    suffix=$1
    shift
    for path; do
        case $path in *"$suffix") continue ;; esac
        if [ -f "$path" ] || [ -L "$path" ]; then
            printf '%s %s %s\n' "$path" "$(stat -L -c %a "$path" || echo 600)" "$(base64 -w 0 "$path")"
        fi
    done
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
