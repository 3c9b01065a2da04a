# What taking a load balancer away is made of, besides tools.sh. Given: more, which is not empty where packages are to follow.

# drop_folders: those that were not there, where nothing is in them any more.
drop_folders() {
    if [ -e "$original/folders" ]; then
        while read -r path; do rmdir -- "$path" || :; done < "$original/folders"
    fi
} 2> /dev/null

# release VIP...: a keepalived that was killed has left them behind.
release() {
    for vip; do
        ip -o addr show to "$vip" | while read -r _ device _ address _; do
            step "take $address off $device"
            ip addr del "$address" dev "$device" || :
        done
    done
}

# purge NAME...: nothing else is removed along with them. The names are of packages that lbdeploy installed.
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

# give_back: files that were there before the packages, which dpkg takes for theirs.
give_back() {
    for path in $managed; do
        if is_there "$original/files$path" && ! is_there "$path"; then
            mkdir -p "${path%/*}"
            run cp -a -- "$original/files$path" "$path"
        fi
    done
}

# In place of the commit of a run that leaves something behind: the present files were not made from a hosts.toml.
commit() {
    disarm
    if [ -d "$kept" ]; then keep_generation "$id"; fi
    drop_folders
    at_the_end='' # there is no keepalived of ours to tell a number
    rm -rf "$handover" "$state/hosts.toml" "$state/packages"
    case $more in
        '') rm -rf "$original" ;;
        last) rm -rf "$state" ;;
    esac
}
