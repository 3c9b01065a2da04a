# Prints the log of the run in the unit $unit, from line $from on, until the run waits for the laptop or ends.
# Given: unit, mark, run (the path of the run's files), from, log, journal, id (the run's).
#
# Where the log is gone, since the node rebooted, the journal says what was done, and in which boot.

if [ ! -e "$log" ]; then
    if grep -qsx "run $id" "$journal"; then
        timeout 30 systemctl is-system-running --wait > /dev/null
        sed "s|^|$mark |" "$journal"
        printf '%s now %s\n' "$mark" "$(cat /proc/sys/kernel/random/boot_id)"
    fi
    exit 0
fi
pid=$(systemctl show -p MainPID --value "$unit")
if [ "${pid:-0}" = 0 ]; then
    tail -n "+$from" "$log"
else
    tail -n "+$from" -s 0.1 -f --pid="$pid" "$log" | sed -u "/^$mark \(await\|exit\) /q"
fi
case $(systemctl show -p ActiveState --value "$unit") in
    inactive | failed) rm -f "$run".* ;;
esac
