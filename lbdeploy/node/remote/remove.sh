# Functions for removing a load balancer, besides transaction.sh. Given: more, "packages" where they are to be purged later,
# "last" while they are, otherwise empty.

# drop_folders: remove the folders that were not there before lbdeploy, if they are empty now.
drop_folders() {
    if [ -e "$original/folders" ]; then
        while read -r path; do rmdir -- "$path" || :; done < "$original/folders"
    fi
} 2> /dev/null

# give_back: restore files that were there before the packages; dpkg took them for the packages' own and removed them.
give_back() {
    for path in $managed; do
        if is_there "$original/files$path" && ! is_there "$path"; then
            mkdir -p "${path%/*}"
            run cp -a -- "$original/files$path" "$path"
        fi
    done
}

# Replaces the commit of transaction.sh: the present files were not made from a hosts.toml, so nothing is recorded.
commit() {
    disarm
    if [ -d "$kept" ]; then keep_generation "$id"; fi
    drop_folders
    at_the_end='' # no keepalived of ours is left to read the handover file
    rm -rf "$handover" "$handover"-* "$state/hosts.toml" "$state/packages"
    case $more in
        '') rm -rf "$original" ;;
        last) rm -rf "$state" ;;
    esac
    on_disk "$state/generations" "$state" "${state%/*}"
}
