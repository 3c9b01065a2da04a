# While VRRP elects anew, another node takes VIPs that this one goes on holding. Should that one be gone again, without
# power or without a cable, nothing has changed for keepalived here, and clients would ask the dead node until they find
# out by themselves: 8 s on Linux, and more. So once somebody else has had the VIPs, and nobody else has them any more,
# this node announces those that it holds, and ends. It asks twice before, since a node may be paused for a moment.
# Given: program (find-address-owner.pl), pairs (INTERFACE ADDRESS..., as a list of words), announce (what keepalived runs
# on a new holder), seconds (how long to watch, at the most).
shared='' quiet=''
for _ in $(seq "$seconds"); do
    # shellcheck disable=SC2086
    case $(perl -e "$program" 0.9 $pairs) in
        'has '*) shared=yes quiet='' ;;
        'done who-has'*)
            if [ "$shared" ] && [ "$quiet" ]; then exec "$announce"; fi
            quiet=$shared
            ;;
        *) sleep 1 ;; # it could not ask
    esac
done
