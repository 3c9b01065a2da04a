"""Who listens, as `ss` shows it, and where haproxy is to: one rule, for `doctor` and for the node's own check.

"*" is a socket of IPv6 that takes IPv4, too; "[::]" is one that does not (ipv6(7), IPV6_V6ONLY).
"""

from __future__ import annotations

FOUR, SIX = "192.168.0.10", "2001:db8::10"
# The listener's host, the address, whether they meet.
MEETINGS = (
    ("*", FOUR, True),
    ("*", SIX, True),
    ("*%ens33", FOUR, True),
    ("0.0.0.0", FOUR, True),
    ("0.0.0.0", SIX, False),
    ("[::]", FOUR, False),
    ("[::]", SIX, True),
    ("[::]%ens33", SIX, True),
    (f"{FOUR}%ens33", FOUR, True),
    ("192.168.0.11", FOUR, False),
    (f"[::ffff:{FOUR}]", FOUR, True),
    ("[::ffff:192.168.0.11]", FOUR, False),
    (f"[{SIX}]", SIX, True),
    (f"[{SIX}]", FOUR, False),
    ("[2001:db8::11]", SIX, False),
)
