"""hosts.toml is edited as a person would."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from goldens import GOOD

from lbdeploy.config.editing.servers import Edit, edited
from lbdeploy.config.model import Server
from lbdeploy.errors import UsageError

NEW = Server("new", ip_address("192.168.1.29"), 6443)
HEAD, _, REST = GOOD.partition("[frontends.")
FILE = Path("hosts.toml")


def text(frontends: str) -> str:
    return HEAD + frontends


def change(before: str, *, added: Server | None = NEW, removed: tuple[Edit, ...] = ()) -> str:
    """The frontends after a change to those of `before`."""
    added_as = {("api", added.name): added} if added else {}
    return edited(FILE, text(before), added_as, removed).removeprefix(HEAD)


SERVERS = """\
[frontends.api]
port = 6443   # kube-apiserver
[frontends.api.servers]   # all three
one = "192.168.1.21"      # rack 1
# spare hardware
two = "192.168.1.22:7443" # rack 2

# what follows
[frontends.web]
port = 443
servers = { w = "192.168.1.31" }
"""


def test_comments_and_order_stay() -> None:
    """A new server is below the last one, above what comes before the next table."""
    assert change(SERVERS) == SERVERS.replace("# rack 2\n", '# rack 2\nnew = "192.168.1.29"\n')
    gone = change(SERVERS, added=None, removed=(("api", "one"),))
    assert gone == SERVERS.replace('one = "192.168.1.21"      # rack 1\n', "")


@pytest.mark.parametrize(
    ("server", "value"),
    [
        (Server("new", ip_address("192.168.1.29"), 7443), "192.168.1.29:7443"),
        (Server("new", ip_address("fd00::9"), 6443), "fd00::9"),
        (Server("new", ip_address("fd00::9"), 7443), "[fd00::9]:7443"),
    ],
)
def test_values(server: Server, value: str) -> None:
    """The port is written where it is another one than the frontend's."""
    assert f'new = "{value}"\n' in change(SERVERS, added=server)


@pytest.mark.parametrize(
    "before",
    [
        '[frontends.api]\nport = 6443\nservers = { one = "192.168.1.21", two = "192.168.1.22" }  # inline\n',
        '[frontends.api]\nport = 6443\nservers.one = "192.168.1.21" # first\n'
        'servers.two = "192.168.1.22"\ncheck = "tcp"\n',
        "[frontends.api]\nport = 6443\n[frontends.api.servers]\n"
        'one = { address = "192.168.1.21", backup = true }\ntwo = "192.168.1.22"',
        "[frontends.api]\nport = 6443\n[frontends.api.servers.one]\n"
        'address = "192.168.1.21"\n[frontends.api.servers.two]\naddress = "192.168.1.22"\n',
    ],
)
def test_every_form_of_servers(before: str) -> None:
    """What comes of it says just what it should: `edited` reads it again."""
    after = change(before, removed=(("api", "two"),))
    assert "192.168.1.29" in after
    assert "192.168.1.22" not in after
    assert ("# inline" in after, "# first" in after) == ("# inline" in before, "# first" in before)


TABLES = """\
[frontends.api]
port = 6443
[frontends.api.servers.one]   # rack 1
address = "192.168.1.21"

# rack 2
[frontends.api.servers.two]
# the new one
address = "192.168.1.22"
weight = 5
# rack 3

[frontends.api.servers.three]
address = "192.168.1.23"
# what follows
[frontends.web]
port = 443
servers = { w = "192.168.1.31" }
"""


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("one", '[frontends.api.servers.one]   # rack 1\naddress = "192.168.1.21"\n'),
        ("two", '[frontends.api.servers.two]\n# the new one\naddress = "192.168.1.22"\nweight = 5\n'),
        ("three", '[frontends.api.servers.three]\naddress = "192.168.1.23"\n'),
    ],
)
def test_a_comment_below_a_server_is_not_its_own(name: str, gone: str) -> None:
    """It stands above the next header, which it is about."""
    mixed = TABLES.replace("port = 6443\n", 'port = 6443\n[frontends.api.servers]\nfirst = "192.168.1.20"\n')
    for before in (TABLES, mixed):
        assert before.count(gone) == 1
        assert change(before, added=None, removed=(("api", name),)) == before.replace(gone, "")


def test_a_comment_that_nothing_could_keep_is_not_lost() -> None:
    """Where another frontend stands between the servers' tables: told, with what to do by hand."""
    web = TABLES[TABLES.index("[frontends.web]") :]
    before = TABLES.replace(web, "").replace("# rack 2\n", "# rack 2\n" + web)
    with pytest.raises(UsageError, match="can't be edited as they stand") as caught:
        change(before, added=None, removed=(("api", "two"),))
    assert "remove two from those of api" in str(caught.value.fix)


def test_what_would_be_no_valid_file_is_not_written() -> None:
    """Two servers of one name: told, with what to do by hand."""
    with pytest.raises(UsageError):
        change(SERVERS, added=Server("a b", ip_address("192.168.1.29"), 6443))
