"""What is asked, how often, and what becomes of the answers. A script answers, in the place of a person."""

from __future__ import annotations

import threading
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from lbdeploy.config.credentials import Answers
from lbdeploy.errors import ConnectError, HostKeyError, LbdeployError, LoginError, NewKey, SudoError
from lbdeploy.ssh.known_hosts import fingerprint
from lbdeploy.ssh.prompts import ask_pending

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIDnlXl8ZJcYHzfcRKLj8mW5Kqy7nPGpqrKZ1Mg1BvYvB"


class Script:
    """Gives these answers, and keeps the questions."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def confirm(self, text: str, question: str) -> bool:
        self.asked.append(f"{text}\n{question}")
        return self.answers.pop(0) == "yes"

    def secret(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self.answers.pop(0)


def unknown(host: str, file: Path | None) -> HostKeyError:
    return HostKeyError("unknown", node=host, new=NewKey(host, host, "ssh-ed25519", KEY, file, hashed=False))


def locked(*paths: Path) -> LoginError:
    return LoginError("locked", locked=paths)


def wants_password(node: str) -> SudoError:
    return SudoError("password", node=node, wants_password=True)


def encrypted(path: Path, passphrase: str) -> Path:
    cipher = PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(1).build(passphrase.encode())
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, cipher))
    return path


def test_all_new_keys_are_in_one_question(tmp_path: Path) -> None:
    """A bastion that several nodes are behind is in it once; yes writes them down."""
    file, script = tmp_path / "known_hosts", Script("yes")
    answers = Answers(script)
    errors: list[object] = [unknown("gate", file), unknown("gate", file), unknown("lb2", None), "a result"]
    assert ask_pending(errors, answers)
    assert len(script.asked) == 1
    assert script.asked[0].count(fingerprint(KEY)) == 2
    assert str(file) in script.asked[0]
    assert file.read_text() == f"gate ssh-ed25519 {KEY}\n"
    assert answers.accepted == {("gate", KEY), ("lb2", KEY)}


def test_no_is_no(tmp_path: Path) -> None:
    """Nothing is written, and nobody is asked a second time."""
    answers = Answers(Script("no"))
    for _ in range(2):
        assert not ask_pending([unknown("lb1", tmp_path / "known_hosts")], answers)
    assert list(tmp_path.iterdir()) == []
    assert answers.accepted == set()


def test_a_passphrase_may_be_wrong_twice(tmp_path: Path) -> None:
    """An empty answer goes on to the next key; one key that opens is enough."""
    first, second = encrypted(tmp_path / "first", "one"), encrypted(tmp_path / "second", "two")
    answers = Answers(script := Script("", "wrong", "wrong", "two"))
    assert ask_pending([locked(first, second), locked(second)], answers)
    assert list(answers.unlocked) == [second]
    assert [str(path) for path in (first, second, second, second)] == [each.split()[-1] for each in script.asked]
    tired = Answers(Script("a", "b", "c"))
    for _ in range(2):
        assert not ask_pending([locked(first)], tired)


def test_sudos_password_is_one_for_all() -> None:
    """All nodes that want it are named."""
    answers = Answers(script := Script("s3cret"))
    assert ask_pending([wants_password("lb1"), None, wants_password("lb2")], answers)
    assert (script.asked, answers.password) == (["Password for sudo on lb1 and lb2"], "s3cret")
    declined = Answers(Script(""))
    for _ in range(2):
        assert not ask_pending([wants_password("lb1")], declined)


def test_other_errors_are_nobodys_to_answer() -> None:
    """What an answer can't help is not asked about, and without a person nothing is."""
    changed, refused, wrong = HostKeyError("changed"), LoginError("refused"), SudoError("wrong")
    others: list[LbdeployError] = [changed, refused, wrong, ConnectError("no answer")]
    assert not ask_pending(others, Answers(Script()))
    assert not ask_pending([wants_password("lb1")], Answers())


def test_only_the_main_thread_asks() -> None:
    """Ctrl-C would not end a question in another one."""
    came: list[bool] = []
    answers = Answers(Script("s3cret"))
    thread = threading.Thread(target=lambda: came.append(ask_pending([wants_password("lb1")], answers)))
    thread.start()
    thread.join()
    assert came == [False]
