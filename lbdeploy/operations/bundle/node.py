"""What one node has to say: the script that asks it, and the reader of its answers, of which any may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256

from lbdeploy.common.redact import is_program
from lbdeploy.common.shell import Raw, cmd, nonce
from lbdeploy.node.answers import base64_text
from lbdeploy.node.observation import PRELUDE
from lbdeploy.operations.bundle.contents import Entry, Missing, Part, is_safe, plain
from lbdeploy.operations.bundle.questions import COMMANDS, FILES, FOLDERS, LARGEST, shown


class Questions:
    """For one node. `rendered`: its files as this version would write them, by path."""

    def __init__(self, name: str, rendered: Mapping[str, str]) -> None:
        self.name = name
        self.rendered = rendered
        self.nonce = nonce()  # so that no text can pass for the beginning of another

    def script(self) -> str:
        """POSIX sh for root; it changes nothing."""
        asked = [self._section(path, shown(command)) for path, command in COMMANDS.items()]
        listed = self._section("folders.txt", shown(str(cmd("ls", "-laR", "--time-style=full-iso", *FOLDERS))))
        return "".join((PRELUDE, *asked, listed, self._files(), f"echo {self.nonce} end\n"))

    def _section(self, path: str, command: Raw) -> str:
        return f"echo {self.nonce} text {cmd(path)}\n{{\n{command}\n}} < /dev/null\necho\n"

    def _files(self) -> str:
        one = f'echo {self.nonce} file "$path" $(tail -c {LARGEST} -- "$path" | base64 -w 0)'
        return f'for path in {" ".join(FILES)}; do if [ -f "$path" ]; then {one}; fi; done\n'

    def read(self, output: str, why: str = "") -> Part:
        """What the node has printed. `why`: what ended it too early."""
        texts, files, ended = self._parts(output)
        entries = [plain(f"nodes/{self.name}/{path}", text) for path, text in texts.items() if path in _EXPECTED]
        missing = [] if ended else [Missing(self.name, "all that it had not said yet", why or "it ended too early")]
        for path, content in files:
            found = self._file(path, content)
            (entries if isinstance(found, Entry) else missing).append(found)  # type: ignore[arg-type]
        return Part(tuple(entries), tuple(missing))

    def _parts(self, output: str) -> tuple[dict[str, str], list[tuple[str, str]], bool]:
        """The texts by path, the files as (path, base64), and whether the script came to its end."""
        texts: dict[str, str] = {}
        files: list[tuple[str, str]] = []
        for section in output.split(f"{self.nonce} ")[1:]:
            head, _, body = section.partition("\n")
            kind, _, rest = head.partition(" ")
            if kind == "text":
                texts[rest] = body.removesuffix("\n")
            elif kind == "file":
                path, _, content = rest.partition(" ")
                files.append((path, content))
        return texts, files, output.rstrip().endswith(f"{self.nonce} end")

    def _file(self, path: str, content: str) -> Entry | Missing:
        if not is_safe(path):
            return Missing(self.name, "a file", "its path has characters that paths in an archive should not have")
        try:
            text = base64_text(content)
        except ValueError:
            return Missing(self.name, path, "what the node sent is no base64")
        return plain(f"nodes/{self.name}/files{path}", "\n".join(self._kept(path, text)))

    def _kept(self, path: str, text: str) -> Iterator[str]:
        """A file's text; of a program, which may have a secret anywhere, only what it is."""
        if not is_program(text):
            yield text
            return
        wanted = self.rendered.get(path)
        same = {None: "no file of lbdeploy's", text: "as this version would write it"}.get(wanted, "written otherwise")
        yield f"(a program, whose text is left out: {len(text)} characters, {same},"
        yield f" SHA-256 {sha256(text.encode(errors='surrogateescape')).hexdigest()})"


_EXPECTED = {*COMMANDS, "folders.txt"}
