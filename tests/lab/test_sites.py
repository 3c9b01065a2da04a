"""Many clusters in one run: the lab's pair beside clusters that are not there, here and by workers of a scheduler."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from clients import traffic
from harness import LBDEPLOY, VIPS, Done, Lab

DASK = str(Path(sys.executable).with_name("dask"))
SCHEDULER, RECORDED = "tcp://127.0.0.1:8786", "tcp://127.0.0.1:8787"
PASSWORD = "a-secret-of-the-operator"

# Between the operator and the scheduler: it hands everything on, and writes it down.
RECORDER = """
import asyncio, sys
async def pump(reader, writer):
    while data := await reader.read(65536):
        file.write(data); file.flush(); writer.write(data)
    writer.close()
async def meet(reader, writer):
    there = await asyncio.open_connection("127.0.0.1", 8786)
    await asyncio.gather(pump(reader, there[1]), pump(there[0], writer), return_exceptions=True)
async def main():
    server = await asyncio.start_server(meet, "127.0.0.1", 8787)
    await server.serve_forever()
with open(sys.argv[1], "wb") as file:
    asyncio.run(main())
"""


class Operator:
    """A shell in the operator's network, with a file for the pair, and two for clusters where nobody answers."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        state = Path(lab.known_hosts).parent
        keys = f'identity_file = "{state}/id_ed25519"\nknown_hosts_file = "{state}/known_hosts"\n'
        text = lab.file.read_text().replace("[ssh]", f"[ssh]\n{keys}#", 1).replace("#\n", "\n")
        self.network = f"--net=/run/netns/lbdeploy-{lab.id}:operator"
        self.good, self.gone, self.away = (str(folder / f"{name}.toml") for name in ("good", "gone", "away"))
        Path(self.good).write_text(text)
        for name, path in (("gone", self.gone), ("away", self.away)):
            nobody = re.sub(r'"192\.168\.1\.1([12])"', r'"192.168.1.9\1"', text)
            nobody = nobody.replace("[ssh]\n", "[ssh]\nconnect_timeout = 1\n", 1)
            Path(path).write_text(nobody.replace('name = "k8s-api"', f'name = "{name}"'))

    def argv(self, *argv: str) -> list[str]:
        return ["nsenter", self.network, "--", *argv]

    def lbdeploy(self, files: Sequence[str], *words: str) -> Done:
        argv = self.argv(LBDEPLOY, "-f", *files, "--json", *words)
        env = {**os.environ, "LBDEPLOY_SUDO_PASSWORD": PASSWORD}
        run = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, env=env)
        assert "Traceback" not in run.stderr
        return Done(run.returncode, run.stdout, run.stderr)

    @contextmanager
    def running(self, *argv: str) -> Iterator[subprocess.Popen[str]]:
        """A program that goes on in the operator's network meanwhile."""
        with subprocess.Popen(self.argv(*argv), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def operator(pair: Lab, tmp_path: Path) -> Operator:
    return Operator(pair, tmp_path)


def test_a_cluster_that_is_not_there_stops_no_other(operator: Operator) -> None:
    """The pair is looked at beside it; the summary names the one that failed, and its exit code is the run's."""
    done = operator.lbdeploy([operator.gone, operator.good], "status")
    clusters = done.json["clusters"]
    assert (done.code, [(each["name"], each["exit_code"]) for each in clusters]) == (4, [("gone", 4), ("k8s-api", 0)])
    assert clusters[1]["vips"][0]["holders"] == ["lb1"]
    assert "1 of 2 clusters: looked at, 1 failed" in done.err
    assert "lb1: 192.168.1.91 can't be reached" in done.err


def test_a_canary_that_fails_stops_up(operator: Operator) -> None:
    """The pair is well, and the next one fails: the last one is not begun. The pair's document is whole."""
    done = operator.lbdeploy([operator.good, operator.gone, operator.away], "up", "--canary", "1", "--parallel", "1")
    assert [each["exit_code"] for each in done.json["clusters"]] == [0, 4, None]
    assert done.json["clusters"][0]["changes"] == []
    assert done.json["clusters"][0]["findings"]


@contextmanager
def workers(operator: Operator, folder: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Two workers of one scheduler, each with one thread, in the operator's network. The operator's way is recorded."""
    with ExitStack() as stack:
        quiet = ("--host", "127.0.0.1", "--no-dashboard")
        stack.enter_context(operator.running(DASK, "scheduler", *quiet, "--port", "8786"))
        stack.enter_context(operator.running(sys.executable, "-c", RECORDER, str(folder / "record")))
        one = (DASK, "worker", SCHEDULER, *quiet, "--no-nanny", "--nthreads", "1", "--local-directory", str(folder))
        started = [stack.enter_context(operator.running(*one)) for _ in range(2)]
        for process in started:
            assert process.stderr
            assert any("Registered to" in line for line in process.stderr), "the worker did not find the scheduler"
        yield started


def test_workers_of_a_scheduler_do_it_and_one_may_be_lost(operator: Operator, tmp_path: Path) -> None:
    """Events stream back; a lost worker's cluster is restarted by the other one; no password is on the wire."""
    words = ["verify", "--wait", "4", "-v", "--scheduler", RECORDED]
    env = {**os.environ, "LBDEPLOY_SUDO_PASSWORD": PASSWORD}
    argv = operator.argv(LBDEPLOY, "-f", operator.gone, operator.away, operator.good, "--json", *words)
    with (
        workers(operator, tmp_path) as (first, _),
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as run,
    ):
        assert run.stderr
        seen: list[str] = []
        while not {"gone: lb1: look\n", "away: lb1: look\n"} <= set(seen):  # one on each worker
            seen.append(run.stderr.readline())
            assert seen[-1], seen
        first.kill()
        out, err = run.communicate(timeout=60)
    err = "".join(seen) + err
    document = json.loads(out)
    assert "Traceback" not in err
    assert [(each["name"], each["exit_code"]) for each in document["clusters"]] == [
        ("gone", 4), ("away", 4), ("k8s-api", 0),
    ]  # fmt: skip
    assert run.returncode == document["exit_code"] == 4
    assert re.search(r"(gone|away): restarted by tcp://\S+, since tcp://\S+ was lost", err)
    record = (tmp_path / "record").read_bytes()
    assert b"[frontends.k8s-api]" in record  # it can be read, and has what travels
    assert PASSWORD.encode() not in record
    assert b"PRIVATE KEY" not in record


def of_worker(operator: Operator, processes: list[subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """The worker that is connected to nodes."""
    said = subprocess.run(operator.argv("ss", "-Htnp", "dport = :22"), check=True, capture_output=True, text=True)
    (found,) = (each for each in processes if f"pid={each.pid}," in said.stdout)
    return found


def test_a_worker_that_is_lost_in_a_change_costs_nobody_anything(pair: Lab, operator: Operator, tmp_path: Path) -> None:
    """`up` by workers: the node undoes or ends what was begun, the other worker waits for that, and plans anew."""
    good = Path(operator.good)
    good.write_text(good.read_text().replace('"roundrobin"', '"leastconn"'))
    argv = operator.argv(
        LBDEPLOY, "-f", operator.good, "-v", "--json", "up", "--parallel", "1", "--scheduler", SCHEDULER
    )
    with (
        workers(operator, tmp_path) as started,
        traffic(pair, *VIPS) as seen,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run,
    ):
        assert run.stderr
        heard: list[str] = []
        while not any("it stays only if all is well" in line for line in heard):
            heard.append(run.stderr.readline())
            assert heard[-1], heard
        of_worker(operator, started).kill()
        out, err = run.communicate(timeout=100)
        again = operator.lbdeploy([operator.good], "up", "--parallel", "1", "--scheduler", SCHEDULER)
    (document,) = json.loads(out)["clusters"]
    assert run.returncode == document["exit_code"] == 0, out + err
    assert re.search(r"restarted by tcp://\S+, since tcp://\S+ was lost", err)
    assert {each["name"] for each in document["changes"]} == {"/etc/haproxy/haproxy.cfg", "haproxy"}
    assert again.json["clusters"][0]["changes"] == []
    for node in ("lb1", "lb2"):
        assert "balance leastconn" in pair.on(node, "cat /etc/haproxy/haproxy.cfg")
    assert (seen["failures"], seen["late"], seen["broken"]) == ([], [], [])


def test_a_scheduler_that_is_not_there_is_named(operator: Operator) -> None:
    """Exit 4, and nothing was begun."""
    done = operator.lbdeploy([operator.good], "plan", "--scheduler", "tcp://127.0.0.1:8799")
    assert (done.code, done.json["error"]["type"], done.json["error"]["state"]) == (4, "Connect", "nothing was begun")
