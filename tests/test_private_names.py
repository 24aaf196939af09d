"""What a library keeps to itself may change with any release: nothing of ours touches it."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import postgate

PACKAGE = Path(postgate.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
_PRIVATE = re.compile(r"_[^_]\w*")


def private(name: str) -> bool:
    return _PRIVATE.fullmatch(name) is not None


def our_classes() -> Iterator[type]:
    for path in FILES:
        module_name = ".".join(("postgate", *path.relative_to(PACKAGE).with_suffix("").parts))
        if module_name.endswith("__main__") or module_name in ("postgate.wsgi",):
            continue
        module = importlib.import_module(module_name.removesuffix(".__init__"))
        yield from (
            value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_names_no_private_part_of_a_library(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and private(node.attr):
            owner = node.value
            assert isinstance(owner, ast.Name) and owner.id in ("self", "cls"), ast.unparse(node)
        if isinstance(node, ast.ImportFrom):
            assert not any(map(private, (node.module or "").split("."))), ast.unparse(node)
            assert not any(private(alias.name) for alias in node.names), ast.unparse(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
            name = node.args[1]
            assert not (isinstance(name, ast.Constant) and private(str(name.value))), ast.unparse(node)


def test_no_class_of_ours_shares_a_private_name_with_a_librarys() -> None:
    for ours in our_classes():
        names = set(re.findall(r"\bself\.(_[^_]\w*)", inspect.getsource(ours)))
        for base in ours.__mro__:
            if base.__module__.startswith("postgate") or base.__module__ in ("builtins", "typing", "enum"):
                continue
            try:
                source = inspect.getsource(base)
            except (OSError, TypeError):
                continue
            theirs = set(re.findall(r"\bself\.(_[^_]\w*)", source)) | set(filter(private, vars(base)))
            assert not names & theirs, f"{ours} and {base}: {names & theirs}"
