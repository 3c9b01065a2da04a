"""How apt and dpkg are called on a node: shell text. What the applying script needs besides is in apt.sh."""

from __future__ import annotations

from collections.abc import Iterable

from lbdeploy.common.debian import APT_LISTS, DPKG_FOLDER, LOCKS
from lbdeploy.common.shell import Raw, cmd, here

# Unattended: it asks no questions, and a configuration file that was changed stays as it is.
_APT_GET = (
    "apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Cmd::Disable-Script-Warning=true "
    "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
)

PRESENT = cmd("command", "-v", "apt-get")
LISTS = Raw(f"ls {APT_LISTS} | grep -c _")  # a command that prints the number of package lists
INSTALLED, HELD = "i", "h"  # letters of a package's status: the present state, and the wanted one (dpkg-query(1))
HALF = ("F", "H", "U", "W", "t")  # half configured, half installed, unpacked, triggers awaited or pending
TORN, REINSTALL = "H", "R"  # of a package that dpkg was stopped at while it unpacked it: its state, and a third letter
REPAIR = ("step dpkg --configure -a", "patiently dpkg --configure -a")


def installed(names: Iterable[str]) -> Raw:
    """Print each package's name, its status and its version; and "interrupted", where dpkg was stopped half-way."""
    query = cmd("dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev} ${Version}\\n", *names)
    # apt's own test: a journal of dpkg's that was not yet merged into the status file.
    journal = f'for each in {DPKG_FOLDER}/updates/*; do [ ! -e "$each" ] || echo interrupted; done'
    return Raw(f"{query} 2>/dev/null\n{journal}")


def candidates(names: Iterable[str]) -> Raw:
    """Print what apt would install ("candidate NAME VERSION"), and each version that it knows, the highest first.

    These as "known NAME VERSION offered", or "unoffered" where no source has it: dpkg's own status is no source.
    """
    return Raw(f"{cmd('apt-cache', 'policy', *names)} | {_CANDIDATES}")


def install(options: str, names: Iterable[str]) -> str:
    """Install packages, with their dependencies. `options` are apt-get's, as shell text."""
    return _INSTALL.format(apt=_APT_GET, options=options, names=cmd(*names))


def reinstall(names: Iterable[str]) -> list[str]:
    """Install packages anew. Fails where no repository has the installed version any more."""
    names = tuple(names)
    return [_REINSTALLABLE.format(apt=_APT_GET, names=cmd(*names)), install("--reinstall", names)]


def unhold(names: Iterable[str]) -> list[str]:
    """Have packages get updates again (apt-mark(8))."""
    back, do = (cmd("apt-mark", "-qq", verb, *names) for verb in ("hold", "unhold"))
    return [cmd("step", "apt-mark unhold", *names), f"undo {here(back)}", f"patiently {do}"]


def update(sources: str) -> str:
    """Fetch the lists of one file of sources; a source that can't be fetched, or trusted, is an error.

    The lists of other sources are kept. Error-Mode needs apt 2.1 or later (apt.conf(5)).
    """
    only = f"-o Dir::Etc::sourcelist={cmd(sources)} -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0"
    return f"step 'apt-get update' {sources}\npatiently apt-get -q -o APT::Update::Error-Mode=any {only} update"


def removable(names: Iterable[str], record: str) -> Raw:
    """Print what purging those packages would do that `record`, a file, names as installed by lbdeploy.

    As "there NAME" those that are installed, "mine NAME" all in the record that are, "asked NAME" those to purge,
    "takes NAME" what would have to go along, and "frees NAME" what nothing else needs then.
    """
    return Raw(_REMOVABLE.format(record=record, names=cmd(*names)))


def shipped(package: str, file: str) -> str:
    """Print the MD5 sum of a configuration file as the package has it. `file` is shell text."""
    conffiles = cmd("dpkg-query", "-W", "-f", "${Conffiles}\\n", package)
    return f"{conffiles} | awk -v file={file} '$1 == file {{print $2}}'"


def lock_holders() -> Raw:
    """Print the path, process number and program of each process that holds a lock of apt or dpkg."""
    return Raw(_LOCKED.format(locks=cmd(*LOCKS)))


def unreached_sources(seconds: int) -> Raw:
    """Fetch from apt's sources, within `seconds` each, and print "unreached URI REASON" where that fails."""
    return Raw(_SOURCES.format(seconds=seconds))


# What `apt-cache policy` says of each package: the candidate, and below "Version table:" each version that it knows,
# indented by 5 with a mark or without, and below that its sources, indented by more.
_CANDIDATES = (
    """\
awk '
    function told() { if (version != "") print "known", name, version, offered ? "offered" : "unoffered"; version = "" }
    /^[^ ]/ { told(); name = substr($1, 1, length($1) - 1) }
    $1 == "Candidate:" { print "candidate", name, $2 }
    /^ (\\*\\*\\*|   ) [^ ]/ { told(); version = $1 == "***" ? $2 : $1; offered = 0 }
    /^      +-?[0-9]+ / && $2 != "DPKG/status" { offered = 1 }
    END { told() }'"""
).replace("DPKG", DPKG_FOLDER)

# Where no repository has the installed version any more, apt says so, does nothing, and exits with status 0.
_REINSTALLABLE = (
    "! {apt} --simulate --reinstall install {names} | grep 'is not possible' || fail apt-get install --reinstall"
)

# The lists are fetched only where apt does not know a package, or can't get the version that it knows.
# What dpkg was killed at while it unpacked it, apt takes for installed, and does nothing about it unless it is told to
# reinstall it (apt 2.6 on a node, with dpkg's status "half-installed").
_INSTALL = """\
half=$(dpkg-query -W -f '${{db:Status-Abbrev}} ${{binary:Package}}\\n' | sed -n 's/^.H. //p; s/^..R //p' | sort -u)
again=${{half:+--reinstall $half}}
if ! would=$({apt} --simulate --no-install-recommends install {options} $again {names} 2>/dev/null); then
    step 'apt-get update'
    patiently {apt} update
    would=$({apt} --simulate --no-install-recommends install {options} $again {names} 2>/dev/null) || :
fi
note_new "$would"
step 'apt-get install' {options} $again {names}
if ! patiently_or_not {apt} --no-install-recommends install {options} $again {names}; then
    step 'apt-get update, and once more'
    patiently {apt} update
    patiently {apt} --no-install-recommends install {options} $again {names}
fi"""

# apt itself says what nothing else needs (autoremove), and what would have to go along: `apt-get -s` only simulates.
_REMOVABLE = """\
installed() {{ xargs dpkg-query -W -f '${{db:Status-Abbrev}} ${{Package}}\\n' | sed -n "s/^.i. */$1/p"; }}
echo {names} | installed 'there '
[ -s {record} ] || exit 0
mine=$(sort -u {record} | installed '')
printf 'mine %s\\n' $mine
asked=
for name in {names}; do case " $(echo $mine) " in *" $name "*) asked="$asked $name" ;; esac; done
[ "$asked" ] || exit 0
removed() {{ sed -n 's/^\\(Purg\\|Remv\\) \\([^ ]*\\) .*/'"$1"' \\2/p'; }}
printf 'asked %s\\n' $asked
apt-get -s purge $asked | removed takes
apt-get -s --auto-remove purge $asked | removed frees"""

# Whether unattended-upgrades would run: the conditions of its own timer and script. Prints its settings, and "spares
# PATTERN" for each entry of its blacklist, which has patterns for Python's `re.match`.
UNATTENDED = Raw("""\
command -v unattended-upgrade > /dev/null && systemctl -q is-enabled apt-daily-upgrade.timer || exit 0
apt-config dump | sed -n 's/^APT::Periodic::\\(Enable\\|Unattended-Upgrade\\) "\\(.*\\)";$/\\1 \\2/p
    s/^Unattended-Upgrade::Package-Blacklist:: "\\(.*\\)";$/spares \\1/p'""")

# /proc/locks names the holder's process and the file's inode; each line: "1: POSIX ADVISORY WRITE 42 fe:00:1234 0 EOF".
_LOCKED = """\
for lock in {locks}; do
    [ -e $lock ] || continue
    inode=$(stat -c %i $lock)
    pid=$(awk -v inode=":$inode\\$" '$2 != "->" && $6 ~ inode {{print $5; exit}}' /proc/locks)
    [ -z "$pid" ] || printf '%s %s %s\\n' $lock $pid "$(cat /proc/$pid/comm)"
done"""

# apt's own helper fetches from each source the file that `apt-get update` would fetch first, into a folder that is
# removed afterwards. Sources with a password in their URL are left out: it would be visible in the process list.
_SOURCES = """\
scratch=$(mktemp -d -p /run lbdeploy-doctor.XXXXXX) || exit 0
trap 'rm -rf "$scratch"' EXIT
fetch() {{
    case $1 in
        file:* | copy:*)
            path=${{1#*:}}
            [ -d "${{path%/*}}" ] || printf 'unreached %s there is no such folder\\n' "$1"
            return ;;
    esac
    said=$(timeout {seconds} /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=5 \\
        -o Acquire::https::Timeout=5 download-file "$1" "$scratch/$2" 2>&1) && return
    case $said in *' 404 '*) return ;; esac
    why=$(printf '%s\\n' "$said" | sed -n 's/^E: *//p' | head -n 1)
    printf 'unreached %s %s\\n' "$1" "${{why:-no answer}}"
}}
number=0
for uri in $(apt-get --print-uris update | sed -n "s/^'\\([^'@]*InRelease\\)' .*/\\1/p" | sort -u | head -n 20); do
    number=$((number + 1))
    fetch "$uri" $number &
done
wait"""
