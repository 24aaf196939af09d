"""The words that begin an operand with a syntax of its own (gram.y, c_expr and func_expr_common_subexpr)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from postgate.validator.grammar.statements import Grammar

# None when the word turns out to be a name there.
KEYWORD_OPERANDS: Mapping[str, Callable[[Grammar], exp.Expression | None]] = {
    "array": lambda grammar: grammar.functions.array(),
    "case": lambda grammar: grammar.functions.case(),
    "cast": lambda grammar: grammar.functions.cast(),
    "coalesce": lambda grammar: grammar.functions.plain_call(),
    "collation": lambda grammar: grammar.functions.collation_for(),
    "current_catalog": lambda grammar: grammar.functions.value_function(),
    "current_date": lambda grammar: grammar.functions.value_function(),
    "current_role": lambda grammar: grammar.functions.value_function(),
    "current_schema": lambda grammar: grammar.functions.value_function(),
    "current_time": lambda grammar: grammar.functions.value_function(),
    "current_timestamp": lambda grammar: grammar.functions.value_function(),
    "current_user": lambda grammar: grammar.functions.value_function(),
    "exists": lambda grammar: grammar.functions.exists(),
    "extract": lambda grammar: grammar.functions.extract(),
    "false": lambda grammar: grammar.functions.boolean(),
    "greatest": lambda grammar: grammar.functions.plain_call(),
    "grouping": lambda grammar: grammar.functions.plain_call(),
    "json": lambda grammar: grammar.json.json_constructor(),
    "json_array": lambda grammar: grammar.json.json_array(),
    "json_arrayagg": lambda grammar: grammar.json.json_arrayagg(),
    "json_exists": lambda grammar: grammar.json.json_query_function(),
    "json_object": lambda grammar: grammar.json.json_object(),
    "json_objectagg": lambda grammar: grammar.json.json_objectagg(),
    "json_query": lambda grammar: grammar.json.json_query_function(),
    "json_scalar": lambda grammar: grammar.json.json_scalar(),
    "json_serialize": lambda grammar: grammar.json.json_serialize(),
    "json_value": lambda grammar: grammar.json.json_query_function(),
    "least": lambda grammar: grammar.functions.plain_call(),
    "localtime": lambda grammar: grammar.functions.value_function(),
    "localtimestamp": lambda grammar: grammar.functions.value_function(),
    "merge_action": lambda grammar: grammar.functions.plain_call(),
    "normalize": lambda grammar: grammar.functions.normalize(),
    "null": lambda grammar: grammar.functions.null(),
    "nullif": lambda grammar: grammar.functions.plain_call(),
    "overlay": lambda grammar: grammar.functions.overlay(),
    "position": lambda grammar: grammar.functions.position(),
    "row": lambda grammar: grammar.functions.row_operand(),
    "session_user": lambda grammar: grammar.functions.value_function(),
    "substring": lambda grammar: grammar.functions.substring(),
    "system_user": lambda grammar: grammar.functions.value_function(),
    "treat": lambda grammar: grammar.functions.refused_call(),
    "trim": lambda grammar: grammar.functions.trim(),
    "true": lambda grammar: grammar.functions.boolean(),
    "unique": lambda grammar: grammar.functions.refused_call(),
    "user": lambda grammar: grammar.functions.value_function(),
    "xmlconcat": lambda grammar: grammar.functions.plain_call(),
    "xmlelement": lambda grammar: grammar.xml.xmlelement(),
    "xmlexists": lambda grammar: grammar.xml.xmlexists(),
    "xmlforest": lambda grammar: grammar.xml.xmlforest(),
    "xmlparse": lambda grammar: grammar.xml.xmlparse(),
    "xmlpi": lambda grammar: grammar.xml.xmlpi(),
    "xmlroot": lambda grammar: grammar.xml.xmlroot(),
    "xmlserialize": lambda grammar: grammar.xml.xmlserialize(),
}
