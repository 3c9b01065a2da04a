"""A fleet to measure on: 100 clusters of two nodes, with an sshd of its own for each of the 200 nodes.

The sshds run in the two nodes of the pair, on ports of their own, 100 in each. So every cluster is a whole one: the
same keepalived, haproxy, files, VIPs and servers are looked at as on the pair, but a hundred times.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from measure import LIMIT_SECONDS, CommandFailed
from pair import LBDEPLOY, NODES, STATE, Pair

PORTS = range(2201, 2301)
AT_ONCE = 5  # clusters, unless --parallel says otherwise
DASK = str(Path(sys.executable).with_name("dask"))
SCHEDULER = "tcp://127.0.0.1:8786"


@dataclass(frozen=True)
class Cost:
    """Of one command: seconds until it ended, CPU seconds of itself and of the nodes, and its peak memory in MB."""

    seconds: float
    cpu: float
    nodes_cpu: float
    memory: float


class Fleet:
    """The clusters. Its sshds end with the nodes."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.folder = pair.folder / "sites"
        self.folder.mkdir(exist_ok=True)
        self.files = [str(self.folder / f"site-{port}.toml") for port in PORTS]
        for node in NODES:
            pair.on(node, START)
        self._write()

    def _write(self) -> None:
        keys = dict(reversed(line.split(" ", 1)) for line in self._known_hosts().splitlines())
        addresses = self.pair.addresses
        known = [f"[{addresses[names]}]:{port} {key}" for port in PORTS for key, names in keys.items()]
        (self.folder / "known_hosts").write_text("\n".join(known) + "\n")
        plain = self.pair.plain.read_text()
        plain = re.sub(r"known_hosts_file = .*", f'known_hosts_file = "{self.folder}/known_hosts"', plain)
        for port, file in zip(PORTS, self.files, strict=True):
            Path(file).write_text(plain.replace("[ssh]\n", f"[ssh]\nport = {port}\n", 1))

    def _known_hosts(self) -> str:
        """A line for each node: its name, and its key."""
        lines = (STATE / self.pair.id / "known_hosts").read_text().splitlines()
        return "\n".join(f"{names.split(',')[-1]} {key}" for names, key in (line.split(" ", 1) for line in lines))

    def plan(self, count: int, *words: str) -> Cost:
        """`plan` of so many clusters, all of which have nothing to do."""
        return self.cost(self.pair.inside("operator", LBDEPLOY, "-f", *self.files[:count], "plan", *words))

    def ssh(self, count: int) -> Cost:
        """`ssh NODE true` on the nodes of so many clusters, as many at once as `plan` has: the least it can take."""
        user, key = self.pair.data["ssh"]["user"], STATE / self.pair.id / "id_ed25519"
        nodes = self.folder / "nodes"
        addresses = self.pair.addresses
        nodes.write_text("".join(f"-p {port} {addresses[node]} true\n" for port in PORTS[:count] for node in NODES))
        options = ["-F", "none", "-l", user, "-i", str(key), "-o", "BatchMode=yes"]
        options += ["-o", f"UserKnownHostsFile={self.folder}/known_hosts"]
        limited = ["xargs", "-a", str(nodes), "-P", str(AT_ONCE * len(NODES)), "-L", "1"]
        return self.cost(self.pair.inside("operator", *limited, "ssh", *options))

    def cost(self, argv: Sequence[str]) -> Cost:
        """Run a command. Raises CommandFailed."""
        nodes = self._nodes_cpu()
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        timed = ["/usr/bin/env", sys.executable, "-c", TIMED, *argv]
        done = subprocess.run(timed, check=False, capture_output=True, text=True, timeout=LIMIT_SECONDS)
        took = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise CommandFailed(
                f"{' '.join(argv)[-200:]}: exit {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}"
            )
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Cost(took, cpu, self._nodes_cpu() - nodes, float(done.stderr.splitlines()[-1]))

    def _nodes_cpu(self) -> float:
        """CPU seconds of both nodes so far, as their control groups count them."""
        said = [self.pair.on(node, "grep usage_usec /sys/fs/cgroup/cpu.stat") for node in NODES]
        return sum(int(line.split()[1]) for line in said) / 1e6

    @contextmanager
    def workers(self, count: int = 2) -> Iterator[list[int]]:
        """A scheduler and its workers, in the operator's network; their process ids, the scheduler's first."""
        common = ("--host", "127.0.0.1", "--no-dashboard")
        place = ("--no-nanny", "--nthreads", "4", "--local-directory", str(self.folder))
        argvs = [[DASK, "scheduler", *common, "--port", "8786"]]
        argvs += [[DASK, "worker", SCHEDULER, *common, *place] for _ in range(count)]
        with ExitStack() as stack:
            processes = []
            for argv in argvs:
                process = subprocess.Popen(self.pair.inside("operator", *argv), stderr=subprocess.PIPE, text=True)
                stack.callback(process.wait, 10)
                stack.callback(process.kill)
                assert process.stderr
                ready = ("Registered to", "Scheduler at")
                if not any(any(word in line for word in ready) for line in process.stderr):
                    raise CommandFailed(f"{argv[1]} did not start")
                processes.append(process.pid)
            yield processes

    def pyinfra(self, program: Path) -> list[str]:
        """pyinfra's dry run on the same 200 nodes, with the same job as on the pair."""
        files = self.pair.render()
        hosts = []
        for port in PORTS:
            for node in NODES:
                name = f"{node}-{port}"
                (files / name).unlink(missing_ok=True)
                (files / name).symlink_to(files / node)
                user, key = self.pair.data["ssh"]["user"], str(STATE / self.pair.id / "id_ed25519")
                data = {"ssh_hostname": self.pair.addresses[node], "ssh_port": port, "ssh_user": user, "ssh_key": key}
                data |= {"files": str(files), "ssh_known_hosts_file": str(self.folder / "known_hosts")}
                hosts.append((name, data))
        inventory = self.folder / "inventory.py"
        inventory.write_text(f"nodes = {hosts!r}\n")
        job = str(Path(__file__).with_name("jobs") / "deploy.py")
        return self.pair.inside("operator", str(program), "--dry", "--parallel", "20", str(inventory), job)


def cpu_of(process: int) -> float:
    """CPU seconds of a process so far, with its children that have ended (proc(5))."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / 100


def peak_of(process: int) -> float:
    """The largest memory of a process so far, in MB (proc(5), VmHWM)."""
    (kib,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return int(kib) / 1024


# systemd counts what they use in the node's control group; the node's own sshd has the same settings.
START = f"""grep -v '^Port' /etc/ssh/sshd_config > /run/many.conf
systemctl is-active -q many || systemd-run -q --unit=many sh -c '
for port in $(seq {PORTS[0]} {PORTS[-1]}); do
    /usr/sbin/sshd -D -f /run/many.conf -o Port=$port -o PidFile=none &
done
wait'
for try in $(seq 100); do
    [ $(ss -Hltn | grep -c ':2[23][0-9][0-9] ') -ge {2 * len(PORTS)} ] && break
    sleep 0.1
done"""

# A process of its own for each measurement: the kernel's count of memory is the largest of all that it has seen end.
TIMED = """import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, file=sys.stderr)
sys.exit(code)"""
