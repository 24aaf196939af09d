"""One parsed statement: its tree, indexed once, and what the rules find in it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NoReturn, TypeVar

from sqlglot import exp

from postgate.validator.facts import Facts, Refusal
from postgate.validator.reading.lexer import Token
from postgate.validator.reading.places import TextError

_Node = TypeVar("_Node", bound=exp.Expression)

_FACTS = tuple(fact.name for fact in fields(Facts))
_PLACED = (exp.Identifier, exp.Literal, exp.Placeholder)


class RuleError(TextError):
    """A rule refuses the statement."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The CTEs of one WITH as a node sees them.

    Attributes:
        names: each CTE's position in the WITH.
        end: CTEs from this position on are not seen.
        outer: the scope around it.
    """

    names: dict[str, int]
    end: int
    outer: "Scope | None"


class ParsedStatement:
    """The tree of one statement and the facts that the rules collect from it.

    Attributes:
        sql: the text.
        root: the tree.
        tokens: the lexer's tokens of the whole text.
        qualifiers: each schema that a relation, type or function is qualified with, and where.
        scopes: what CTEs each node sees, by the node's id.
    """

    def __init__(self, sql: str, root: exp.Expression, tokens: list[Token]) -> None:
        self.sql = sql
        self.root = root
        self.tokens = tokens
        # What `Facts` says of them; the rules fill them in.
        self.text = ""
        self.fingerprint = ""
        self.kind = ""
        self.operations: set[str] = set()
        self.relations: set[tuple[str | None, str]] = set()
        self.functions: set[tuple[str | None, str]] = set()
        self.own_functions: set[str] = set()
        self.qualifiers: dict[str, int | None] = {}
        self.advances_sequence = False
        self.reads_sequences = False
        self.needs_earlier: Refusal | None = None
        self.columns: set[tuple[str, str]] = set()
        self.placeholders = 0
        self.defines = ""
        self.fields: set[str] = set()
        self.listed: set[int] = set()
        self.untyped: set[int] = set()
        self.writes = False
        self.returns_rows = False
        self.scopes: dict[int, Scope | None] = {}
        self._nodes: dict[type[exp.Expression], list[exp.Expression]] = defaultdict(list)
        self._index()

    def _index(self) -> None:
        """Every node by its class, in the order of the text."""
        waiting: list[Any] = [self.root]
        while waiting:
            node = waiting.pop()
            self._nodes[type(node)].append(node)
            below: list[Any] = []
            for value in node.args.values():
                if type(value) is list:
                    below += value
                else:
                    below.append(value)
            waiting += [value for value in reversed(below) if isinstance(value, exp.Expression)]

    @property
    def node_types(self) -> set[type[exp.Expression]]:
        return set(self._nodes)

    def nodes(self, *types: type[_Node]) -> Iterator[_Node]:
        """Every node of exactly these classes."""
        for node_type in types:
            yield from self._nodes.get(node_type, ())  # type: ignore[misc]

    def qualify(self, schema: exp.Expression | str, node: exp.Expression) -> None:
        """Note that `node` is qualified with a schema, which must turn out to be the tenant's own."""
        name = schema if isinstance(schema, str) else schema.name
        # Where it stands is looked for once a name, and counted in lines only for a message: texts can be long.
        if name not in self.qualifiers:
            self.qualifiers[name] = _offset(node)

    def facts(self) -> Facts:
        """What the rules have found."""
        facts: dict[str, Any] = {name: getattr(self, name) for name in _FACTS}
        facts |= {name: frozenset(value) for name, value in facts.items() if type(value) is set}
        return Facts(**facts)

    def take_apart(self) -> None:
        """Let go of the tree node by node, when nobody needs it any more.

        A node and those below it know each other, so only the garbage collector would free them: all of a large tree at
        once, during which no other request of the process goes on.
        """
        for nodes in self._nodes.values():
            for node in nodes:
                node.args.clear()
                node.parent = None
        for nodes in self._nodes.values():
            while nodes:
                nodes.pop()
        while self.tokens:
            self.tokens.pop()

    def refuse(
        self, message: str, node: exp.Expression | None = None, reason: str = "construct_denied", hint: str = ""
    ) -> NoReturn:
        """Refuse the statement for a node of it."""
        raise self.error(message, node, reason, hint)

    def error(
        self, message: str, node: exp.Expression | None, reason: str = "construct_denied", hint: str = ""
    ) -> RuleError:
        """What `refuse` raises."""
        return RuleError(message, self.sql, None if node is None else _offset(node), reason, hint)


def _offset(node: exp.Expression) -> int | None:
    """Where a node stands, or None when no word of it is known."""
    placed_node = node if isinstance(node, _PLACED) else node.find(*_PLACED)
    return placed_node.args.get("pos") if placed_node is not None else None
