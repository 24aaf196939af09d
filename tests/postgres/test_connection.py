"""What is arranged when a connection is opened, and for whom."""

import os
import socket

import psycopg
import pytest
from support.proxies import a_proxy
from support.service import Service, a_service

from postgate.config import Config
from postgate.executor.prologue import ENTER
from postgate.postgres.connection import SHARED, Backend, Connection, connect
from postgate.sql_files import read_sql

PLANS = ("enable_seqscan", "enable_hashjoin")


def settings(connection: psycopg.Connection[tuple[str]]) -> list[str]:
    return [connection.execute(f"SHOW {name}").fetchall()[0][0] for name in PLANS]


def opened(service: Service, key: str = SHARED) -> Connection:
    return connect(Backend(key, service.conninfo), Config(conninfo=service.conninfo, allow_dedicated_superuser=True))


def test_our_own_statements_are_planned_by_index(shared_service: Service) -> None:
    with opened(shared_service) as connection:
        assert settings(connection) == ["off", "off"]
        connection.execute(b"PREPARE enter (text, text, int, text, text) AS " + ENTER)
        connection.execute("SET plan_cache_mode = force_generic_plan")
        lines = [line for (line,) in connection.execute("EXPLAIN EXECUTE enter ('', '', 1, '', '')")]
        scans = [
            line.split(" on ")[1].split()[0] for line in lines if " on postgate_" in line or " on definitions" in line
        ]
        assert sorted(scans) == ["definitions", "definitions", "postgate_databases", "postgate_tokens"]
        assert not [line for line in lines if "Seq Scan" in line or "Hash" in line]


def test_sessions_of_others_stay_as_they_are(shared_service: Service) -> None:
    with opened(shared_service, "of a tenant") as dedicated:
        assert settings(dedicated) == ["on", "on"]
    # Behind a pooler the process is another one than the connection says.
    with psycopg.connect(shared_service.conninfo, autocommit=True) as pooled:
        before = pooled.execute("SHOW tcp_keepalives_idle").fetchall()
        psycopg.RawCursor(pooled).execute(read_sql("postgres", "settle_session"), [pooled.info.backend_pid + 1, True])
        assert settings(pooled) == ["on", "on"]
        assert pooled.execute("SHOW tcp_keepalives_idle").fetchall() == before


@pytest.mark.parametrize("key", [SHARED, "of a tenant"])
def test_both_ends_notice_that_the_network_is_cut(shared_service: Service, key: str) -> None:
    """Half a minute after it the server gives the locks of a transaction free."""
    with a_proxy(shared_service.conninfo) as proxy:
        config = Config(conninfo=proxy.conninfo, allow_dedicated_superuser=True)
        with connect(Backend(key, proxy.conninfo), config) as connection:
            end = socket.socket(fileno=os.dup(connection.fileno()))
            with end:
                assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                found = [
                    end.getsockopt(socket.IPPROTO_TCP, option)
                    for option in (
                        socket.TCP_KEEPIDLE,
                        socket.TCP_KEEPINTVL,
                        socket.TCP_KEEPCNT,
                        socket.TCP_USER_TIMEOUT,
                    )
                ]
            assert found == [15, 5, 3, 30_000]
            # The proxy may speak to the server through a Unix socket, for which the server shows zeros.
            set_here = "SELECT setting FROM pg_settings WHERE name = %s AND source = 'session'"
            for name in ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout"):
                assert connection.execute(set_here, [name]).fetchall(), name


@pytest.mark.parametrize("setting", ["on", "off"])
def test_a_tenants_statement_is_planned_as_the_server_is_set_up(conninfo: str, setting: str) -> None:
    explain = "EXPLAIN (COSTS OFF) SELECT count(*) FROM t JOIN t AS u USING (a)"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{connection.info.dbname}" SET enable_hashjoin = {setting}')
    with a_service(conninfo) as service, psycopg.connect(conninfo) as direct:
        tenant = service.tenant()
        table = "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 1000) AS i"
        assert service.query(table, token=tenant.token).status == 200
        service.execute(f"ANALYZE {tenant.schema}.t")
        direct.execute(f"SET search_path = {tenant.schema}")
        expected = [line for (line,) in direct.execute(explain)]
        assert any("Hash Join" in line for line in expected) == (setting == "on")
        assert [row["QUERY PLAN"] for row in service.query(explain, token=tenant.token).rows] == expected
