"""Whether a script asks for haproxy and for nothing else, as lbdeploy's own check does. Pure.

Each command of it has to be understood as such a question, or as what is around one: set, exit, a message, a plain
condition. All else, be it a file that says "maintenance" or a gateway, is the operator's own, and no reader's to drop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

_SHELL = re.compile(r"#!\s*(/usr/bin/env\s+)?(/\S*/)?(ba|da|k)?sh\b")
# Quoting as POSIX sh has it, a comment, or a line that goes on in the next one.
_QUOTED = re.compile(r"""(?<![^\s;|&(){}])\#[^\n]*|"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)""", re.DOTALL)
_WHOLE = re.compile(r"""(?:(?:/\S*/)?(?:ba|da)?sh\s+-c\s+)?(["'])(.*)\1""", re.DOTALL)
_UNSEEN = r"(?:/dev/(?:null|stdout|stderr)(?![\w./-])|&[0-9-])"
_REDIRECTED = re.compile(rf"(?:[0-9]?>>?|&>>?|[0-9]?<)\s*{_UNSEEN}")
_FUNCTION = re.compile(r"(?:\bfunction\s+)?\b([A-Za-z_]\w*)\s*\(\s*\)")
_BETWEEN = re.compile(r"&&|\|\||\$\(|[;|&()`\n]")
_ASSIGNED = re.compile(r"\b([A-Za-z_]\w*)=([^\s;|&()`]*)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_AROUND = frozenset(("if", "then", "elif", "else", "fi", "!", "{", "}", "export", "local", "readonly"))

_HAPROXY = re.compile(r"(/\S*/)?(haproxy|\[h\]aproxy)(\.service)?(_-\S*)?")  # pgrep -f "haproxy -f FILE" is one word
_ITS_FILE = re.compile(r"(unix(-connect)?:)?(/var)?/run/(haproxy/)?[\w-]+\.(sock|pid)", re.IGNORECASE)
_ITSELF = re.compile(r"localhost|127\.0\.0\.1|::1|\$\{?\w+\}?")  # a variable stands for the node, or for a VIP
_OPTION = re.compile(r"-\S*")
_OF_TEST = re.compile(r"-(eq|ne|gt|lt|ge|le|z|n)|[!=]?=|!|\]\]?|\$\?|\w*([$?]\{?\w*\}?)?")
_OF_CURL = re.compile(
    r"-[sSfkLIgm46ow]+[0-9.]*|--(silent|show-error|fail|insecure|location|head|max-time|connect-timeout|output|retry"
    r"|retry-delay|ipv[46]|write-out)(=\S*)?|%\{\w+\}\S*|[0-9]+(\.[0-9]+)?|/dev/null"
)
_OF_WGET = re.compile(
    r"-[qSTtO46nv]*[0-9.]*-?|--(spider|quiet|no-check-certificate|timeout|tries|output-document|no-verbose)(=\S*)?"
    r"|[0-9]+(\.[0-9]+)?|/dev/null"
)


@dataclass(frozen=True, slots=True)
class _Here:
    """What may be asked for: the ports and VIPs that haproxy has, and the functions of the script itself."""

    ports: Set[int]
    vips: Set[str]
    functions: Set[str]

    def is_haproxys(self, host: str, port: str | int | None) -> bool:
        """Whether haproxy is who answers there."""
        name = host.strip("[]")
        return (bool(_ITSELF.fullmatch(name)) or name in self.vips) and str(port) in {str(each) for each in self.ports}

    def has_port(self, word: str) -> bool:
        """Whether a word is of one of these ports alone, such as :6443."""
        number = re.fullmatch(r"(?:-i|sport_?=_?)?(?:[\w.]*:)?([0-9]{1,5})_?", word)
        return bool(number) and int(number[1]) in self.ports if number else False


# Of a command's words: True for a question about haproxy, False for what is around one, None for all else.
_Question = Callable[[Sequence[str], _Here], bool | None]


def asks_for_haproxy_alone(text: str, ports: Set[int], vips: Set[str]) -> bool:
    """Whether a command, or the text of a script, asks whether haproxy runs or answers, and does nothing else.

    `ports`: those at which haproxy answers the node itself; it is asked there at its `vips`, too.
    """
    if text.startswith("#!") and not _SHELL.match(text):
        return False
    whole = _WHOLE.fullmatch(text.strip())
    plain = _plain(whole[2] if whole else text)
    if plain is None:
        return False
    here = _Here(ports, vips, frozenset(_FUNCTION.findall(plain)))
    found = [_asks(words, here) for words in _commands(_FUNCTION.sub("\n", plain))]
    return None not in found and True in found


def _plain(text: str) -> str | None:
    """The text without comments and what is thrown away, each quoted text as one word. None if it is not that plain."""
    if any(_nested(found[1] or "") for found in _QUOTED.finditer(text)):
        return None
    plain = _REDIRECTED.sub(" ", _QUOTED.sub(_unquoted, text))
    return None if re.search(r"[<>\"'\\]", plain) else plain


def _nested(quoted: str) -> bool:
    """Whether double quotes may be within a command within double quotes: where these end, only a shell knows."""
    return "$(" in re.sub(r"\$\([^()]*\)", "", quoted) or quoted.count("`") % 2 == 1 or "\\" in quoted


def _unquoted(found: re.Match[str]) -> str:
    if found[0].startswith("#"):
        return ""
    if found[3]:
        return " " if found[3] == "\n" else "_"
    if found[1] and ("$(" in found[1] or "`" in found[1]):
        return found[1]
    return re.sub(r"[\s;|&<>()`#\\]", "_", found[1] or found[2] or "") or "_"


def _commands(text: str) -> Iterator[list[str]]:
    """The words of each command, without those around it; variables by their values, as far as these are sure."""
    assigned = _ASSIGNED.findall(text)
    names = Counter(name for name, _ in assigned)
    sure = {name: value for name, value in assigned if value and "$" not in value and names[name] == 1}
    values = {name: sure.get(name, f"?{name}") for name in names}
    for part in _BETWEEN.split(text):
        words = part.split()
        while words and (words[0] in _AROUND or _ASSIGNED.fullmatch(words[0])):
            del words[0]
        if words:
            yield [_VARIABLE.sub(lambda use: values.get(use[1] or use[2], use[0]), each) for each in words]


def _asks(words: Sequence[str], here: _Here) -> bool | None:
    """Whether a command asks for haproxy; False for what is around such a question, None for all else."""
    name, *rest = _run(words) or [""]
    if name in ("set", "exit", "return", "echo", "printf", "true", "false", ":") or name in here.functions:
        return False
    if _is_test([name, *rest]):
        return False
    asking = _ASKING.get(name.rpartition("/")[2])
    return asking(rest, here) if asking else None


def _run(words: Sequence[str]) -> Sequence[str]:
    """The command that env and timeout run."""
    at, timed = 0, False
    while at < len(words):
        name = words[at].rpartition("/")[2]
        if name not in ("env", "timeout") and not (timed and re.fullmatch(r"-\S*|[0-9.]+[smhd]?", name)):
            break
        timed = name == "timeout" or (timed and name != "env")
        at += 1
    return words[at:]


def _is_test(words: Sequence[str]) -> bool:
    """A test of what a command said, or the end of such a test: no test of a file."""
    begun = words[0] in ("[", "[[", "test", "]", "]]", "=", "==", "!=") or re.fullmatch(
        r"-(eq|ne|gt|lt|ge|le)", words[0]
    )
    return bool(begun) and all(_OF_TEST.fullmatch(each) for each in words[1:])


def _without_options(words: Sequence[str], *known: str) -> list[str]:
    """The other words; where options are `known`, only these are left out."""
    return [each for each in words if each not in known and not (_OPTION.fullmatch(each) and not known)]


def _names_it(words: Sequence[str], _: _Here) -> bool | None:
    """Only haproxy is named: pidof, pgrep."""
    named = _without_options(words)
    return bool(named and all(_HAPROXY.fullmatch(each) or _ITS_FILE.fullmatch(each) for each in named)) or None


def _signals_nothing(words: Sequence[str], here: _Here) -> bool | None:
    """Signal 0 only asks whether a process is there; which one, a command may have said: kill, killall, pkill."""
    pairs = set(pairwise(words))
    if "-0" not in words and not pairs & {("-s", "0"), ("--signal", "0")}:
        return None
    rest = _without_options(words, "-0", "-s", "0", "--signal", "-q", "-x", "-f")
    said = all(re.fullmatch(r"[$?]\{?\w+\}?", each) for each in rest)
    named = all(_HAPROXY.fullmatch(each) for each in rest)
    return False if said else named or None


def _of_systemd(words: Sequence[str], here: _Here) -> bool | None:
    rest = _without_options(words, "-q", "--quiet", "--no-pager")
    return _names_it(rest[1:], here) if rest[:1] in (["is-active"], ["is-failed"], ["status"]) else None


def _of_init(words: Sequence[str], _: _Here) -> bool | None:
    return [*words] == ["haproxy", "status"] or None


def _lists_processes(words: Sequence[str], _: _Here) -> bool | None:
    """ps: all of them, or those of haproxy."""
    rest = _without_options(words)
    if all(each in ("aux", "ax") for each in rest):
        return False
    return all(_HAPROXY.fullmatch(each) for each in rest) or None


def _filters(words: Sequence[str], here: _Here) -> bool | None:
    """grep: lines of haproxy, or of a VIP, not those of grep itself."""
    rest = [each for each in _without_options(words) if each != "grep" and each not in here.vips]
    return all(_HAPROXY.fullmatch(each) or here.has_port(each) for each in rest) or None if rest else False


def _lists_ports(words: Sequence[str], here: _Here) -> bool | None:
    """ss, netstat, lsof: all ports, or those of haproxy."""
    rest = [each for each in words if not re.fullmatch(r"-[A-Za-hj-z]+|-i|sport|=|state|listening", each)]
    return all(here.has_port(each) for each in rest) or None if rest else False


def _connects(words: Sequence[str], here: _Here) -> bool | None:
    """nc: to a port of haproxy."""
    after = zip(("", *words), words, strict=False)
    rest = _without_options([each for before, each in after if not re.fullmatch(r"-\w*[wi]", before)])
    return (len(rest) == 2 and here.is_haproxys(rest[0], rest[1])) or None


def _fetches(options: re.Pattern[str]) -> _Question:
    """curl, wget: from a port of haproxy, with these options."""

    def fetching(words: Sequence[str], here: _Here) -> bool | None:
        places = [each for each in words if not options.fullmatch(each)]
        return bool(places and all(_is_of_haproxy(each, here) for each in places)) or None

    return fetching


def _is_of_haproxy(url: str, here: _Here) -> bool:
    found = re.fullmatch(r"(?:(https?)://)?(\[[0-9A-Fa-f:]+\]|[^\s/:@]+)(?::([0-9]{1,5}))?(?:/\S*)?", url)
    if not found or not (found[1] or found[3]):
        return False
    return here.is_haproxys(found[2], found[3] or (443 if found[1] == "https" else 80))


def _reads_its_file(words: Sequence[str], _: _Here) -> bool | None:
    """cat: the file with its process ID."""
    return bool(words and all(_ITS_FILE.fullmatch(each) for each in words)) or None


def _lists_addresses(words: Sequence[str], _: _Here) -> bool | None:
    """ip: it lists addresses, among which a VIP may be looked for."""
    first, *others = [*_without_options(words), ""]
    listing = first in ("a", "addr", "address") and others[:1] in ([], [""], ["show"], ["list"], ["ls"])
    return False if listing else None


def _counts(words: Sequence[str], _: _Here) -> bool | None:
    return None if _without_options(words) else False


_ASKING: dict[str, _Question] = {
    **dict.fromkeys(("pidof", "pgrep"), _names_it),
    **dict.fromkeys(("kill", "killall", "pkill"), _signals_nothing),
    "systemctl": _of_systemd,
    "service": _of_init,
    "ps": _lists_processes,
    **dict.fromkeys(("grep", "egrep", "fgrep"), _filters),
    **dict.fromkeys(("ss", "netstat", "lsof"), _lists_ports),
    "nc": _connects,
    "curl": _fetches(_OF_CURL),
    "wget": _fetches(_OF_WGET),
    "cat": _reads_its_file,
    "ip": _lists_addresses,
    "wc": _counts,
}
