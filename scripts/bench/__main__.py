"""What a request costs, and beside what: `make bench` (some ten minutes), `make bench-quick` (one).

    python scripts/bench [--quick] [--conninfo CONNINFO] [--url URL --token TOKEN --body TEMPLATE]

Everything runs in turn on this machine: postgate under its own worker, under gthread and granian, pgbench and a loop of
psycopg on the same PostgreSQL, and any other HTTP service that takes SQL in a JSON body. Processor time is user and
system of the process trees before and after, divided by the requests; on a shared machine it holds within a tenth where
requests a second swing by half.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, stdev

import click
import load
import sides
from load import Measured, Target
from report import Line, table, write_json, write_svg
from scenarios import BATCHES, SCENARIOS, TEMPLATE, Scenario, bodies
from sides import OURS, Postgres, Tenant

from postgate import embedded
from postgate.metadata import migrate

OUT = sides.ROOT / "build" / "bench"
WATCHED, UNWATCHED = "postgate, log and metrics on", "postgate, log and metrics off"
POINT_READ = next(scenario for scenario in SCENARIOS if scenario.name == "point read")
CONNECTIONS = (1, 4, 64)
WORKERS = (1, 2, 4)
TENANTS = (10, 1_000, 10_000)


class Bench:
    """The measurements so far, and the bar that shows how many are to come."""

    def __init__(self, postgres: Postgres, seconds: float, count: int) -> None:
        self.postgres = postgres
        self.seconds = seconds
        self.lines: list[Line] = []
        self._bar = click.progressbar(
            length=count * 100, label="starting", file=sys.stderr, item_show_func=lambda what: what
        )
        self._bar.render_progress()
        self._done = 0

    def http(self, side: str, target: Target, scenario: Scenario, template: str = TEMPLATE, **varies: int) -> None:
        """Load an HTTP service; `varies` names a load that is not the usual one."""
        what = ", ".join(f"{number:,} {name}" for name, number in varies.items())
        connections = varies.get("connections", scenario.connections)
        if scenario.statements is None:
            target = target._replace(url=target.url.rpartition("/")[0] + "/health", token="")

        def progress(share: float) -> None:
            self._show(f"{scenario.name}, {side} {what}", share)

        measured = load.run(target, bodies(scenario, template), connections, self.seconds, progress)
        self.add(Line(side, scenario.name, measured, what))

    def in_turn(
        self, names: Sequence[str], targets: Sequence[Target], scenario: Scenario, rounds: int
    ) -> list[list[Measured]]:
        """Load several services of the same tables in turn; what each round has cost, for each of them."""

        def progress(share: float) -> None:
            self._show(f"{scenario.name}, {names[0]}", share)

        measured = load.run_in_turn(targets, bodies(scenario, TEMPLATE), scenario.connections, rounds, progress)
        for name, costs in zip(names, measured, strict=True):
            self.add(Line(name, scenario.name, load.together(costs)))
        return measured

    def add(self, line: Line) -> None:
        self.lines.append(line)
        self._done += 1
        self._show(f"{line.scenario}, {line.side}", 0.0)

    def _show(self, what: str, share: float) -> None:
        self._bar.label = f"{what:32.32}"
        self._bar.update(int(100 * (self._done + min(share, 1.0))) - self._bar.pos)

    def close(self) -> None:
        self._bar.update(self._bar.length - self._bar.pos if self._bar.length else 0)
        self._bar.render_finish()

    def measured(self, side: str, scenario: str = POINT_READ.name) -> Measured | None:
        return next(
            (one.measured for one in self.lines if (one.side, one.scenario, one.load) == (side, scenario, "")), None
        )


@click.command()
@click.option("--quick", is_flag=True, help="one minute: fewer sides, and each for three seconds")
@click.option("--conninfo", help="a PostgreSQL to use, as a superuser; by default an embedded one of its own")
@click.option("--url", help="another HTTP service to set beside it")
@click.option("--token", default="", help="its bearer token")
@click.option("--body", "template", default=TEMPLATE, show_default=True, help="its bodies, SQL and PARAMS replaced")
def main(quick: bool, conninfo: str | None, url: str | None, token: str, template: str) -> None:
    """Measure what a request costs, and print a table; build/bench gets JSON and an SVG."""
    with ExitStack() as stack:
        if conninfo is None:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postgate-bench-")))
            data.chmod(0o755)
            conninfo = stack.enter_context(embedded.running(data / "data"))
        migrate.upgrade(conninfo)
        postgres = Postgres.at(conninfo)
        others = [side for side in sides.SERVERS if side != OURS and sides.is_installed(side)][: 1 if quick else None]
        other = Target(url, token, None, None) if url else None
        scenarios = len(SCENARIOS) * (1 + (not quick) * len(others) + bool(other)) + quick * len(others)
        varied = 0 if quick else len(CONNECTIONS) + len(WORKERS) + len(TENANTS)
        bench = Bench(postgres, 3.0 if quick else 8.0, scenarios + len(BATCHES) + 5 + varied)
        facts = measure(bench, others, quick, (other, template) if other else None)
        bench.close()
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processors": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "postgresql": postgres.version,
        **facts,
        "ratios": dict(ratios(bench)),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    write_json(OUT / "bench.json", about, bench.lines)
    points = [line for line in bench.lines if line.scenario == POINT_READ.name and not line.load]
    write_svg(OUT / "bench.svg", "Processor time of a point read", points)
    click.echo(table(bench.lines))
    click.echo("\n" + "\n".join(f"{name}: {text}" for name, text in {**facts, **about["ratios"]}.items()))
    click.echo(f"\n{OUT / 'bench.json'}\n{OUT / 'bench.svg'}")


def measure(bench: Bench, others: list[str], quick: bool, other: tuple[Target, str] | None) -> dict[str, str]:
    """Run everything; what there is to say besides the measurements."""
    facts = {}
    tenant = sides.make_tenant(bench.postgres)
    with sides.serving(OURS, bench.postgres, tenant.token) as target:
        sides.make_tables(target, TEMPLATE)
        rest = sides.memory_mb(target)
        for scenario in (*SCENARIOS, *BATCHES):
            bench.http(OURS, target, scenario)
        facts["memory of a worker"] = f"{rest:.0f} MB at rest, {sides.memory_mb(target):.0f} MB after all scenarios"
    facts["log and metrics"] = watch(bench, tenant, 8 if quick else 60)
    for side in others:
        with sides.serving(side, bench.postgres, tenant.token) as target:
            for scenario in (POINT_READ,) if quick else SCENARIOS:
                bench.http(f"{OURS} on {side}", target, scenario)
    if other is not None:
        sides.make_tables(*other)
        for scenario in SCENARIOS:
            bench.http(str(other[0].url), other[0], scenario, other[1])
    for enters, name in ((True, "pgbench, our two statements"), (False, "pgbench, SELECT 1 before")):
        measured = sides.pgbench(bench.postgres, tenant, POINT_READ.connections, bench.seconds, enters=enters)
        bench.add(Line(name, POINT_READ.name, measured))
    bench.add(Line("psycopg in a loop", POINT_READ.name, sides.psycopg_loop(bench.postgres, tenant, bench.seconds)))
    if not quick:
        facts |= vary(bench, tenant)
    return facts


def watch(bench: Bench, tenant: Tenant, rounds: int) -> str:
    """What log and metrics cost a point read: with both on and with both off, in turn."""
    first, *rest = sorted(os.sched_getaffinity(0))
    watched = {"POSTGATE_LOG_FORMAT": "json", "POSTGATE_METRICS_PORT": str(sides.free_port())}
    with ExitStack() as stack:
        # Where both servers have a processor for themselves, two rounds differ half as much.
        with sides.on_processors([first]):
            targets = [
                stack.enter_context(sides.serving(OURS, bench.postgres, tenant.token, 1, **settings))
                for settings in (watched, {"POSTGATE_LOG_LEVEL": "critical"})
            ]
        with sides.on_processors(rest or [first]):
            on, off = bench.in_turn((WATCHED, UNWATCHED), targets, POINT_READ, rounds)
    costs = [(one.server_us or 0.0) - (other.server_us or 0.0) for one, other in zip(on, off, strict=True)]
    return f"{mean(costs):+.0f} us a point read in the server (standard error {stdev(costs) / rounds**0.5:.0f})"


def vary(bench: Bench, tenant: Tenant) -> dict[str, str]:
    """The point read under other numbers of connections, workers and tenants."""
    with sides.serving(OURS, bench.postgres, tenant.token) as target:
        for connections in CONNECTIONS:
            bench.http(OURS, target, POINT_READ, connections=connections)
    for workers in WORKERS:
        with sides.serving(OURS, bench.postgres, tenant.token, workers) as target:
            bench.http(OURS, target, POINT_READ, workers=workers)
    costs, made = [], 1
    for tenants in TENANTS:
        costs.append(f"{sides.make_tenants(bench.postgres, tenants - made):.1f} at {tenants:,}")
        made = tenants
        with sides.serving(OURS, bench.postgres, tenant.token) as target:
            bench.http(OURS, target, POINT_READ, tenants=tenants)
    return {"ms to make a tenant": ", ".join(costs)}


def ratios(bench: Bench) -> Iterator[tuple[str, str]]:
    """How a point read of ours compares with the rest, and a statement in a batch with one alone."""
    for batch, alone in ((BATCHES[0], "insert"), (BATCHES[1], POINT_READ.name)):
        together, single = bench.measured(OURS, batch.name), bench.measured(OURS, alone)
        if together and single:
            share = together.cpu_us / batch.batch
            yield batch.name, f"{share:.0f} us a statement, {share / single.cpu_us:.2f} of one alone"
    ours = bench.measured(OURS)
    if ours is None:
        return
    for line in bench.lines:
        if line.scenario == POINT_READ.name and not line.load and line.side != OURS:
            parts = [f"{ours.rate / line.measured.rate:.2f} of its requests a second"]
            if line.measured.server_us is not None:
                parts.append(f"{ours.cpu_us / line.measured.cpu_us:.2f} of its processor time")
            elif line.measured.postgres_us and ours.postgres_us:
                parts.append(f"{ours.postgres_us / line.measured.postgres_us:.2f} of PostgreSQL's time")
            yield f"beside {line.side}", ", ".join(parts)


if __name__ == "__main__":
    main()
