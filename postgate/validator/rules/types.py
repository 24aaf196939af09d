"""Which types a statement names: ordinary built-in ones, and the tenant's own."""

from sqlglot import exp

from postgate.validator.lists.functions import SEARCH_FUNCTIONS
from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.names import is_system_name, judge_name_literal

ALLOWED_TYPES = frozenset(
    """
    bit bool box bpchar bytea char cidr circle date datemultirange daterange float4 float8 inet int2 int4
    int4multirange int4range int8 int8multirange int8range interval json jsonb jsonpath line lseg macaddr macaddr8
    money name numeric nummultirange numrange oid path point polygon text tid time timestamp timestamptz timetz
    tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector uuid varbit varchar xid xid8 xml
    """.split()
)
# The rest of pg_catalog: they reach objects of others by name, hold privileges, or belong to the server's inside.
REFUSED_TYPES = frozenset(
    """
    aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange anycompatiblenonarray
    anycompatiblerange anyelement anyenum anymultirange anynonarray anyrange cid cstring event_trigger fdw_handler
    gtsvector index_am_handler int2vector internal language_handler oidvector record refcursor regclass
    regcollation regconfig regdatabase regdictionary regnamespace regoper regoperator regproc regprocedure regrole
    regtype table_am_handler trigger tsm_handler txid_snapshot unknown void
    """.split()
)
BUILT_IN_TYPES = ALLOWED_TYPES | REFUSED_TYPES
# Casting a literal to one of these looks a name up; the literal can be judged, a value cannot.
NAME_TYPES = {"regclass": True, "regtype": True, "regconfig": False, "regdictionary": False}


def judge_types(statement: ParsedStatement) -> None:
    """Collect the types that are relations or types of a schema; refuse those of the server's inside."""
    for data_type in statement.nodes(exp.DataType):
        _judge_type(statement, data_type)


def type_name(data_type: exp.DataType) -> str:
    """The name of a type, without a schema."""
    name: str = data_type.args["kind"].name
    return name


def _judge_type(statement: ParsedStatement, data_type: exp.DataType) -> None:
    if data_type.args.get("reftype"):
        statement.refuse("%TYPE is not allowed", data_type, "type_denied")
    kind = data_type.args["kind"]
    qualified = isinstance(kind, exp.Dot)
    schema = kind.this.name if qualified else None
    name = kind.expression.name if qualified else kind.name
    if schema is not None and schema != "pg_catalog":
        statement.qualify(schema, data_type)
        return
    element = name.lstrip("_")  # the catalog names an array type after its element type
    if element in ALLOWED_TYPES:
        return
    if name == "regconfig" and _is_search_configuration(data_type.parent):
        return
    if name in NAME_TYPES and isinstance(data_type.parent, exp.Cast) and not data_type.args.get("nested"):
        judge_name_literal(statement, data_type.parent.this, f"a cast to {name}", is_relation=NAME_TYPES[name])
    elif schema is not None or element in REFUSED_TYPES or is_system_name(name):
        statement.refuse(f"Type {name} is not allowed", data_type, "type_denied")


def _is_search_configuration(cast: object) -> bool:
    """$1::regconfig or a column's as the argument of a search function, which takes bare ones as well."""
    return (
        isinstance(cast, exp.Cast)
        and isinstance(cast.this, exp.Placeholder | exp.Column)
        and isinstance(cast.parent, exp.Anonymous)
        and cast.parent.this.name in SEARCH_FUNCTIONS
        and cast.parent.expressions[0] is cast
    )
