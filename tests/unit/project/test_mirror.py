"""tests/unit mirrors lbdeploy/: the test of a module is found by the module's path."""

from __future__ import annotations

from pathlib import Path

TOP = Path(__file__).parents[3]
TESTS, CODE = TOP / "tests" / "unit", TOP / "lbdeploy"
# What only nodes can show: tests/lab has the tests.
WITH_NODES = """
cli/commands/doctor.py
cli/commands/down.py
cli/commands/drain.py
cli/commands/lab_servers.py
cli/commands/rebuild.py
cli/commands/rollback.py
cli/commands/status.py
lab/actions.py
lab/commands.py
lab/down.py
lab/enter.py
lab/fault_injector.py
lab/host/cgroups.py
lab/host/netns.py
lab/image/repository.py
lab/machine/nodes.py
lab/machine/servers.py
lab/machine/ssh_probe.py
lab/manifest.py
lab/status.py
lab/up.py
operations/adopt/adopt.py
operations/drill/injector.py
operations/outage/node_streams.py
operations/visit.py
operations/servers/connections.py
operations/servers/drain.py
ssh/transport/channel.py
"""
# What other modules' tests use, or what holds names, values and types alone.
THROUGH_OTHERS = """
cli/commands/init_flags.py
cli/commands/new_files.py
cli/report/exports/panels.py
cli/report/exports/selectors.py
cli/report/printer.py
cli/report/progress.py
common/environment.py
common/startup.py
common/version.py
config/credentials.py
config/model.py
config/schema.py
events.py
health/certificates/presented.py
health/finding.py
health/fitness.py
health/placement.py
health/state.py
node/health_probes.py
node/resources/restored.py
node/resources/stale_files.py
operations/adopt/haproxy/meanings.py
operations/adopt/keepalived/instances.py
operations/adopt/keepalived/meanings.py
operations/adopt/keepalived/script_explanations.py
operations/adopt/keepalived/side.py
operations/adopt/keepalived/table.py
operations/adopt/notes.py
operations/adopt/rows.py
operations/arguments.py
operations/bundle/collect.py
operations/bundle/contents.py
operations/bundle/questions.py
operations/doctor/checkup.py
operations/doctor/firewall/iptables.py
operations/doctor/firewall/nftables.py
operations/doctor/firewall/packet_filter.py
operations/doctor/system_checks.py
operations/fleet/worker.py
operations/history/ask.py
operations/kubernetes/ask.py
operations/history/event.py
operations/outage/views.py
operations/status.py
planning/haproxy/named_files.py
planning/lint/lints.py
planning/lint/template_faults.py
planning/vrrp/members.py
ssh/config_values.py
ssh/greeting.py
ssh/limits.py
ssh/manual_commands.py
ssh/transport/algorithms.py
"""


def by_test_file() -> set[str]:
    """Each test file, by the module that its path names."""
    files = (path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))
    return {str(path.with_name(path.name.removeprefix("test_"))) for path in files if path.parts[0] != "project"}


def modules() -> set[str]:
    return {str(path.relative_to(CODE)) for path in CODE.rglob("*.py") if not path.name.startswith("__")}


def test_every_test_file_has_its_module() -> None:
    """A test of the project itself, its documentation or its packages is in tests/unit/project."""
    assert by_test_file() - modules() == set()


def test_modules_without_a_test_file_are_known() -> None:
    """A new module gets a test file of its name, or is listed above; one that has a test file is not listed."""
    assert modules() - by_test_file() == set((WITH_NODES + THROUGH_OTHERS).split())


def test_no_folder_is_too_large_to_find_ones_way_in() -> None:
    """At most 15 modules, but for the commands, each of which is a file."""
    folders = {path.parent for path in CODE.rglob("*.py")} - {CODE / "cli" / "commands"}
    sizes = {
        folder: len([each for each in folder.glob("*.py") if not each.name.startswith("__")]) for folder in folders
    }
    assert {folder: size for folder, size in sizes.items() if size > 15} == {}
