"""What is measured of fleets: how many clusters a second, what that costs each side, and whether it is linear."""

from __future__ import annotations

from collections.abc import Iterator

from measure import progress
from pair import Pair
from rivals import environment
from sites import SCHEDULER, Cost, Fleet, cpu_of, peak_of

ROUNDS = 3
CLUSTERS = 100
A_SECOND, MEGABYTES, LINEAR = 5.0, 250.0, 1.2
OPERATOR, FLOOR = 3.0, 1.3

Cells = tuple[str, str, str, str, str, bool | None]  # of bench.Row


def fleets(pair: Pair, *, rivals: bool) -> Iterator[Cells]:
    """The rows of the table."""
    fleet = Fleet(pair)
    fleet.plan(10)  # does not count
    costs = sorted((fleet.plan(CLUSTERS) for _ in range(ROUNDS)), key=lambda cost: cost.seconds)
    quarter = sorted((fleet.plan(CLUSTERS // 4) for _ in range(ROUNDS)), key=lambda cost: cost.seconds)
    median, less = costs[ROUNDS // 2], quarter[ROUNDS // 2]
    progress(".")
    rate = CLUSTERS / median.seconds
    name = f"`plan` of {CLUSTERS} clusters with 2 nodes each"
    yield name, f"{median.seconds:.1f} s", "", f"{rate:.1f} a second", f">= {A_SECOND:g} a second", rate >= A_SECOND
    own = min(cost.cpu for cost in costs)
    each = f"{_all(median) / CLUSTERS:.2f} s a cluster"
    yield "· CPU of that", _cpu(median), each, f"operator {own:.1f} s", f"<= {OPERATOR:g} s", own <= OPERATOR
    floor = sorted((fleet.ssh(CLUSTERS) for _ in range(ROUNDS)), key=lambda cost: cost.seconds)[ROUNDS // 2]
    beside, over = f"`ssh NODE true` on all: {floor.seconds:.1f} s", median.seconds / floor.seconds
    yield f"· beside OpenSSH: {_cpu(floor)}", f"{median.seconds:.1f} s", beside, f"{over:.2f} x", *_limit(over, FLOOR)
    most = max(cost.memory for cost in costs)
    yield "· peak memory", f"{most:.0f} MB", "", f"{most:.0f} MB", f"< {MEGABYTES:g} MB", most < MEGABYTES
    ratio = median.seconds / less.seconds / 4
    beside = f"{CLUSTERS // 4} clusters {less.seconds:.1f} s"
    yield "· time a cluster", f"{median.seconds:.1f} s", beside, f"{ratio:.2f} x", f"<= {LINEAR:g} x", ratio <= LINEAR
    yield from _through_dask(fleet)
    if rivals:
        cost = fleet.cost(fleet.pyinfra(environment() / "bin" / "pyinfra"))
        yield f"· pyinfra --dry: {_cpu(cost)}", f"{cost.seconds:.1f} s", *_beside(cost, median), "", None


def _through_dask(fleet: Fleet) -> Iterator[Cells]:
    with fleet.workers() as processes:
        fleet.plan(10, "--scheduler", SCHEDULER)  # imports what it takes
        before = [cpu_of(each) for each in processes]
        cost = fleet.plan(CLUSTERS, "--scheduler", SCHEDULER)
        scheduler, *workers = (cpu_of(each) - was for each, was in zip(processes, before, strict=True))
        memory = [cost.memory, *map(peak_of, processes)]
    shares = " + ".join(f"{each:.1f}" for each in workers)
    rate, most = CLUSTERS / cost.seconds, max(memory)
    what = f"· through Dask, 2 workers: {_cpu(cost)}, scheduler {scheduler:.1f} s, workers {shares} s"
    yield what, f"{cost.seconds:.1f} s", "", f"{rate:.1f} a second", f">= {A_SECOND:g} a second", rate >= A_SECOND
    each = "operator {:.0f}, scheduler {:.0f}, workers {:.0f} and {:.0f} MB".format(*memory)
    yield (
        f"· peak memory of that: {each}",
        f"{most:.0f} MB",
        "",
        f"{most:.0f} MB",
        f"< {MEGABYTES:g} MB",
        most < MEGABYTES,
    )


def _cpu(cost: Cost) -> str:
    return f"operator {cost.cpu:.1f} s, nodes {cost.nodes_cpu:.1f} s"


def _limit(ratio: float, target: float) -> tuple[str, bool]:
    return f"<= {target:g} x", ratio <= target


def _all(cost: Cost) -> float:
    return cost.cpu + cost.nodes_cpu


def _beside(cost: Cost, ours: Cost) -> tuple[str, str]:
    return f"lbdeploy {ours.seconds:.1f} s", f"{cost.seconds / ours.seconds:.1f} x"
