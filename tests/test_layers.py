"""Every import points downwards, so that each part can be read, tested and replaced without those above it."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import postgate

PACKAGE = Path(postgate.__file__).parent
GROUND = {"config", "conninfo", "errors", "operations", "remembered", "sql_files"}
STAGES = {"access", "validator", "executor", "results"}
# What each part may import, of ours. What is not named here is a part that nobody has thought about.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "operations": set(),
    "remembered": set(),
    "sql_files": set(),
    "conninfo": set(),
    "config": {"conninfo"},
    "observe": set(),
    "http": {"errors", "observe"},
    "postgres": GROUND | {"observe"},
    "validator": {"errors", "operations", "remembered"},
    "access": GROUND | {"observe", "postgres"},
    "results": GROUND | {"postgres"},
    "executor": GROUND | {"observe", "postgres", "access", "validator", "results"},
    "service": GROUND | STAGES | {"observe", "postgres"},
    "api": GROUND | STAGES | {"service", "observe", "http"},
    "app": GROUND | {"access", "api", "service", "http", "observe"},
    "embedded": {"config", "observe"},
    "metadata": GROUND | {"observe"},
    "server": {"access", "app", "config", "conninfo", "embedded", "metadata", "observe", "service"},
    "wsgi": {"app", "server"},
    "script": {"errors", "executor", "results", "service", "validator"},
    "cli": {"config", "conninfo", "embedded", "metadata", "operations", "results", "script", "server", "service"},
    "__main__": {"cli"},
    "__init__": set(),
}
FILES = sorted(path for path in PACKAGE.rglob("*.py"))
# Who may use a library that gives the code its shape.
ONLY = {
    "flask": {"api", "app"},
    "sqlglot": {"validator"},
    "gunicorn": {"server", "http"},
    "click": {"cli", "metadata"},
    "logging": {"observe"},
    "prometheus_client": {"observe", "server"},
    "opentelemetry": {"observe"},
}


def name_of(path: Path) -> str:
    return ".".join(("postgate", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def part_of(module: str) -> str:
    """The folder or module right below the package."""
    return module.split(".")[1] if "." in module else "__init__"


def imports(path: Path, only_at_run_time: bool = False) -> Iterator[str]:
    """The dotted name of each module that a file imports."""
    tree = ast.parse(path.read_text())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    if only_at_run_time:
        nodes = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            assert node.level == 0, f"{path}: a relative import hides where it leads"
            for alias in node.names:
                below = PACKAGE.parent / Path(*(node.module or "").split("."), alias.name)
                is_module = below.is_dir() or below.with_suffix(".py").is_file()
                yield f"{node.module}.{alias.name}" if is_module else node.module or ""


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_only_what_is_below_it(path: Path) -> None:
    part = part_of(name_of(path))
    for module in imports(path):
        library, *_ = module.split(".")
        if library == "postgate":
            assert part_of(module) in ALLOWED[part] | {part, "__init__"}, f"{name_of(path)} imports {module}"
        assert part in ONLY.get(library, {part}), f"{name_of(path)} imports {module}"


def test_the_validator_knows_of_sqlglot_no_more_than_nodes_and_the_dialect() -> None:
    used = {module for path in FILES for module in imports(path) if module.startswith("sqlglot")}
    assert used == {"sqlglot", "sqlglot.dialects.postgres"}


def test_there_is_no_cycle() -> None:
    graph = {name_of(path): set(imports(path, only_at_run_time=True)) for path in FILES}
    TopologicalSorter(graph).prepare()


def test_every_part_is_in_the_table() -> None:
    assert {part_of(name_of(path)) for path in FILES} == ALLOWED.keys()
