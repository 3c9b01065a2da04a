# Prints the log of the run in the unit $unit, from line $from on, until the run waits for the laptop or ends.
# Given: unit, mark, run (the path of the run's files), from, log, journal, id (the run's), limit (for how long, in s),
# lock, about (what this run has written into it).
#
# Where the log is gone, since the node rebooted, the journal says what was done, and in which boot. Another run removes it,
# too, once it has the lock: this one slept, and what it had not been told to keep was undone before that.

busy() { case $(systemctl show -p ActiveState --value "$unit") in inactive | failed) return 1 ;; esac; }

if [ ! -e "$log" ]; then
    if grep -qsx "run $id" "$journal"; then
        timeout 30 systemctl is-system-running --wait > /dev/null
        # It goes on waiting for its peers there: agree.sh.
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            busy || break
            sleep 1
        done
        sed "s|^|$mark |" "$journal"
        printf '%s now %s\n' "$mark" "$(cat /proc/sys/kernel/random/boot_id)"
    else
        holder=$(cat "$lock" 2> /dev/null)
        case $holder in '' | "$about") ;; *) printf '%s outrun %s\n' "$mark" "$holder" ;; esac
    fi
    exit 0
fi
# A process that was killed is not the end: systemd has the script undo what it did, or complete it.
until_ended() {
    read -r end _ < /proc/uptime
    end=$((${end%.*} + limit))
    while kill -0 "$pid" && in_time; do sleep 0.2; done
    while busy && in_time; do sleep 0.1; done
}
in_time() {
    read -r now _ < /proc/uptime
    [ "${now%.*}" -lt "$end" ]
}
pid=$(systemctl show -p MainPID --value "$unit")
if busy; then
    [ "${pid:-0}" != 0 ] || pid=none
    until_ended < /dev/null > /dev/null 2>&1 &
    tail -n "+$from" -s 0.1 -f --pid=$! "$log" | sed -u "/^$mark \(ready\|await\|agree\|exit\) /q"
    kill $! 2> /dev/null
else
    tail -n "+$from" "$log"
fi
for _ in 1 2 3 4 5 6 7 8 9 10; do
    if ! busy; then
        rm -f "$run".*
        break
    fi
    tail -n 1 "$log" | grep -q "^$mark exit " || break # it waits
    sleep 0.1
done
