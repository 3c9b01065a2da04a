"""Finding and hiding secrets in the nodes' files, so that no screen, JSON document or log shows them.

What may be a secret is hidden from where it begins to the end of its line: then it makes no difference how it is
quoted, nor in what, such as a script or a diff. Directives are read as haproxy and keepalived read them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache

from lbdeploy.common.config_words import Word, haproxy_words, keepalived_words
from lbdeploy.common.header_names import HARMLESS_HEADERS, SECRET_HEADERS, SECRET_NAMES, is_harmless, is_secret

HIDDEN = "(hidden)"
# Lines of sh that do nothing, around what is secret.
SECRET_BEGINS, SECRET_ENDS = ": lbdeploy-secret-begins", ": lbdeploy-secret-ends"
SECRET_MARK = "secret "  # noqa: S105  begins a line of a probe's answer whose other word is base64 of what is not to be shown

# No line without one of these, or an assignment, has a secret, once it is _plain. Words are quicker than a pattern.
_WORDS = (
    "auth", "pass", "pw", "psk", "private", "key:", "key=", "shared:", "shared-key", "shared_key", "secret", "token",
    "apikey", "api-key", "api_key",
    "access-key", "access_key", "accesskey",
    "cook", "credential", "session",
    "header", "hdr", "early-hint", "httpchk", "http/1", "reqadd", "rspadd", "sig=", "set-query",
    "jwt", "signature", "hmac(", "aes_", "://", "setenv", "tcp-check", "eyj",
    "curl", "mysql", "mariadb", "redis-cli", "ldap", "set-var",
)  # fmt: skip
# Options; but no end of another word, which is asked apart: a pattern that begins with this is searched for faster.
_OPTION = r"-(?:(?-i:[a-zA-Z]{0,6}?H)|u[= ]|-user[= ])"
# At the beginning of a line, where that is _plain, or of what is quoted: scripts in Perl have them everywhere else.
# keepalived may heed the line on some nodes only, those of @ID.
_DEFINES = r"[^\S\n]*(?:@\S++[^\S\n]+)?\$\{?\w+\}?[^\S\n]*="
_ASSIGNMENT, _QUOTED_ASSIGNMENT = (rf"(?m){begin}{_DEFINES}" for begin in ("^[-+ ]?", "'"))
# In any text, each followed by the secret; what ends in _file has the path of a file.
# Before it: what of it a line has for certain, once it is _plain, since most
# patterns need not even be compiled then.
_GAP = r"[\"'\\]*[ \t]+"
# Where a line "NAME: VALUE" of a request begins: after the end of another one, an option of a command, a directive.
_HEADER_AFTER = (
    r"\\(?:n|x0a)|(?-i:(?<![\w-])-[a-zA-Z]{0,6}?H)[= \t]*|--(?:proxy-)?header[= \t]+|\bheader\s*=\s*"
    rf"|\btcp-check{_GAP}[\"'\\]*send(?:-lf)?{_GAP}|\b(?:req|rsp)add{_GAP}"
)
_URL_NAMES = r"key|pass(?:code)?|pwd?|sig(?:nature)?|auth|jwt|session"
_BEFORE = (
    (("auth_pass",), rf"\bauth_pass{_GAP}"),
    (("insecure-password",), rf"\binsecure-password{_GAP}"),
    (("stats",), rf"\bstats{_GAP}[\"'\\]*auth{_GAP}"),
    (("password",), rf"\buser{_GAP}\S+[ \t]+(?:groups[ \t]+\S+[ \t]+)?[\"']?password{_GAP}"),
    (("authorization",), r"authorization[:\"'\\ \t]+(?:basic|bearer|token|digest|negotiate)[\\ \t]+"),
    (
        ("pass", "secret", "token", "api", "access", "credential"),
        r"(?:passw(?:or)?d|passphrase|passcode|secret|token|(?:api|access)[-_]?key|credentials?)(?!\w*_file\b)\w*[\"'\\]*\s*[=:]\s*(?=\S)",
    ),
    ((":",), rf"(?<![\w-])(?![\w-]*_file\b)[\w-]*(?:{SECRET_NAMES})[\w-]*[\"'\\]*:[\\ \t]*(?=[^\s/:])"),
    (
        ("--",),
        r"(?<![\w-])--(?=[\w-]*(?:passw?|token|secret|auth|(?:api|access)-?key|credential))[\w-]++[=\s]+(?=[^\s-])",
    ),
    (
        ("pass", "pw", "psk", "private", "shared"),
        r"(?<!\w)\w*(?:pass|pwd?|psk|private_?key|pre[-_]?shared[-_]key)[\"'\\]*\s*[=:]\s*(?=\S)",
    ),
    (("=",), rf"(?:[?&]|\bset-query{_GAP}[\"'\\]*)[\w.-]*(?:{_URL_NAMES})=(?=\S)"),
    (("wpa-",), r"\bwpa-(?:psk|password)\s+(?=\S)"),
    (("key:", "private:", "shared:"), r"\b(?:key|private|shared)[\"']?:\s+(?=[\"']?[A-Za-z0-9+/]{43}=)"),  # WireGuard's
    (("-u",), r"(?<![\w-])(?:-u|--user)[= ][\"']?+[^\s:]++:(?=\S)"),
    (("curl",), r"(?<![\w-])-[a-z]{0,6}?u[= ]?+[\"']?+[^\s:]++:(?=\S)"),  # among other options of one letter
    (("sshpass",), r"(?<![\w-])(?-i:-p)\s*(?=\S)"),
    (("mysql", "mariadb"), r"(?<![\w-])(?-i:-p)(?=[^\s-])"),
    (("redis-cli",), r"(?<![\w-])(?-i:-a)\s+(?=\S)"),
    (("ldap",), r"(?<![\w-])(?-i:-w)\s+(?=\S)"),
    (("hmac(", "jwt_verify", "aes_"), r"(?:hmac|jwt_verify\w*|aes_\w+)\((?=\S)"),
    (("$",), rf"(?:^[-+ ]?|'){_DEFINES}\s*(?=\S)"),
    (("eyj",), r"(?=\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.)"),  # a JSON Web Token (RFC 7519), as of service accounts
    (("password",), r"(?:^[-+ ]?|')\s*password\s+(?=(?:\"[^\"]*\"?|\S+)['\"]*\s*$)"),
)
_HEADER = rf"(?:{_HEADER_AFTER})[$\"'\\]*(?!{HARMLESS_HEADERS}[\\ \t]*:)[\w.-]++[\\ \t]*:(?!//)[\"'\\ \t]*(?=\S)"
_URL = r"(?P<user>://[^/\s:@]*:)[^/\s]+(?=@)"
_FETCH = (
    r"f?hdr(?P<how>_\w+)?\((?P<header>[^),]*)|url_?p(?:aram)?(?:_\w+)?\((?P<parameter>[^),]*)"
    r"|(?<![\w-])var\((?P<variable>[^),]*)|s?cook(?:ie)?(?:_\w+)?\(|http_auth_(?:pass|bearer)"
)
_VARIABLE = rf"{SECRET_HEADERS}|pass|pw|psk|key$"
# In a log format: what haproxy puts there by itself, and the samples and converters whose arguments may be a secret.
_SAMPLE = r"%(?:\{[^}%]*\})?(?:\[[^]%]*\]|[a-z]+)"
_LITERAL = r"\b(?:str|bin|concat|add_item|iif|regsub)\("
_LOGS_IN = r"(?<![a-z])(?:auth|pass|password|login)(?![a-z])"
_LONGEST = 4096  # characters of a line that is read as a directive; a longer one is hidden as a whole
_KEPT, _KEPT_LENGTH = 4096, 200  # lines without a secret that are kept, and their characters
_KEPT_ANSWERS = 500  # files, of all nodes of a cluster, of which it is kept whether they have a secret
_HEADERS = ("set-header", "add-header", "replace-header", "replace-value", "hdr", "early-hint", "name")


def hidden(text: str) -> str:
    """The text with every secret in it replaced."""
    if SECRET_BEGINS in text:
        text = _without_blocks(text)
    if "PRIVATE KEY" in text:
        text = _without_keys(text)
    lines = text.split("\n")
    new = [line for line in lines if line not in _harmless]
    secret = _secret_lines(new)
    _keep_harmless(new, secret)
    return "\n".join(_shown(lines, secret)) if secret else text


_harmless: set[str] = set()  # lines without a secret: most are the same on all nodes, and in all scripts


def _keep_harmless(lines: Sequence[str], secret: Collection[str]) -> None:
    short = [line for line in lines if line not in secret and len(line) <= _KEPT_LENGTH]
    if len(_harmless) + len(short) > _KEPT:
        _harmless.clear()
    if len(short) <= _KEPT:
        _harmless.update(short)


def _secret_lines(lines: Sequence[str]) -> dict[str, str]:
    """Those of the lines that have a secret, and what is shown instead."""
    suspects = {lines[number] for number in _suspects("\n".join(lines))}  # the full check takes fifty times as long
    suspects |= {line for line in lines if len(line) > _LONGEST and "$" in line}  # hidden as a whole
    return {line: shown for line in suspects if (shown := _line(line)) != line}


def holds_password(text: str) -> bool:
    """Whether the text contains a secret."""
    return _answers[text] if text in _answers else _holds_password(text)


_answers: dict[str, bool] = {}


def remember(text: str, holds_password: bool) -> None:
    """Take over what `holds_password` said of a text in an earlier run."""
    if len(_answers) >= _KEPT_ANSWERS:  # a fleet, or a worker that lasts: it is worked out again
        _answers.clear()
    _answers[text] = holds_password


@lru_cache(maxsize=64)  # most files are the same on every node
def _holds_password(text: str) -> bool:
    return hidden(text) != text


def mode_for(content: str, mode: str = "644") -> str:
    """The mode of a file that programs read, or run, as root: nobody else may read one with a secret."""
    return f"{mode[0]}00" if holds_password(content) else mode


def hidden_in_base64(text: str) -> str:
    """The text, with the words hidden that are base64 of something with a secret, or of a program."""
    text = re.sub(rf"(?m)^{SECRET_MARK}\S+", f"{SECRET_MARK}{HIDDEN}", text)
    return re.sub(r"[A-Za-z0-9+/]{24,}={0,2}", lambda found: _unless_secret(found[0]), text)


def secret_block(script: str) -> str:
    """Lines of sh that nobody is to see, marked for `hidden`."""
    return f"{SECRET_BEGINS}\n{script}\n{SECRET_ENDS}"


def is_program(content: str) -> bool:
    """Whether a file is a script: only its author can say what in it is secret."""
    return content.startswith("#!")


def _without_blocks(text: str) -> str:
    begin, end = re.escape(SECRET_BEGINS), re.escape(SECRET_ENDS)
    return re.sub(rf"{begin}\n.*?(?:\n{end}|\Z)", HIDDEN, text, flags=re.DOTALL)


def _without_keys(text: str) -> str:
    """The text without private keys (RFC 7468), also one whose end is missing, or that stands in a diff."""
    return re.sub(
        r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----).*?(?:(-----END [A-Z0-9 ]*PRIVATE KEY-----)|\Z)",
        lambda found: f"{found[1]}\n{HIDDEN}\n{found[2] or ''}",
        text,
        flags=re.DOTALL,
    )


def _suspects(text: str) -> set[int]:
    """The lines that may hold a secret, by number from 0."""
    plain = _plain(text)
    places = [at for word in _WORDS for at in _places(plain, word)]
    places += _matches(_ASSIGNMENT, plain)
    quoted = [*_places(text, "\\x"), *_matches(_QUOTED_ASSIGNMENT, text)]
    options = [at for at in _matches(_OPTION, text) if not re.match(r"[\w-]", text[at - 1 : at])]
    return {*_numbers(text, sorted(quoted + options)), *_numbers(plain, sorted(places))}


def _matches(pattern: str, text: str) -> list[int]:
    return [found.start() for found in _pattern(pattern).finditer(text)]


def _plain(text: str) -> str:
    """Without quotes and backslashes, in lower case: as patterns see a text that are told to ignore case."""
    return text.translate(_PLAIN).lower()


# The letters that are no ASCII, and the same as one of it where case is ignored.
_PLAIN = {**dict.fromkeys(map(ord, "\"'\\")), 0x130: "i", 0x131: "i", 0x17F: "s", 0x212A: "k"}


def _places(text: str, word: str) -> Iterator[int]:
    """Where a word first stands in each line that has it."""
    at = text.find(word)
    while at >= 0:
        yield at
        end = text.find("\n", at)
        at = text.find(word, end) if end >= 0 else -1


def _numbers(text: str, places: Iterable[int]) -> Iterator[int]:
    """The number of the line of each place, which are in order."""
    number = before = 0
    for at in places:
        number, before = number + text.count("\n", before, at), at
        yield number


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """A pattern, compiled when first needed: many commands show nothing that could hold a secret."""
    return re.compile(text, re.IGNORECASE)


def _shown(lines: Iterable[str], secret: Mapping[str, str]) -> Iterator[str]:
    """Each line without its secrets. A secret whose line ends in a backslash goes on in the next one."""
    goes_on = False
    for line in lines:
        shown = HIDDEN if goes_on and line.strip() else secret.get(line, line)
        goes_on = shown != line and line.rstrip().endswith("\\")
        yield shown


@lru_cache(maxsize=512)  # nodes have the same lines
def _line(line: str) -> str:
    if len(line) > _LONGEST:
        return HIDDEN
    plain = _plain(line)
    starts = [_in_text(line, plain), *_in_directives(line, plain)]
    start = min((each for each in starts if each is not None), default=len(line))
    secret = HIDDEN if line[start:].strip() else ""
    if "://" not in line:
        return line[:start] + secret
    return _pattern(_URL).sub(lambda url: f"{url['user']}{HIDDEN}", line[:start]) + secret


def _in_text(line: str, plain: str) -> int | None:
    patterns = [pattern for words, pattern in _BEFORE if any(word in plain for word in words)]
    if ":" in plain and _pattern(_HEADER_AFTER).search(line):
        patterns.append(_HEADER)  # its list of names takes 1.5 ms to compile
    return min((found.end() for each in patterns if (found := _pattern(each).search(line))), default=None)


def _in_directives(line: str, plain: str) -> Iterator[int | None]:
    """The same as haproxy's and keepalived's parsers would read it; a mere assignment is no directive with a secret."""
    if "\\x" in line or any(word in plain for word in _WORDS):
        directive = " " + line[1:] if line[:1] in ("+", "-") else line  # as in a diff
        yield _in_directive([*haproxy_words(directive)])
        yield _in_directive([*keepalived_words(directive)])


def _in_directive(words: Sequence[Word]) -> int | None:
    """Where the first secret of a directive begins; None without one."""
    values = [value.lower() for value, _ in words]
    after = [each for at in range(len(values)) if (each := _secret_after(values, at)) is not None]
    return min((words[each][1] for each in after if each < len(words)), default=None)


def _secret_after(values: Sequence[str], at: int) -> int | None:
    """The index of the word that is a secret because of the one at `at`; None without one."""
    value, following, *others = *values[at:], ""
    if value in ("auth_pass", "insecure-password", "dynamic-cookie-key"):
        return at + 1
    if _fetches_one(value) or _compares_one(values, at):
        return at + 1
    if value == "user" and "password" in (others[:1] + others[2:3]):
        return values.index("password", at) + 1
    if value.startswith("set-var"):
        return _in_variable(values, at)
    if value in _HEADERS:
        return _in_header(values, at)
    sets = value in ("setenv", "presetenv") or (value == "stats" and following == "auth")
    sends = value == "tcp-check" and following.startswith("send") and _logs_in(others)
    return at + 2 if sets or sends else None


def _in_header(values: Sequence[str], at: int) -> int | None:
    """The index of a header's value: set-header NAME VALUE, hdr NAME VALUE, or hdr name [-m HOW] NAME value VALUE."""
    kind, *words = values[at:]
    is_asked, skipped = kind == "name", 2 if kind == "name" and words[:1] == ["-m"] else 0
    name, *rest = words[skipped:] or [""]
    if (is_asked and values[max(at - 1, 0)] not in ("hdr", "fhdr")) or (kind == "hdr" and name == "name"):
        return None
    made_of = rest[: 2 if is_asked or kind.startswith("replace-") else 1]
    secret = is_secret(name) or (not is_harmless(name) and any(map(_is_constant, made_of)))
    return at + 2 + skipped if secret and not _named(rest) else None


def _is_constant(value: str) -> bool:
    """Whether a log format has more in it than what haproxy puts there by itself, such as %ci and %[src]."""
    return bool(re.search(r"\w", _pattern(_SAMPLE).sub("", value)) or _pattern(_LITERAL).search(value))


def _in_variable(values: Sequence[str], at: int) -> int | None:
    """The index of the constant that a variable with such a name gets: set-var(NAME) VALUE, or set-var NAME VALUE."""
    kind, inside, name = values[at].partition("(")
    index = at + 1 if inside else at + 2
    name, value = name if inside else "".join(values[at + 1 : at + 2]), "".join(values[index : index + 1])
    is_constant = not value.startswith("%[") if kind == "set-var-fmt" else value.startswith("str(")
    return index if is_constant and _pattern(_VARIABLE).search(name.rstrip(")").partition(",")[0]) else None


def _named(values: Sequence[str]) -> bool:
    """Whether haproxy gets a header's value from a file, which is named here and has the secret."""
    return bool(values) and re.fullmatch(r"%\[str\(\w+\),map\(/[^()]+\)\]", values[0]) is not None


def _fetches_one(word: str) -> bool:
    """Whether haproxy's word fetches what is a secret by its name, so that what it is compared with is one."""
    found = _pattern(_FETCH).search(word)
    if not found or found["variable"] is not None:
        return False
    if found["header"] is not None:
        return is_secret(found["header"])
    return found["parameter"] is None or bool(_pattern(_VARIABLE).search(found["parameter"]))


def _compares_one(values: Sequence[str], at: int) -> bool:
    """Whether an ACL compares, in `acl NAME FETCH VALUE` or `{ FETCH VALUE }`, what may be a secret with a constant."""
    found = _pattern(_FETCH).search(values[at])
    begins = values[max(at - 1, 0)].lstrip("!") == "{" or (at > 1 and values[at - 2].endswith("acl"))
    if not found or not begins or values[at + 1 : at + 3] == ["-m", "found"]:
        return False
    if found["variable"] is not None:
        return bool(_pattern(_VARIABLE).search(found["variable"]))
    is_counted = found["how"] in ("_cnt", "_ip", "_len")
    return found["header"] is not None and not is_counted and not is_harmless(found["header"])


def _logs_in(words: Sequence[str]) -> bool:
    """Whether what is sent to a server, as text or in hexadecimal, has a word that goes with a password."""
    numbers = (each for each in words if re.fullmatch("([0-9a-f]{2})+", each))
    texts = [*words, *(bytes.fromhex(each).decode(errors="replace") for each in numbers)]
    return any(_pattern(_LOGS_IN).search(each) for each in texts)


def _unless_secret(word: str) -> str:
    """A word, or what stands for it where it is base64 of a secret, or of the beginning of a text with one."""
    from base64 import b64decode

    try:
        plain = b64decode(word[: len(word) // 4 * 4], validate=True).decode(errors="replace")
    except ValueError:
        return word
    return "(base64 of a file that may hold a secret)" if is_program(plain) or holds_password(plain) else word
