"""Every example of the documents for users is run, and prints what the document says."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.examples import Block, Shell, a_shell, blocks
from support.service import Service, Tenant

# How a program of each language is run.
RUN = {"python": [sys.executable], "js": ["node"], "go": ["go", "run"]}
SUFFIX = {"python": ".py", "js": ".mjs", "go": ".go"}
SHOWN = ("json", "text", "html")


def follow(shell: Shell, document: str) -> None:
    """What a reader does, block by block."""
    printed = ""
    for block in blocks(document):
        if block.language == "sh" and block.word == "server":
            shell.start(block.text)
        elif block.language == "sh":
            printed = shell.run(block.text)
        elif block.language in RUN:
            printed = _program(shell, block)
        else:
            assert block.language in SHOWN, block
            assert printed == shell.translated(block.text).rstrip("\n"), block.text


def _program(shell: Shell, block: Block) -> str:
    name = block.word or f"example{SUFFIX[block.language]}"
    (shell.directory / name).write_text(shell.translated(block.text))
    # One with a name of its own is started by a later block.
    return "" if block.word else shell.run(" ".join([*RUN[block.language], name]))


@pytest.mark.timeout(300)
def test_the_quickstart(shell: Shell) -> None:
    follow(shell, "docs/quickstart.md")


@pytest.mark.timeout(300)
def test_the_clients(shared_service: Service, tmp_path: Path) -> None:
    tenant: Tenant = shared_service.tenant()
    url = f"http://127.0.0.1:{shared_service.port}/query"
    with a_shell(tmp_path, POSTGATE_URL=url, POSTGATE_TOKEN=tenant.token) as shell:
        follow(shell, "docs/clients.md")


def test_the_readme(shell: Shell) -> None:
    steps = [block for block in blocks("README.md") if "create-db crm" in block.text and "gen-token" in block.text]
    assert len(steps) == 1
    shell.start("make run")
    assert shell.run(steps[0].text) == '{"rows":[],"row_count":0}'


def test_the_languages_are_here() -> None:
    """Nothing is left out for want of a tool."""
    tools = Path(sys.executable).parent
    for program in ("node", "go"):
        assert shutil.which(program, path=f"{tools}") is not None, program
    assert subprocess.check_output([tools / "go", "version"], text=True).startswith("go version")
