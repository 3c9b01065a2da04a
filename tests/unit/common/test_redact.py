"""Secrets in the files of nodes are on no screen."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.common import redact
from lbdeploy.common.redact import hidden, hidden_in_base64, holds_password
from lbdeploy.common.shell import here
from lbdeploy.node.remote import FOLDER
from lbdeploy.node.resources import File
from lbdeploy.node.resources.base import Answer, Phase
from lbdeploy.node.resources.original import OriginalFile
from lbdeploy.node.resources.text_diff import difference

SECRETS = (
    "        auth_pass s3cret",
    '    auth_pass "s3cret with spaces s3cret"',
    "auth_pass\ts3cret",
    "    stats auth admin:s3cret",
    "  user tiger password $6$s3cret",
    "  user tiger groups G1 insecure-password s3cret",
    '  http-check send hdr Authorization "Basic s3cret=="',
    "  option httpchk GET / HTTP/1.0\\r\\nAuthorization:\\ Basic\\ s3cret",
    'Acquire::http::Proxy "http://ann:s3cret@proxy.example.org:3128";',
    'Acquire::http::Proxy "http://ann:s3cret@s3cret@proxy.example.org:3128";',
    "    user ann insecure-password 's3cret s3cret'",
    "    user ann insecure-password s3cret\\ s3cret",
    '    stats auth "u:s3cret s3cret"',
    "    \"stats\" 'auth' u:s3cret",
    '    http-request set-header Authorization "Token s3cret"',
    "    http-request set-header Auth\\x6frization s3cret",
    "    http-request add-header proxy-authorization s3cret",
    "    http-request set-header Cookie a=s3cret",
    "    http-request set-header X-Api-Key s3cret",
    "    http-request replace-value X-Auth-Token .* s3cret",
    '    http-check send meth GET uri / hdr "X-API-Key" s3cret',
    "    http-request deny unless { req.hdr(x-api-key) -m str s3cret }",
    "    acl ok req.cook(id) -m str s3cret",
    "    acl ok http_auth_bearer -m str s3cret",
    "    http-request set-var(txn.ok) hdr(x),jwt_verify(HS256,s3cret)",
    "    tcp-check send AUTH\\ s3cret\\r\\n",
    "    setenv WHATEVER s3cret",
    "$PASS=s3cret",
    "http-check send meth GET uri / hdr Authorization %[str(s3cret)]",
    "http-check send hdr Authorization %[str(s3cret),map(/etc/x)]s3cret",
    '    password "s3cret s3cret"',
    "# auth_pass s3cret",
    'script "/usr/local/bin/check --token s3cret"',
    "curl -u ann:s3cret https://example.org",
    "DB_PASSWORD=s3cret exec check",
    "STATS_PASS=s3cret",
    "Environment=MYSQL_PWD=s3cret",
    "curl --pass s3cret",
    "check --access-key s3cret",
    'header = "X-Access-Key: s3cret"',
    "    http-request deny unless { url_param(token) s3cret }",
    "PrivateKey = s3cret",
    "    wpa-psk s3cret",
    "asked with eyJhbGciOiJSUzI1NiIs.eyJpc3MiOiJrdWJlcm5ldGVz.s3cret",
    "curl -sku admin:s3cret https://x",
    "curl -kuadmin:s3cret https://x",
    "    dynamic-cookie-key s3cret",
    '    http-check send meth POST uri / body "user=a&pw=s3cret"',
    "    set-var proc.password str(s3cret)",
    "    http-request set-var(proc.pw) str(s3cret)",
    '    http-request set-var-fmt(txn.api_key) "s3cret"',
    'script "mysqladmin -uroot -ps3cret ping"',
    'script "/usr/bin/sshpass -p s3cret ssh x"',
    'script "redis-cli -a s3cret ping"',
    "ldapsearch -x -w s3cret",
    "${WHATEVER}=s3cret",
    "@lb1 $WHATEVER=s3cret",
    "pre-shared-key: s3cret",
    "export PW=s3cret",
    "curl https://example.org/?key=s3cret",
    "    http-request set-header X-Access-Key s3cret",
    "    http-request set-header Ocp-Apim-Subscription-Key s3cret",
    "    http-request add-header X-Key %[src]-s3cret",
    "    http-request set-header X-Any %[src,concat(s3cret)]",
    "    http-response replace-header X-Passcode .* s3cret",
    "    http-request replace-header X-Forwarded-Key .* s3cret",
    "    http-request return status 200 hdr X-Shared-Pw s3cret",
    "    http-check send meth GET uri / hdr X-Access-Key s3cret",
    "    http-check expect hdr name X-Access-Key value s3cret",
    "    http-check expect hdr name -m beg X-Access value -m str s3cret",
    '    option httpchk GET / "HTTP/1.1\\r\\nX-Access-Key:\\ s3cret"',
    '    option httpchk GET / "HTTP/1.1\\r\\nHost:\\ x\\r\\nX-Access-Key:\\ s3cret"',
    "    option httpchk GET / HTTP/1.1\\x0d\\x0aX-Access-Key:\\ s3cret",
    "    tcp-check send X-Access-Key:\\ s3cret\\r\\n",
    "    acl ok hdr(X-Access-Key) s3cret",
    "    acl ok req.hdr(X-Access-Key,1),lower -m str s3cret",
    "    http-request deny if !{ req.fhdr(x-any) -i s3cret }",
    "    http-request deny unless { url_param(access_key) s3cret }",
    "    http-request deny unless { var(txn.passcode) -m str s3cret }",
    "    http-request set-uri /x?access_key=s3cret",
    "    http-request set-query key=s3cret",
    "    redirect location https://example.org/?a=b&passcode=s3cret",
    "    redirect location https://example.org/?a=b&sig=s3cret",
    "    http-request set-var(txn.key,ifnotexists) str(s3cret)",
    "script \"curl -H 'X-Access-Key: s3cret' https://example.org\"",
    'script "curl -sfH X-Access-Key:s3cret https://example.org"',
    "wget --header='X-Access-Key: s3cret' https://example.org",
    'ACCESS_KEY="s3cret" exec check',
    "-----BEGIN RSA PRIVATE KEY-----\ns3cret\ns3cret\n-----END RSA PRIVATE KEY-----",
)
HARMLESS = (
    'check_token_file = "keys/token"',
    "frontends.api.check_token_file: is of no use to a tcp check",
    '    "check_token_file": {',
    "    http-check send meth GET uri /readyz hdr Authorization %[str(Authorization),map(/etc/haproxy/a-token.map)]",
    "    http-check send meth GET uri /readyz hdr X-Own-Key %[str(any),map(/etc/haproxy/a-key.map)]",
    "auth_type PASS",
    "sudo: a password is required",
    "ops@192.168.1.11 password changed",
    "see https://example.org:8080/a@b",
    "stats socket /run/haproxy/admin.sock mode 660 level admin",
    "# who may read it: user root",
    "server m1 10.0.0.1:6443 check cookie m1",
    "cookie SERVERID insert indirect nocache",
    "http-request del-header X-Forwarded-For",
    "http-request set-header X-Forwarded-Proto https",
    "tcp-check send PING\\r\\n",
    "lbdeploy rebuild lb1 --host-key SHA256:abcdefghijk",
    "give ops sudo rights there; a password is taken from a terminal, or from LBDEPLOY_SUDO_PASSWORD",
    "Password for sudo on lb1",
    "    authentication {",
    "curl -sfo /dev/null http://127.0.0.1:6443/healthz",
    "curl --unix-socket /run/x.sock http://localhost:80/",
    "mysqladmin -h db -P3306 -p ping",
    "redis-cli -h 10.0.0.1 -p 6379 ping",
    "    http-request set-var(txn.auth) req.hdr(x-any)",
    "    http-request set-var(txn.path) str(abc)",
    "    http-request set-var-fmt(txn.token) %[src]",
    'if [ "$x" = 1 ]; then',
    "    http-request set-header X-Forwarded-For %[src]",
    "    http-request set-header X-Real-IP %[src] if !{ hdr(x-real-ip) -m found }",
    "    http-request set-header X-Client-Hash %[src,xxh32]",
    '    http-request set-header X-Connection "%ci:%cp %{+X}Ts"',
    "    http-request add-header X-Backend-Seen %[be_name] if TRUE",
    '    http-response set-header Strict-Transport-Security "max-age=31536000; includeSubDomains"',
    "    http-response set-header Cache-Control no-store",
    "    http-response replace-header Location ^http://(.*) https://\\1",
    "    http-request return status 200 hdr Content-Type text/plain",
    "    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host www.example.org hdr User-Agent haproxy",
    "    http-check expect hdr name content-type value -m beg application/json",
    '    option httpchk GET /healthz "HTTP/1.1\\r\\nHost:\\ www.example.org"',
    "    option httpchk GET /healthz HTTP/1.1\\r\\nHost:\\ www.example.org\\r\\nConnection:\\ close",
    "    acl www hdr(host) -i www.example.org",
    "    acl www hdr_end(Host),lower .example.org",
    "    acl more hdr_cnt(X-Any) gt 1",
    "    http-request deny if { req.hdr(x-any) -m found } { src 10.0.0.1 }",
    "    http-request set-var(txn.any) req.hdr(x-any),lower if { path /a }",
    "    http-request track-sc0 req.hdr(x-any) table any if TRUE",
    "    use_backend %[req.hdr(x-any),map(/etc/haproxy/any.map)] if TRUE",
    "    http-request capture req.hdr(X-Any) len 10",
    "    stick on hdr(X-Any) table any",
    "    http-request set-uri /x?sort=name&page=2",
    "curl -sfH 'Host: www.example.org' https://127.0.0.1/",
    "curl -H 'Accept: text/plain' http://127.0.0.1/healthz",
    "docker -H tcp://10.0.0.1:2375 ps",
    "redis-cli -h 10.0.0.1:6379 ping",
)
SLOW = (
    "curl -u",
    ".-uuuuuuu=",
    "mysql -p ",
    "sshpass ",
    "$a",
    "'@a",
    "curl -u=",
    "&key=",
    "pw",
    "pre-shared_key",
    "set-var(pw) ",
    "auth",
    "--auth",
    "--auth-",
    "pass",
    "key: ",
    "-u=",
    "$a ",
    "token",
    "://a:",
    " ",
    "'",
    "\\",
    '"',
    "user ",
    "(",
    "secret ",
    "A",
    "curl -H",
    "header =",
    "header = ",
    "curl -H a",
    "curl -HHHH ",
    "http/1 \\n",
    "http/1 \\na",
    "hdr(",
    "{ hdr(a) ",
    "set-header a ",
    "set-header a %[",
    "http-check send hdr a %",
    "?key",
    "&a.key",
    "http/1 \\nx-ssl-",
    "tcp-check send ",
)


@pytest.mark.parametrize("line", SECRETS)
def test_passwords_are_hidden(line: str) -> None:
    """What stands around them stays: one sees what it is."""
    for text in (line, f"-{line}\n+{line}\n", f"printf %s '{line}\n'"):
        assert "s3cret" not in hidden(text)
        assert hidden(text).count("(hidden)") == text.count(line)
        assert holds_password(text)
    assert line.startswith(hidden(line).partition("(hidden)")[0].strip() or "?", len(line) - len(line.lstrip()))


def test_keys_of_wireguard_are_hidden() -> None:
    """As netplan has them."""
    key = "s3cret" + 37 * "A" + "="
    text = f'keys:\n  private: {key}\n  shared: "{key}"\nkey: {key}\n'
    assert "s3cret" not in hidden(text)
    assert hidden("      key: value\n") == "      key: value\n"


def test_a_key_without_its_end_is_hidden_to_the_end() -> None:
    """As in an excerpt, or in a diff of its first lines."""
    assert hidden("a\n+-----BEGIN PRIVATE KEY-----\n+s3cret\ns3cret") == "a\n+-----BEGIN PRIVATE KEY-----\n(hidden)\n"


@pytest.mark.parametrize("line", HARMLESS)
def test_other_words_are_not_hidden(line: str) -> None:
    """Also those that speak of passwords."""
    assert hidden(line) == line
    assert not holds_password(line)


def test_base64_of_passwords_is_hidden() -> None:
    """As old files are read from nodes; other base64 stays."""
    secret, other = (b64encode(text.encode()).decode() for text in (f"a\n{SECRETS[0]}\n", "nothing of the kind here"))
    assert hidden_in_base64(f"file 640 {secret}\nfile {other}\n") == (
        f"file 640 (base64 of a file that may hold a secret)\nfile {other}\n"
    )
    assert hidden_in_base64(secret[:44]) == "(base64 of a file that may hold a secret)"


def test_diffs_hide_passwords() -> None:
    """A new password is still a difference."""
    old, new = "a\n auth_pass s3cret\nb\n", "a\n auth_pass s3cret2\nb\n"
    assert difference("/f", old, new) == (
        "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n- auth_pass (hidden)\n+ auth_pass (hidden)\n b\n"
    )
    wanted = File("/f", new)
    state = wanted.read(Answer(f"file 600 root:root 1.0\n{old}|\n"))
    gone = OriginalFile("/f")
    word = b64encode(old.encode()).decode()
    was = gone.read(Answer(f"known\nfile 600,root:root {word}\n/was\nmissing - -\n"))
    for change in (*wanted.compare(state, ()), *gone.compare(was, ())):
        assert change.diff
        assert "(hidden)" in change.diff
        assert "s3cret" not in change.diff


def test_a_secret_goes_on_where_its_line_does() -> None:
    """keepalived joins lines that end in a backslash, in definitions that others refer to."""
    assert hidden("a\n$PASS=s3\\\n  cret\\\n  more\nb\n") == "a\n$PASS=(hidden)\n(hidden)\n(hidden)\nb\n"
    assert hidden("a \\\nb") == "a \\\nb"


def test_what_is_sent_in_hexadecimal_is_read() -> None:
    """To a server that wants a password, before it answers."""
    assert hidden(f"  tcp-check send-binary {b'AUTH s3cret'.hex()}") == "  tcp-check send-binary (hidden)"
    ping = f"  tcp-check send-binary {b'PING'.hex()}"
    assert hidden(ping) == ping


@pytest.mark.parametrize("piece", SLOW)
def test_a_text_that_is_made_to_be_slow_is_not(piece: str) -> None:
    """A node may send any text: a megabyte of it, in a line or in many, takes no longer than another."""
    for text in (piece * (100_000 // len(piece)), f"{piece * 20} auth\n" * (100_000 // (len(piece) * 20 + 6))):
        began = time.thread_time()
        hidden_in_base64(hidden(text))
        assert time.thread_time() - began < 10


@pytest.mark.parametrize("secret", SECRETS[:-1])
@pytest.mark.parametrize("write", [str.upper, str.swapcase, lambda text: text.translate({ord("s"): "\u017f"})])
def test_case_makes_no_difference_to_what_is_looked_at(secret: str, write: Callable[[str], str]) -> None:
    """Every line of which something would be hidden is among those that are looked at closely."""
    line = write(secret)
    assert redact._line(line) == line or redact._suspects(f"a\n{line}\n{line}\nb") == {1, 2}


@given(st.lists(st.sampled_from([*SECRETS, *HARMLESS, "", "a \\", "'", '"']), max_size=8))
def test_hiding_twice_is_hiding_once(lines: list[str]) -> None:
    """What was masked on its way is not taken for a secret again, and nothing of one is left in any company."""
    once = hidden("\n".join(lines))
    assert hidden(once) == once
    assert "s3cret" not in once


SCRIPT = "#!/bin/sh\nmail -s s3cret root\n"


def test_scripts_are_not_shown_at_all() -> None:
    """Nobody can say what in them is a secret: not in diffs, in what a node says of them, or in what is sent to it."""
    wanted = File("/f", SCRIPT, "700", secret=True)
    old = b64encode(SCRIPT.replace("root", "ann").encode()).decode()
    answer = f"file 755 root:root 1.0\nsecret {old}|\n"
    state = wanted.read(Answer(answer))
    assert state.content == SCRIPT.replace("root", "ann")
    (change,) = wanted.compare(state, ())
    assert change.diff == "--- a/f\n+++ b/f\n-(2 lines, which may hold a secret)\n+(2 lines, which may hold a secret)\n"
    assert hidden_in_base64(answer) == "file 755 root:root 1.0\nsecret (hidden)\n"
    assert old not in hidden_in_base64(f"any/generation {old}")
    applying = f"before\n{dict(wanted.steps(state, [change], ()))[Phase.STAGE]}\nafter\n"
    assert "s3cret" in applying
    assert hidden(applying) == "before\n(hidden)\nafter\n"
    assert difference("/f", SCRIPT, "") == "--- a/f\n+++ /dev/null\n-(2 lines, which may hold a secret)\n"


def test_a_file_of_any_length_is_compared_in_time() -> None:
    """A node's may be long, and of lines made for it."""
    began = time.monotonic()
    diff = difference("/f", "a\n" * 1_000_000, "a\nb\n" * 50)
    assert time.monotonic() - began < 5
    assert "(1000000 lines, too many to compare)" in diff


@pytest.mark.parametrize(
    "line",
    [
        'run([tool, b"-u bob:s3cret"])', "check = f'-H X-Api: s3cret'", 'a = r"--user bob:s3cret"',
        'r"-HX-Foo: s3cret"', "wrap -u bob:s3cret",
    ],
)  # fmt: skip
def test_an_option_begins_behind_a_quote(line: str) -> None:
    """Whatever stands before that, as in a string of Python."""
    assert "s3cret" not in hidden(f"first\n{line}\nlast")


def test_what_ends_in_an_option_is_none() -> None:
    """Nearly all files have such words, and would be searched line by line."""
    assert not redact._suspects("/etc/keepalived/check-haproxy: see\nsystem-u x\n")


LINES = st.sampled_from([*SECRETS, "global", "", "    daemon", "next \\", "s3cret", "$a", "=b"])


@given(st.lists(st.lists(LINES, max_size=8), max_size=4))
def test_what_was_looked_at_before_makes_no_difference(texts: list[list[str]]) -> None:
    """Lines in which there was nothing are kept; also where a secret of the line before goes on in one."""
    redact._harmless.clear()
    one_after_the_other = [hidden("\n".join(lines)) for lines in texts]
    alone = []
    for lines in texts:
        redact._harmless.clear()
        alone.append(hidden("\n".join(lines)))
    assert one_after_the_other == alone


def test_a_long_line_is_hidden_whatever_was_looked_at_before() -> None:
    """Whether it assigns something is not looked for beyond its end."""
    text = "x" * 4100 + "'$b\n= c"
    assert hidden("= c") == "= c"
    assert hidden(text) == f"{redact.HIDDEN}\n= c"


def test_answers_of_earlier_runs_are_bounded() -> None:
    """A worker lasts, and is told of every file that it recalls."""
    for number in range(2000):
        redact.remember(f"file {number}", holds_password=False)
        assert len(redact._answers) <= 500


def test_no_more_lines_are_kept_than_a_few_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many nodes there are, and however long what they say is."""
    monkeypatch.setattr(redact, "_KEPT", 10)
    for number in range(30):
        assert hidden(f"global {number}\nauth_pass s3cret") == f"global {number}\nauth_pass {redact.HIDDEN}"
        assert len(redact._harmless) <= 10
    assert hidden("\n".join(f"line {number}" for number in range(100))).endswith("line 99")
    assert hidden("x" * 1000) == "x" * 1000
    assert len(redact._harmless) <= 10
    assert not any(len(each) > redact._KEPT_LENGTH or "auth_pass" in each for each in redact._harmless)


@pytest.mark.parametrize("program", sorted(FOLDER.glob("*.[sp][hl]")), ids=lambda path: path.name)
def test_no_line_of_a_shipped_program_is_taken_for_a_secret(program: Path) -> None:
    """Or a log would show it whole, since it shows the name of what is as it was shipped."""
    text = program.read_text()
    assert hidden(text) == text
    assert hidden(here(text)) == here(text)
