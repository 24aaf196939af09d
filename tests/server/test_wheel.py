"""The wheel alone, without the checkout: everything that it needs is in it."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import copy_of_the_checkout
from support.processes import environment, free_port, running
from support.service import Service

from postgate.metadata import migrate

SERVE = [sys.executable, "-m", "postgate", "serve"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what `pip install` makes of the wheel."""
    here = tmp_path_factory.mktemp("wheel")
    source = here / "source"
    source.mkdir()
    copy_of_the_checkout(source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", here]
    subprocess.run(build, cwd=source, check=True, capture_output=True, timeout=100)
    (wheel,) = here.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", here / "installed", wheel]
    subprocess.run(install, check=True, capture_output=True, timeout=100)
    return here / "installed"


def test_gunicorn_needs_the_wheel_alone(installed: Path, empty: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gunicorn", "-c", "python:postgate.server.conf", "postgate.wsgi:app"]
    with running(command, tmp_path, DATABASE_URL=empty, PYTHONPATH=str(installed), POSTGATE_WORKERS="2") as served:
        served.healthy()
        assert Service(served.port, empty).query("SELECT 1 AS a").rows == [{"a": 1}]
        assert served.stop() == 0
        assert served.said.count("Booting worker") == 2
        assert "none of postgate's settings" not in served.said


def test_plain_gunicorn_serves_and_says_what_is_missing(installed: Path, conninfo: str, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "-b", f"127.0.0.1:{port}", "postgate.wsgi:app"]
    with running(command, tmp_path, port, DATABASE_URL=conninfo, PYTHONPATH=str(installed)) as served:
        served.healthy()
        assert Service(port, conninfo).query("SELECT 1 AS a").rows == [{"a": 1}]
        served.wait_until("none of postgate's settings: .*-c python:postgate.server.conf")
        assert served.stop() == 0


def test_the_wheel_migrates_serves_and_goes_without_a_trace(installed: Path, empty: str, tmp_path: Path) -> None:
    imported = [sys.executable, "-c", "import postgate.server.gunicorn, postgate; print(postgate.__file__)"]
    loaded = subprocess.run(imported, cwd=tmp_path, env=environment(PYTHONPATH=str(installed)), stdout=subprocess.PIPE)
    assert loaded.stdout.decode().startswith(str(installed))
    with running(SERVE, tmp_path, DATABASE_URL=empty, PYTHONPATH=str(installed), POSTGATE_WORKERS="1") as served:
        served.healthy()
        assert migrate.current(empty) == migrate.head()
        service = Service(served.port, empty)
        assert service.query("SELECT id FROM create_tenant_database('x')").json["row_count"] == 1
        assert served.stop() == 0
    undo = [sys.executable, "-m", "postgate", "migrate", "--undo", "--yes"]
    settings = environment(DATABASE_URL=empty, PYTHONPATH=str(installed))
    subprocess.run(undo, cwd=tmp_path, env=settings, check=True, capture_output=True, timeout=60)
    assert migrate.current(empty) is None
