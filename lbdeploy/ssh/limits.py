"""How long a node may take for an answer, and how long the answer may be: without limits, one node could hang a run."""

from __future__ import annotations

from dataclasses import dataclass, replace

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` for all of an answer, of which `silence` may pass without a whole line; and its `size` in bytes.

    A node that answers keepalives, but not the question, has reached them too.
    """

    seconds: float
    silence: float
    size: int = 8 * MIB

    def longer(self, seconds: float) -> Limits:
        """The same for a script that takes so long by itself."""
        return replace(self, seconds=self.seconds + seconds, silence=self.silence + seconds)


LOOK = Limits(60, 60)  # a look takes a second, and each of its probes ends by itself
# apt and dpkg report what they do; a mirror that is slow keeps apt silent for two minutes at a time. A run that needs
# longer goes on without this connection.
WORK = Limits(4 * 3600, 900)
STREAM = Limits(4 * 3600, 4 * 3600, 64 * MIB)  # scripts that report what happens, if anything does
HOLD = Limits(30, 30, MIB // 16)  # a script that is held open, until it reports that it runs
