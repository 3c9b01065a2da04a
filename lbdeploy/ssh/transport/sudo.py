"""Root privileges for a login: it is root, or sudo gives them, with or without a password."""

from __future__ import annotations

from lbdeploy.common.environment import SUDO_VARIABLE
from lbdeploy.common.shell import nonce
from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Node
from lbdeploy.errors import ConnectError, LoginError, SudoError
from lbdeploy.ssh.transport.channel import CommandResult

# In the C locale, so that sudo's refusals can be told apart; it works in every login shell, fish and csh included.
SUDO = "env LC_ALL=C sudo"
# If sudo leaves the password in the input, as a NOPASSWD rule was added meanwhile, it must not run as a command: the
# script begins after the mark. `read` reads not a byte beyond a line (POSIX). All login shells pass on single quotes.
_SKIP = "while read -r line; do case $line in {mark}) exec sh -s;; esac; done"
# The last one is from sudo-rs, which is the sudo of Ubuntu 26.04 (0.2.13).
WANTED = ("a password is required", "a terminal is required", "must have a tty", "authentication is required")


class Root:
    """How one login becomes root on one node. The password goes to sudo's standard input, and nowhere else."""

    def __init__(self, node: Node, user: str, answers: Answers) -> None:
        self.node = node
        self.user = user
        self.answers = answers
        self._mark = nonce()  # sudo's prompt, and the line that ends what is for sudo

    @property
    def way(self) -> tuple[str, str]:
        """The command that runs a script from its standard input as root, and what it wants to read before that."""
        if self.user == "root":
            return "sh -s", ""
        if self.node.name in self.answers.proven:
            return self._with_password(f"'{_SKIP.format(mark=self._mark)}'"), f"{self.answers.password}\n{self._mark}\n"
        return f"{SUDO} -n -- sh -s", ""

    def _with_password(self, program: str) -> str:
        return f"{SUDO} -k -S -p {self._mark} -- sh -c {program}"

    def proof(self, refused: CommandResult) -> tuple[str, str]:
        """The command, and its input, that test whether sudo takes the password. Raises SudoError and LoginError."""
        if self.user == "root":
            raise self._no_shell(refused)
        if not any(each in refused.output for each in WANTED):
            raise self._error(refused, f"sudo gives {self.user} no root privileges")
        if self.node.name in self.answers.refused | self.answers.proven:
            raise self._error(refused, "sudo refused the password")
        if self.answers.password is None:
            raise self._error(refused, "sudo gives no root privileges without a password", wants_password=True)
        return self._with_password(":"), f"{self.answers.password}\n"

    def proven(self, result: CommandResult) -> None:
        """Record the result of that test. Raises SudoError where sudo refused the password."""
        if result.status:
            self.answers.refused.add(self.node.name)
            unmarked = CommandResult(result.output.replace(self._mark, ""), result.status)
            raise self._error(unmarked, "sudo refused the password")
        self.answers.proven.add(self.node.name)

    def _error(self, refused: CommandResult, message: str, *, wants_password: bool = False) -> SudoError:
        refused = CommandResult(masked(refused.output, self.answers.password or ""), refused.status)
        return SudoError(
            f"{message}; it said: {_last(refused)}",
            node=self.node.name,
            state="nothing was changed on it",
            fix=f"give {self.user} sudo rights there; a password is taken from a terminal, or from {SUDO_VARIABLE}",
            detail=refused.output,
            wants_password=wants_password,
        )

    def _no_shell(self, refused: CommandResult) -> ConnectError:
        return LoginError(
            f"the login of root runs no commands; it said: {_last(refused)}",
            node=self.node.name,
            state="nothing was changed on it",
            fix="give root a shell there (chsh), or log in as a user with sudo",
            detail=refused.output,
        )


def masked(output: str, secret: str) -> str:
    """A node's output without the password, which is the first line of `secret`."""
    password = secret.partition("\n")[0]
    return output.replace(password, "(password)") if password else output


def _last(result: CommandResult) -> str:
    lines = [line.strip() for line in result.output.splitlines() if line.strip()]
    return lines[-1] if lines else "(nothing)"
