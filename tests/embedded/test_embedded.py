import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from support.paths import a_directory
from support.processes import execute

from postgate.embedded import EmbeddedError, cluster, running
from postgate.embedded.account import Account

USE = """
import sys, time
from pathlib import Path
from postgate.embedded import running
with running(Path(sys.argv[1]), durable=False):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def fresh() -> Iterator[Path]:
    """A data directory that does not exist yet, outside pytest's own, which root's PostgreSQL cannot reach."""
    with a_directory() as parent:
        yield parent / "data"


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data directory that was in use before; every test leaves it so."""
    with a_directory() as parent:
        with running(parent / "data", durable=False):
            pass
        yield parent / "data"


def ask(conninfo: str, query: str = "SELECT 1") -> object:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return None if row is None else row[0]


def user_of(data_dir: Path) -> subprocess.Popen[str]:
    """Another process that uses the directory until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE, data_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def is_running(data_dir: Path) -> bool:
    return (data_dir / "cluster" / "postmaster.pid").exists()


def test_the_server_runs_as_long_as_the_body(fresh: Path) -> None:
    with running(fresh, durable=False) as conninfo:
        assert ask(conninfo, "SELECT current_database() || ' ' || current_user") == "postgate postgate"
        assert ask(conninfo, "SHOW server_encoding") == "UTF8"
        assert ask(conninfo, "SELECT lower('ÀÉ')") == "àé"
        assert ask(conninfo, "SHOW listen_addresses") == ""
        assert stat.S_IMODE((fresh / "cluster").stat().st_mode) == 0o700
    assert not is_running(fresh)
    with pytest.raises(psycopg.OperationalError):
        ask(conninfo)


def test_the_data_are_there_the_next_time_and_are_durable(data_dir: Path) -> None:
    with running(data_dir) as conninfo:
        assert ask(conninfo, "SHOW fsync") == "on"
        ask(conninfo, "CREATE TABLE kept AS SELECT 42 AS n")
    with running(data_dir) as conninfo:
        assert ask(conninfo, "SELECT n FROM kept") == 42


@pytest.mark.parametrize(
    "name", ["a b", 'it\'s "100%"\\', "größe, x", "x" * 120], ids=["space", "quotes", "comma", "long"]
)
def test_any_path_will_do(fresh: Path, name: str) -> None:
    with running(fresh / name, durable=False) as conninfo:
        sockets = Path(str(psycopg.conninfo.conninfo_to_dict(conninfo)["host"]))
        assert ask(conninfo) == 1
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert sockets.exists() == (sockets == fresh / name / "cluster")


def test_a_relative_path_is_of_the_directory_at_the_start(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.mkdir()
    monkeypatch.chdir(fresh)
    with running(Path("here"), durable=False) as conninfo:
        monkeypatch.chdir(tmp_path)
        assert ask(conninfo) == 1
    assert (fresh / "here" / "cluster").is_dir()


def test_the_last_user_stops_it(data_dir: Path) -> None:
    with ExitStack() as first:
        first.enter_context(running(data_dir, durable=False))
        pid = postmaster(data_dir)
        with user_of(data_dir) as second:
            first.close()
            assert postmaster(data_dir) == pid
            with running(data_dir, durable=False) as conninfo:
                assert ask(conninfo) == 1
            assert postmaster(data_dir) == pid
            second.communicate()
            assert second.returncode == 0
    assert not is_running(data_dir)


def test_many_may_start_at_once(fresh: Path) -> None:
    command = [sys.executable, "-c", USE, str(fresh)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    results = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, results
    assert not is_running(fresh)


def test_an_orphan_is_joined_and_then_stopped(data_dir: Path) -> None:
    with user_of(data_dir) as owner:
        owner.kill()
    pid = postmaster(data_dir)
    with running(data_dir, durable=False) as conninfo:
        assert ask(conninfo, "SELECT 1") == 1
        assert postmaster(data_dir) == pid
    assert not is_running(data_dir)


def test_an_orphan_that_is_stopping_is_waited_for(data_dir: Path) -> None:
    with user_of(data_dir) as owner:
        owner.kill()
    os.kill(postmaster(data_dir), signal.SIGINT)
    with running(data_dir, durable=False) as conninfo:
        assert ask(conninfo) == 1


def test_a_killed_server_is_started_again(data_dir: Path) -> None:
    with running(data_dir, durable=False):
        os.kill(postmaster(data_dir), signal.SIGKILL)
    assert is_running(data_dir)
    with running(data_dir, durable=False) as conninfo:
        assert ask(conninfo) == 1


def test_a_stale_pid_file_may_name_a_stranger(data_dir: Path) -> None:
    with running(data_dir, durable=False):
        pid_file = data_dir / "cluster" / "postmaster.pid"
        socket_lock = data_dir / "cluster" / ".s.PGSQL.5432.lock"
        texts = {path: path.read_text() for path in (pid_file, socket_lock)}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        for path, text in texts.items():
            path.write_text("\n".join([str(stranger.pid), *text.splitlines()[1:], ""]))
        with running(data_dir, durable=False) as conninfo:
            assert ask(conninfo) == 1
        assert stranger.poll() is None
        stranger.communicate()


def test_an_interrupted_first_start_is_made_good(fresh: Path) -> None:
    (fresh / "cluster.new" / "base").mkdir(parents=True)
    with running(fresh, durable=False) as conninfo:
        assert ask(conninfo) == 1


def test_a_failure_to_start_says_what_the_server_said(data_dir: Path) -> None:
    conf = data_dir / "cluster" / "postgresql.conf"
    good = conf.read_text()
    conf.write_text(f"{good}no_such_setting = 1\n")
    with pytest.raises(EmbeddedError, match="no_such_setting"), running(data_dir, durable=False):
        pytest.fail("it started")
    assert not is_running(data_dir)
    conf.write_text(good)


def test_a_cluster_of_another_version_is_refused(fresh: Path) -> None:
    (fresh / "cluster").mkdir(parents=True)
    (fresh / "cluster" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match="PostgreSQL 16, not 18"), running(fresh):
        pytest.fail("it started")


def test_a_file_in_the_place_of_the_directory_is_refused(fresh: Path) -> None:
    fresh.write_text("")
    with pytest.raises(EmbeddedError, match="cannot use the data directory"), running(fresh):
        pytest.fail("it started")


def test_a_directory_that_is_not_ours_alone_keeps_its_owner_and_files(fresh: Path) -> None:
    fresh.mkdir(mode=0o755)
    (fresh / "other").write_text("kept")
    before = fresh.stat()
    with running(fresh, durable=False) as conninfo:
        assert ask(conninfo) == 1
    assert (fresh / "other").read_text() == "kept"
    assert (fresh.stat().st_uid, fresh.stat().st_mode) == (before.st_uid, before.st_mode)


def test_a_missing_package_is_named(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedError, match=r"postgate\[embedded\]"), running(fresh):
        pytest.fail("it started")


def test_the_terminals_interrupt_does_not_reach_it(data_dir: Path) -> None:
    with running(data_dir, durable=False):
        assert os.getsid(postmaster(data_dir)) == postmaster(data_dir)


def test_an_interrupt_in_the_body_stops_it(data_dir: Path) -> None:
    with pytest.raises(KeyboardInterrupt), running(data_dir, durable=False):
        raise KeyboardInterrupt
    assert not is_running(data_dir)


INTERRUPTED = """
import os, signal, sys, threading, time
from pathlib import Path
from postgate.embedded import running
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt_soon(line):
    if "Starting" in line:
        threading.Timer(float(sys.argv[2]), os.kill, [os.getpid(), signal.SIGINT]).start()
try:
    with running(Path(sys.argv[1]), durable=False, report=interrupt_soon):
        time.sleep(2)
except KeyboardInterrupt:
    sys.exit(3)
"""


@pytest.fixture(scope="module", params=["with its socket in the cluster", "with, a socket elsewhere"])
def used(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A data directory that was in use before; libpq takes no path with a comma."""
    with a_directory() as parent:
        with running(parent / request.param, durable=False):
            pass
        yield parent / request.param


def test_an_interrupt_while_it_is_asked_leaves_no_words(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The question is under way on the connection, on which nothing else can be said then."""

    def interrupt(connection: psycopg.Connection, *_: object) -> None:
        connection.pgconn.send_query(b"SELECT pg_sleep(5)")
        raise KeyboardInterrupt

    monkeypatch.setattr(psycopg.Connection, "execute", interrupt)
    with a_directory() as directory, pytest.raises(KeyboardInterrupt), running(directory, durable=False):
        pass
    assert caplog.messages == []


@pytest.mark.parametrize("after_ms", [0.1, 2, 5, 10, 15, 20, 25, 30, 40, 60, 90])
def test_an_interrupt_in_its_start_leaves_nothing_behind(used: Path, after_ms: float) -> None:
    """The moments before the server has its lock file, while it fills it, and before it answers: it is stopped, and
    nothing of others goes, least of all what stands in the working directory."""
    with a_directory() as parent:
        work, temporary = parent / "work", parent / "temporary"
        for directory in (work, temporary):
            directory.mkdir()
            directory.chmod(0o777)
        (work / "kept").write_text("of somebody else")
        command = [sys.executable, "-c", INTERRUPTED, str(used), str(after_ms / 1000)]
        done = execute(command, work, TMPDIR=str(temporary))
        assert (done.returncode, done.stderr) == (3, "")
        # A process that was just made may not say yet where it works.
        time.sleep(0.2)
        assert processes_in(used) == []
        assert not is_running(used)
        assert [path.name for path in work.iterdir()] == ["kept"]
        assert list(temporary.iterdir()) == []


def processes_in(data_dir: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if data_dir in Path(process.cwd()).parents and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def test_a_forked_worker_that_leaves_the_body_does_not_stop_it(data_dir: Path) -> None:
    code = """
import os, sys
from pathlib import Path
import psycopg
from postgate.embedded import running
with running(Path(sys.argv[1]), durable=False) as conninfo:
    worker = os.fork()
    if worker == 0:
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == 7
    psycopg.connect(conninfo).close()
"""
    done = subprocess.run([sys.executable, "-c", code, data_dir], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not is_running(data_dir)


def test_settings_of_another_server_do_not_reach_it(data_dir: Path) -> None:
    environment = os.environ | {"PGDATA": "/nowhere", "PGPORT": "1", "PGUSER": "x", "PGHOST": "/x", "LC_ALL": "xx_XX"}
    command = [sys.executable, "-c", USE, data_dir]
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run it as another")
@pytest.mark.parametrize("exists", [True, False])
def test_as_root_a_private_directory_stays_private(fresh: Path, exists: bool) -> None:
    private = fresh / "private"
    private.mkdir(parents=True, mode=0o700)
    data_dir = private if exists else private / "a" / "data"
    with pytest.raises(EmbeddedError) as raised, running(data_dir, durable=False):
        pass
    assert f"cannot pass {private}: " in str(raised.value)
    for choice in ("as another user", "POSTGATE_DATA_DIR", f"`chmod o+x {private}`", "DATABASE_URL"):
        assert choice in str(raised.value)
    assert (stat.S_IMODE(private.stat().st_mode), list(private.iterdir())) == (0o700, [])
    # What the message says helps.
    private.chmod(0o701)
    with running(data_dir, durable=False) as conninfo:
        assert ask(conninfo) == 1
        assert (data_dir / "cluster").stat().st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_as_root_the_owner_of_the_data_goes_on_owning_them(fresh: Path) -> None:
    fresh.mkdir()
    os.chown(fresh, 12345, 12345)
    assert Account.for_files_of(fresh).uid == 12345


def test_leaving_waits_until_it_is_gone(data_dir: Path) -> None:
    with running(data_dir, durable=False):
        pid = postmaster(data_dir)
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        time.sleep(0.1)
        pytest.fail("it still runs")


def test_a_statement_that_wants_too_much_memory_fails_alone(data_dir: Path) -> None:
    gigabyte = 2**30
    with running(data_dir, durable=False, memory_bytes=gigabyte) as conninfo:
        with psycopg.connect(conninfo, autocommit=True) as other, psycopg.connect(conninfo) as connection:
            for wants in (
                "SELECT length(string_agg(repeat('x', 1000000), '')) FROM generate_series(1, 900)",
                "SELECT cardinality(array_agg(repeat('x', 1000))) FROM generate_series(1, 2000000)",
            ):
                with pytest.raises(psycopg.errors.OutOfMemory):
                    connection.execute(wants.encode())
                connection.rollback()
            assert other.execute("SELECT 1").fetchone() == (1,)
        server = cluster.Cluster(data_dir, durable=False).postmaster()
        assert f"Max address space {gigabyte}" in " ".join(Path(f"/proc/{server}/limits").read_text().split())
