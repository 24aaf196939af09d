"""A PostgreSQL that takes no changes: the service waits for one that does, or serves those who only read."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from support.paths import a_directory
from support.processes import running
from support.service import Service, a_service

from postgate.embedded.cluster import Cluster
from postgate.metadata import migrate

SERVE = [sys.executable, "-m", "postgate", "serve"]


class Standby:
    """A copy of a cluster, which waits for a primary that there is none of."""

    def __init__(self, cluster: Cluster, reader: str, writer: str) -> None:
        self.cluster = cluster
        self.conninfo = cluster.conninfo("postgate")
        self.reader = reader
        self.writer = writer

    def promote(self) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)


@pytest.fixture
def standby() -> Iterator[Standby]:
    with a_directory() as directory:
        primary = Cluster(directory / "primary", durable=False)
        copy = Cluster(directory / "copy", durable=False)
        try:
            primary.start()
            migrate.upgrade(primary.conninfo("postgate"))
            with a_service(primary.conninfo("postgate")) as service:
                tenant = service.tenant()
                service.query("CREATE TABLE t AS SELECT 1 AS a", token=tenant.token)
                reader = service.token(UUID(tenant.id), "reader", ("SELECT",))
            primary.stop()
            shutil.rmtree(copy.cluster, ignore_errors=True)
            shutil.copytree(primary.cluster, copy.cluster)
            (copy.cluster / "standby.signal").touch()
            for path in (copy.cluster, *copy.cluster.rglob("*")):
                copy.account.own(path)
            copy.start()
            yield Standby(copy, reader, tenant.token)
        finally:
            primary.stop()
            copy.stop()


def test_the_service_waits_until_it_is_promoted(standby: Standby, tmp_path: Path) -> None:
    with running(SERVE, tmp_path, DATABASE_URL=standby.conninfo) as served:
        served.wait_until("waiting for PostgreSQL: .*it is a standby")
        standby.promote()
        served.healthy()
        service = Service(served.port, standby.conninfo)
        assert service.query("INSERT INTO t VALUES (2)", token=standby.writer).status == 200


def test_who_only_reads_is_served_where_that_is_allowed(standby: Standby, tmp_path: Path) -> None:
    with running(SERVE, tmp_path, DATABASE_URL=standby.conninfo, POSTGATE_ALLOW_STANDBY="true") as served:
        served.healthy()
        service = Service.__new__(Service)
        service.port = served.port
        for token in (standby.reader, standby.writer):
            assert service.query("SELECT a FROM t", token=token).rows == [{"a": 1}]
        for sql in ("INSERT INTO t VALUES (2)", "CREATE TABLE u (a int)"):
            answer = service.query(sql, token=standby.writer)
            assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "UNAVAILABLE", "1"), answer.text
            assert "takes no changes" in answer.text
        assert service.query("SELECT 1", token="pg_" + "0" * 64).status == 401
        standby.promote()
        assert service.query("INSERT INTO t VALUES (2)", token=standby.writer).status == 200
        assert "Traceback" not in served.said and "INTERNAL" not in served.said
