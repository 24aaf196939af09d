"""Write the lists of built-in functions that the validator loads, from running servers of every supported version.

Usage: python scripts/generate_functions.py CONNINFO...

`functions.txt` has the allowed names: each overload on each server is documented and harmless, it computes from its
arguments, runs nothing, and neither reads nor changes anything but what the statement names. `refused_functions.txt`
has the harmful names that a statement could call and that do not begin with pg_. `field_functions.txt` has
all others that x.f could call. Review the difference of the files name by name: each name of the first is a permission.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

import psycopg

TARGET = Path(__file__).parent.parent / "postgate" / "validator" / "lists"

QUERY = """
    SELECT proname, provolatile, coalesce(obj_description(oid, 'pg_proc'), ''), ARRAY(
        SELECT DISTINCT type::regtype::text
        FROM unnest(proargtypes::oid[] || prorettype || coalesce(proallargtypes, '{}')) type),
        prokind = 'f' AND pronargs >= 1 AND pronargs - pronargdefaults <= 1
            AND proargtypes[0] <> 'internal'::regtype
    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
"""

# Whatever else holds, names of these patterns are refused.
REFUSED_NAMES = (
    ("pg_.*", "the catalog, files, sessions, locks, statistics and settings of the server"),
    ("binary_upgrade_.*", "what pg_upgrade changes"),
    ("lo_.*|loread|lowrite", "large objects belong to no schema"),
    (".*_to_xml(schema|_and_xmlschema)?", "run text as SQL, or read a relation, schema or database by name"),
    ("ts_rewrite|ts_stat", "run text as SQL"),
    ("ts_debug|ts_lexize|ts_parse|ts_token_type", "reach dictionaries and parsers by name"),
    ("to_reg.*|format_type|oidvectortypes|(col|obj|shobj)_description", "read the catalog"),
    ("has_.*_privilege|row_security_active|makeaclitem|acl.*", "read the privileges of others"),
    ("txid_.*|mxid_age", "the transactions of others"),
    ("inet_(client|server)_.*", "the gateway's connection"),
    ("current_query|current_setting|set_config|setseed", "state of a session that tenants share"),
    ("getpgusername|session_user|system_user", "the gateway's login"),
    ("current_user", "has a syntax of its own; as a function it is only written in quotes"),
    ("dblink.*", "connects to servers"),
    ("(brin|gin|gist|spg)_.*|currtid.*|amvalidate|satisfies_hash_partition|.*_validator", "of the server's inside"),
)

# Every overload must be without these, among its arguments, its result and the columns of its result.
INSIDE_TYPES = (("cstring(\\[\\])?|internal", "not for SQL: input, output and support functions"),)
REFUSED_TYPES = (
    ("trigger|event_trigger|.*_handler|void", "called for what it does, not for its result"),
    ("oid|oidvector|int2vector|reg.*", "name an object of the catalog, whosever it is"),
    ("aclitem(\\[\\])?|refcursor|gtsvector|unknown", "hold privileges, or reach objects by name"),
    ("pg_.*|txid_snapshot|xid|cid", "the server's own state"),
)

# The catalog describes with these what implements operators, indexes, aggregates: the manual has no such function.
UNDOCUMENTED = (
    "",
    "implementation of .*",
    "I/O.*",
    "hash( a .*range)?",
    "(less-equal-greater|larger of two|smaller of two)( .*)?",
    "aggregate (transition|final|combine|serial|deserial).*|range aggregate by .*",
    "equal image|.*sort support.*|.* support|convert an? .* range to canonical form|float8 difference of two .*",
    r"\(internal\).*",
)

# Names that the rules above refuse for one overload or by a wide pattern, and that are harmless.
ALLOWED_NAMES = {
    "age": "of dates; age(xid) tells how old a given transaction number is",
    "max": "also of oid, xid8 and pg_lsn values",
    "min": "as max",
    "int8": "a conversion, also from oid",
    "oid": "a conversion of a number",
    "xid": "a conversion of a number",
    "array_cat": "implements an operator and is documented",
    "starts_with": "as array_cat",
    "range_intersect_agg": "an aggregate; its description is that of its transition function",
    "jsonb_contained": "for drivers that take the ? of an operator for a placeholder",
    "jsonb_contains": "as jsonb_contained",
    "jsonb_exists": "as jsonb_contained",
    "jsonb_exists_all": "as jsonb_contained",
    "jsonb_exists_any": "as jsonb_contained",
    "jsonb_concat": "computes",
    "hashtext": "spreads keys over shards, though undocumented",
    "hashtextextended": "as hashtext",
    "pg_client_encoding": "always UTF8",
    "pg_collation_for": "of its argument",
    "pg_column_size": "of its argument",
    "pg_get_serial_sequence": "the relation is a literal and judged as a name",
    "pg_size_bytes": "computes",
    "pg_size_pretty": "computes",
    "pg_typeof": "of its argument",
    "currval": "the relation is a literal and judged as a name",
    "lastval": "only where the batch has drawn; it asks for a privilege on the sequence",
    "nextval": "as currval",
    "setval": "as currval",
    "json_to_tsvector": "a text search configuration has no data",
    "jsonb_to_tsvector": "as json_to_tsvector",
    "phraseto_tsquery": "as json_to_tsvector",
    "plainto_tsquery": "as json_to_tsvector",
    "to_tsquery": "as json_to_tsvector",
    "to_tsvector": "as json_to_tsvector",
    "ts_headline": "as json_to_tsvector",
    "websearch_to_tsquery": "as json_to_tsvector",
}

# A volatile function changes something or tells of others, save these.
ALLOWED_VOLATILE = frozenset(
    "array_sample array_shuffle clock_timestamp gen_random_uuid random random_normal timeofday uuidv4 uuidv7".split()
)


Overload = tuple[str, str, list[str], bool]  # volatility, description, types, whether one argument is enough


def main(conninfos: list[str]) -> None:
    functions: dict[str, list[Overload]] = defaultdict(list)
    for conninfo in conninfos:
        with psycopg.connect(conninfo) as connection:
            for name, *overload in connection.execute(QUERY):
                functions[name].append(tuple(overload))
    write("functions.txt", {name for name, overloads in functions.items() if is_allowed(name, overloads)})
    write("refused_functions.txt", {name for name, overloads in functions.items() if is_listed(name, overloads)})
    write("field_functions.txt", {name for name, overloads in functions.items() if is_hidden(name, overloads)})


def is_allowed(name: str, overloads: list[Overload]) -> bool:
    return name in ALLOWED_NAMES or (
        not any(is_inside(overload) or is_harmful(name, overload) for overload in overloads)
        and any(is_documented(description) for _, description, _, _ in overloads)
    )


def is_listed(name: str, overloads: list[Overload]) -> bool:
    return (
        name not in ALLOWED_NAMES
        and not name.startswith("pg_")
        and any(is_harmful(name, overload) and not is_inside(overload) for overload in overloads)
    )


def is_hidden(name: str, overloads: list[Overload]) -> bool:
    return (
        not is_allowed(name, overloads)
        and not is_listed(name, overloads)
        and not name.startswith("pg_")
        and any(unary for _, _, _, unary in overloads)
    )


def is_harmful(name: str, overload: Overload) -> bool:
    volatility, _, types, _ = overload
    return (
        (volatility == "v" and name not in ALLOWED_VOLATILE)
        or matches(REFUSED_NAMES, name)
        or any(matches(REFUSED_TYPES, type_) for type_ in types)
    )


def is_inside(overload: Overload) -> bool:
    return any(matches(INSIDE_TYPES, type_) for type_ in overload[2])


def is_documented(description: str) -> bool:
    return not any(re.fullmatch(pattern, description) for pattern in UNDOCUMENTED)


def matches(rules: tuple[tuple[str, str], ...], text: str) -> bool:
    return any(re.fullmatch(pattern, text) for pattern, _ in rules)


def write(file: str, names: set[str]) -> None:
    (TARGET / file).write_text("".join(f"{name}\n" for name in sorted(names)))
    print(f"{file}: {len(names)} names")


if __name__ == "__main__":
    main(sys.argv[1:])
