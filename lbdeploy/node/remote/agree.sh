# Nodes that must agree on a change keep it together or not at all, also without the laptop: docs/decisions/053. Given,
# besides what commit.sh is given: program (agree.pl), heeds (what it reads), peers (names, as a list of words),
# agree_seconds (how long a node that has kept the change watches its peers), boot_seconds (how long a node that starts
# again listens). Replaces functions of commit.sh.
#
# What peers say, and what their adverts are like, decides. Whoever undoes wins, since everybody can:
#   ready      says so. A peer takes the step on which they must agree: take it, too. The laptop is gone: undo it
#   waits      says so. A peer says kept: keep it, too. A peer says undone, or the laptop is gone, or it takes too long:
#              undo it; but in the last two cases keep it if a peer has come to the end, as while this node was paused
#   has kept   says kept. A peer says undone: undo it. All have kept it: the end. A peer is heard with the old
#              configuration before that: undo it. Nothing else undoes it, so that it stays where all have kept it,
#              whichever of them knows that. A peer that is heard with the new configuration, and says nothing, has come
#              to the end: so all have kept it
#   undoes     says undone
#   starts     whoever is heard is followed; where nobody is, what was kept stays, and other changes are undone

hears='' said_at='' dissenter=''
late=15 # seconds within which a busy node must be able to listen
say_seconds=300 # for which a node says that it has undone its change, where a peer has not said so
margin=100 # for what is said to be heard, and a step that was begun before that to be seen (1/100 s)
grace=3 # seconds for which a peer that has just been confirmed may still be writing that to its disk
after='Wants=network-online.target
After=network-online.target'

# hear: listen to the peers from now on.
hear() {
    if [ "$hears" ]; then return; fi
    : > "$run.heard"
    perl -e "$program" "$run" 2> /dev/null << END &
$heeds
END
    hears=$!
}
# prepare [WORD]: before it waits, a node must be able to hear its peers; and what is to be undone is known after a reboot,
# too. WORD is what it says of itself.
prepare() {
    say "${1:-waits}"
    if [ -d "$kept" ]; then
        cp -- "$run.undo" "$kept/steps"
        run on_disk "$kept/steps" "$kept"
    fi
    must_hear
}
must_hear() {
    uptime
    deadline=$((now + late))
    until hears_now || deaf || [ "$now" -ge "$deadline" ]; do
        sleep 0.2
        uptime
    done
    if hears_now; then return; fi
    if ! deaf; then
        printf 'could not listen to the other nodes: perl has not begun within %s s; see uptime there\n' "$late"
    elif heard hears 0; then
        printf 'could not listen to the other nodes any more: perl, which did, has ended\n'
    else
        printf 'could not listen to the other nodes: %s\n' "$(why_deaf)"
    fi
    fail listen
}
hears_now() { ! deaf && heard hears 0; }
deaf() { ! kill -0 "$hears"; } 2> /dev/null
# heed: the step on which peers must agree comes next. One that has undone its change meanwhile would not hear this node;
# and where the one that has taken the VIPs beside this node has let go of them, nobody would have them.
heed() {
    must_hear
    if peer_undone; then
        disagree
        exit 1
    fi
    if heard left 0; then
        printf 'the node at %s, which was to have the VIPs meanwhile, has let go of them\n' "$from"
        fail standby
    fi
}
say() {
    hear
    printf '%s\n' "$1" > "$run.says"
    moment
    said_at=$moment
}
# let_go: the VIPs are let go of, if they were here; whoever has them, announces them.
let_go() {
    : > "$run.ask"
    moment
    said_at=$moment
}
# hush: say no more, but only after it has been said for a while; at the end.
hush() {
    if [ -z "$hears" ]; then return; fi
    if [ "$said_at" ]; then
        moment
        while [ "$moment" -lt $((said_at + 150)) ]; do
            sleep 0.1
            moment
        done
    fi
    say_on
    kill -KILL "$hears"
} 2> /dev/null
# say_on: a peer that this node has not heard undoing its own change may still wait with that, as where a cable was pulled.
# Once the two hear each other again, and VRRP's old and new configurations do not, both would hold the VIPs. So "undone"
# is said for longer than any node waits, or until every peer has said so, too; by a unit of its own: this run is over.
say_on() {
    if [ "$(cat "$run.says")" != undone ] || undone_by_all; then return; fi
    mkdir -p "$run-undone"
    printf '%s\n' "$program" > "$run-undone/program"
    printf '%s\n' "$heeds" > "$run-undone/heeds"
    printf 'undone\n' > "$run-undone/run.says"
    # shellcheck disable=SC2086
    systemd-run --quiet --collect --no-block --unit="lbdeploy-undone-${run##*/}" --description="lbdeploy: $about" \
        /bin/sh -c "$saying_on" say-on "$run-undone" "$say_seconds" $peers
}
undone_by_all() {
    for each in $peers; do grep -qs " undone $each\$" "$run.heard" || return 1; done
}
# shellcheck disable=SC2016
saying_on='
here=$1 seconds=$2
shift 2
perl "$here/program" "$here/run" < "$here/heeds" &
for _ in $(seq "$seconds"); do
    sleep 1
    for each in "$@"; do grep -qs " undone $each\$" "$here/run.heard" || continue 2; done
    break
done
kill -KILL "$!"
rm -rf -- "$here"
'
moment() {
    read -r moment _ < /proc/uptime
    moment=${moment%.*}${moment#*.}
}

# heard WORD SINCE: whether this was heard after a moment; sets `from`.
heard() {
    while read -r at word from; do
        if [ "$word" = "$1" ] && [ "$at" -gt "$2" ]; then return 0; fi
    done < "$run.heard"
    return 1
}
kept_by_all() {
    for each in $peers; do grep -q " kept $each\$" "$run.heard" || return 1; done
}
disagree() { tell disagreed "${dissenter:-$from}"; }

# awake: the time. A node that was paused, as virtual machines are, listens again before it decides by the time.
awake() {
    uptime
    if [ "$now" -gt $((last + 5)) ] && [ "$deadline" -lt $((now + boot_seconds)) ]; then
        deadline=$((now + boot_seconds))
    fi
    last=$now
}
# peer_ended: whether a peer is heard with the new configuration, and does not say any more what it does.
peer_ended() {
    moment
    heard ended "$((moment - 300))"
}

peer_kept() { heard kept 0; }
peer_goes() { heard goes 0 || heard waits 0 || peer_kept; }
peer_undone() {
    heard undone 0 && dissenter=$from
}
# returned MOMENT: whether a peer is heard with the old configuration since then.
returned() { heard old "$1"; }

# agree: the change is kept here; watch the peers. Fails where it has to be undone after all.
agree() {
    hear
    moment
    since=$moment
    say kept
    : > "$run.agreeing"
    trap 'leave' TERM
    tell agree "$agree_seconds"
    uptime
    deadline=$((now + agree_seconds)) last=$now
    until [ -e "$run.agreed" ]; do
        # Whoever has heard that all have kept it may have come to the end: no advert undoes it then.
        if kept_by_all && ! heard undone 0; then break; fi
        if heard undone 0 || heard old "$since"; then
            disagree
            undecided
            return 1
        fi
        awake
        if heard ended "$since" || [ "$now" -ge "$deadline" ]; then break; fi
        sleep 0.2
    done
    rm -f "$run.agreeing"
    trap '' TERM
}
# undecided: what was kept is going to be undone, also after a reboot.
undecided() {
    trap '' TERM
    rm -f "$run.agreeing"
    record undoing
}
# leave: the node is being shut down; it goes on as it starts.
leave() {
    kill -KILL "$hears" || :
    exit 0
}
# linger: where the laptop has said so, a peer that may have let go of the VIPs needs them here until it has them again: it
# has heard that this node undoes its change, and is heard with the old configuration. RUN.linger has the most seconds.
linger() {
    if [ ! -e "$run.linger" ]; then return; fi
    read -r seconds < "$run.linger"
    uptime
    until_then=$((now + seconds)) told=''
    while [ "$now" -lt "$until_then" ]; do
        if [ -z "$told" ] && hears_now; then # only from then on it can say anything
            moment
            told=$moment
        fi
        if [ "$told" ] && returned "$((told + margin))"; then break; fi
        sleep 0.1
        uptime
    done
}

# at_boot_stays: as the node starts, and before its daemons do: whether the change is to stay. It then goes on waiting.
at_boot_stays() {
    if [ ! -e "$kept/steps" ]; then return 1; fi # it had not come to wait for anybody
    hear
    uptime
    deadline=$((now + boot_seconds))
    while [ "$now" -lt "$deadline" ]; do
        if heard undone 0 || heard old 0; then return 1; fi
        if heard kept 0 || heard new 0; then return 0; fi
        sleep 0.2
        uptime
    done
    to_stay
}
at_boot_keeps() {
    kill -KILL "$hears"
    systemd-run --quiet --collect --no-block --unit=lbdeploy --description="lbdeploy: $about" -p TimeoutStopSec=600 \
        /bin/sh "$kept/script" resume
}

# resume: the node has started with the new configuration, since its peers were heard with it, or it had kept it.
resume() {
    cp -- "$kept/steps" "$run.undo"
    load_steps
    say waits
    since=$moment
    : > "$run.agreeing"
    uptime
    deadline=$((now + agree_seconds)) last=$now
    until to_stay || told_to_stay || [ "$now" -ge "$deadline" ]; do
        if [ -e "$run.abandon" ]; then
            tell abandoned
            exit 1
        fi
        if heard undone 0 || heard old "$since"; then
            disagree
            exit 1
        fi
        sleep 0.2
        awake
    done
    exit 0
}
told_to_stay() {
    [ -e "$run.confirm" ] || [ -e "$run.agreed" ] || heard kept 0 || heard ended "$since"
}
