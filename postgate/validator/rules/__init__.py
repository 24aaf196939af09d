"""The rules, in the order in which they run; each takes a `ParsedStatement`, collects facts and raises `RuleError`."""

from collections.abc import Callable

from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.accounting import account_for_text
from postgate.validator.rules.bounds import judge_bounds
from postgate.validator.rules.calls import judge_calls
from postgate.validator.rules.definitions import judge_definitions
from postgate.validator.rules.existing_rows import collect_row_operations
from postgate.validator.rules.nodes import judge_nodes
from postgate.validator.rules.operations import collect_operations
from postgate.validator.rules.placeholders import collect_placeholders
from postgate.validator.rules.references import judge_references
from postgate.validator.rules.relations import judge_relations
from postgate.validator.rules.system_columns import judge_system_columns
from postgate.validator.rules.types import judge_types

Rule = Callable[[ParsedStatement], None]

RULES: tuple[Rule, ...] = (
    judge_nodes,
    collect_operations,
    collect_row_operations,
    judge_relations,
    judge_bounds,
    judge_calls,
    judge_types,
    judge_references,
    judge_system_columns,
    judge_definitions,
    collect_placeholders,
    account_for_text,
)
