# Records what was there before lbdeploy, for `lbdeploy down`: written once, before the first change, and kept for ever.
# Given, besides what transaction.sh is given: sysctls and services, those that lbdeploy sets or starts.
#
# $state/original has: files/, the managed files as they were; folders, those that did not exist; sysctls, their values;
# a file for each service; and known, what has been recorded. $state/installed has the names of the packages that
# lbdeploy installed, and $state/packaged/ those of the managed files that came with them.

original=$state/original packaged=$state/packaged
unknown() { case "$line$known$line" in *"$line$1$line"*) return 1 ;; esac; }
is_there() { [ -e "$1" ] || [ -L "$1" ]; }

# copy PATH FOLDER: copy to the same path below FOLDER.
copy() {
    mkdir -p "$2${1%/*}" 2> /dev/null || unwritable "$2$1"
    cp -a -- "$1" "$2$1" 2> /dev/null || unwritable "$2$1"
}

remember() {
    if [ -e "$original/adopted" ]; then return; fi
    if [ ! -d "$original" ] && [ -e "$state/hosts.toml" ]; then
        adopt
        return
    fi
    known=$(cat "$original/known" 2> /dev/null) || :
    if ! ours; then forget_files; fi
    remembered=$known
    mkdir -p "$original" 2> /dev/null || unwritable "$original"
    for path in $managed; do if unknown "file $path"; then remember_file "$path"; fi; done
    for name in $sysctls; do if unknown "sysctl $name"; then remember_sysctl "$name"; fi; done
    for unit in $services; do if unknown "service $unit"; then remember_service "$unit"; fi; done
    if [ "$known" != "$remembered" ]; then safe; fi
}

# ours: whether lbdeploy ever replaced a file here. If not, others may have changed files since they were recorded.
ours() { [ -e "$state/hosts.toml" ] || [ "$(ls "$state/generations")" ]; }
forget_files() {
    rm -rf "$original/files"
    known=$(printf '%s' "$known" | sed '/^file /d')
}
remember_file() {
    if is_there "$1" && ! cmp -s "$1" "$packaged$1"; then copy "$1" "$original/files"; fi
    note "file $1"
}
remember_sysctl() {
    printf '%s %s\n' "$1" "$(cat "/proc/sys/$(printf %s "$1" | tr . /)")" >> "$original/sysctls"
    note "sysctl $1"
} 2> /dev/null
remember_service() {
    systemctl show -p LoadState,ActiveState,UnitFileState "$1.service" > "$original/$1.service" || :
    note "service $1"
}
note() {
    known=$known$line$1
    printf '%s\n' "$1" >> "$original/known" || unwritable "$original/known"
} 2> /dev/null
safe() { find "$original" "$packaged" ! -type l -exec sync -- {} + 2> /dev/null || :; }

# adopt: earlier versions of lbdeploy recorded nothing. But the generation without a hosts.toml is that of the first run.
adopt() {
    first=''
    for path in "$state"/generations/*; do
        if [ -d "$path/files" ] && [ ! -e "$path/hosts.toml" ]; then first=$path; fi
    done
    if [ -z "$first" ]; then return; fi
    : > "$first/adopted"
    cp -aT -- "$first" "$original" || unwritable "$original"
    safe
}

# remember_packaged: record the managed files that came with the packages, before the first of them is replaced.
remember_packaged() {
    if [ ! -e "$original/known" ]; then return; fi
    for path in $managed; do if unknown "folder ${path%/*}"; then remember_folder "${path%/*}"; fi; done
    if [ -d "$packaged" ]; then return; fi
    rm -rf "$packaged.new"
    mkdir "$packaged.new" 2> /dev/null || unwritable "$packaged"
    for path in $managed; do
        if is_there "$path" && ! is_there "$original/files$path"; then copy "$path" "$packaged.new"; fi
    done
    mv -T "$packaged.new" "$packaged"
    safe
}
remember_folder() {
    if [ ! -d "$1" ]; then printf '%s\n' "$1" >> "$original/folders"; fi
    note "folder $1"
}
