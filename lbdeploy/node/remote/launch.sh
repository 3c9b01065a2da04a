# Starts the applying script $run.sh as the transient unit $unit, and prints its output (see follow.sh).
# Given: unit, about (for a second run to read), lock, mark, run (a path for this run's own files, without an extension).
#
# The unit outlives this connection, and its name serves as a lock: there can be only one. If its process is killed,
# systemd calls the script again, to complete or undo what it has done (commit.sh); twice, should that be killed, too.

log=$run.log
: > "$log"
ended="-/bin/sh -c '[ ! -e $run.sh ] || exec /bin/sh $run.sh ended'"
start() {
    systemd-run --quiet --collect --unit="$unit" --description="lbdeploy: $about" -p StandardOutput=append:"$log" \
        -p StandardError=append:"$log" -p ExecStopPost="$ended" -p ExecStopPost="$ended" -p TimeoutStopSec=600 \
        /bin/sh "$run.sh" 2> "$run.err"
}
give_up() {
    rm -f "$run".*
    for told; do printf '%s %s\n' "$mark" "$told"; done
    exit 0
}
state() { systemctl show -p ActiveState --value "$unit"; }

# A laptop that slept has lost its lock. Where another run has had it since, what this one is to do is outdated.
holder=$(cat "$lock" 2> /dev/null)
case $holder in '' | "$about") ;; *) give_up "outrun $holder" ;; esac

# A change that was kept, and only watches whether its peers keep it (agree.sh), gives way: this run sees to them now.
for each in "${run%/*}"/*.agreeing; do
    [ -e "$each" ] || continue
    : > "${each%.agreeing}.agreed"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        [ "$(state)" = inactive ] || sleep 0.2
    done
done

for try in 1 2 3 4 5; do
    start && break
    case $(state) in
        inactive | failed | deactivating) sleep 0.2 ;; # an earlier run is just ending, or there is another cause
        *) give_up "locked $(systemctl show -p Description --value "$unit")" ;;
    esac
    if [ "$try" = 5 ]; then
        if [ "$(state)" = deactivating ]; then give_up "locked $(systemctl show -p Description --value "$unit")"; fi
        cat "$run.err"
        give_up "failed systemd-run" "exit 1"
    fi
done
rm -f "$run.err"
