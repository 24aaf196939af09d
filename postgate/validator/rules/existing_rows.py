"""What definitions do to rows that are there: an expression over them reads them, and tells of them by failing; a
change of a type by an expression, and a default that is another one for each row, write them.

postgate_internal.reads_rows and check_rewrite judge the same by the words of the text and by what PostgreSQL does.
"""

from sqlglot import exp

from postgate.validator.lists.functions import ALLOWED_FUNCTIONS
from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.types import ALLOWED_TYPES, type_name

# Of the allowed functions those that are volatile, so that PostgreSQL calls them for each row (pg_proc.provolatile).
VOLATILE = frozenset(
    """
    array_sample array_shuffle clock_timestamp currval gen_random_uuid lastval nextval random random_normal setval
    timeofday uuidv4 uuidv7
    """.split()
)
# What fails for no value: an index over it tells nothing of the rows.
UNFAILING_FUNCTIONS = frozenset("btrim char_length lower length ltrim md5 rtrim to_tsvector upper".split())
UNFAILING_OPERATORS = frozenset({"=", "<>", "<", "<=", ">", ">=", "->", "->>", "#>", "#>>"})
_UNFAILING_NODES = (
    exp.And,
    exp.Between,
    exp.Boolean,
    exp.Column,
    exp.In,
    exp.Is,
    exp.Literal,
    exp.Neg,
    exp.Not,
    exp.Null,
    exp.Or,
    exp.Paren,
    exp.Tuple,
)
_TEXTS = frozenset({"text", "varchar"})
_SERIAL_TYPES = frozenset({"serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"})


def collect_row_operations(statement: ParsedStatement) -> None:
    """Collect the operations that a definition performs on rows: SELECT where it reads them, UPDATE where it writes."""
    root = statement.root
    if isinstance(root, exp.Create) and root.args["kind"] == "INDEX":
        if any(not _tells_nothing(index, bool(root.args["unique"])) for index in statement.nodes(exp.IndexParameters)):
            statement.operations.add("SELECT")
    elif isinstance(root, exp.Create | exp.Alter) and _checks_rows_of_a_view(statement):
        statement.operations.add("SELECT")
    if isinstance(root, exp.Alter):
        _collect_of_alteration(statement)


def _checks_rows_of_a_view(statement: ParsedStatement) -> bool:
    return bool(statement.root.args.get("check")) or any(
        parameter.this.name == "check_option" for parameter in statement.nodes(exp.Property)
    )


def _tells_nothing(index: exp.IndexParameters, unique: bool) -> bool:
    """Whether nobody learns of the rows from the index being built or not, more than that a column's values differ."""
    elements = [_expression_of(element) for element in index.args["columns"]]
    where = index.args.get("where")
    condition = [] if where is None else [where.this]
    if unique:
        # It fails where two rows are the same, so what is compared must not be a guess at a value.
        return all(_is_unfailing(element, frozenset()) for element in elements) and all(
            _is_unfailing(each, frozenset({"="})) for each in condition
        )
    return all(_is_unfailing(each, UNFAILING_OPERATORS) for each in elements + condition)


def _expression_of(element: exp.Expression) -> exp.Expression:
    while isinstance(element, exp.WithOperator | exp.Ordered | exp.Opclass | exp.Collate):
        element = element.this
    return element


def _is_unfailing(expression: exp.Expression, operators: frozenset[str]) -> bool:
    return all(_is_unfailing_node(node, operators) for node in expression.walk())


def _is_unfailing_node(node: exp.Expr, operators: frozenset[str]) -> bool:
    if isinstance(node, exp.Operator):
        return node.args["operator"] in operators and node.this is not None
    if isinstance(node, exp.Anonymous):
        return node.this.name in UNFAILING_FUNCTIONS or node.this.name in ("coalesce", "nullif")
    if isinstance(node, exp.Cast):
        return isinstance(node.this, exp.Literal) or type_name(node.to) in _TEXTS
    if isinstance(node, exp.Between | exp.In):
        return bool(operators - {"="})
    return isinstance(node, (*_UNFAILING_NODES, exp.Identifier, exp.DataType))


def _collect_of_alteration(statement: ParsedStatement) -> None:
    changed = [action for action in statement.nodes(exp.Property) if action.this.name == "SET EXPRESSION AS"]
    reading = [*statement.nodes(exp.CheckColumnConstraint, exp.ComputedColumnConstraint), *changed]
    if reading or not all(_is_plain(index) for index in statement.nodes(exp.IndexParameters)):
        statement.operations.add("SELECT")
    for column in statement.nodes(exp.ColumnDef):
        if column.args.get("using") is not None:
            statement.operations |= {"SELECT", "UPDATE"}
        elif column.args.get("constraints") is not None and _differs_by_row(column):
            statement.operations.add("UPDATE")


def _is_plain(index: exp.IndexParameters) -> bool:
    """Whether an exclusion constraint compares columns as they are."""
    elements = [_expression_of(element) for element in index.args["columns"]]
    return index.args.get("where") is None and all(isinstance(element, exp.Column) for element in elements)


def _differs_by_row(column: exp.ColumnDef) -> bool:
    """Whether a column that is added has a value of its own in each row."""
    if type_name(column.args["kind"]) in _SERIAL_TYPES:
        return True
    for constraint in column.args["constraints"]:
        value = constraint.args["kind"]
        if isinstance(value, exp.GeneratedAsIdentityColumnConstraint):
            return True
        if isinstance(value, exp.DefaultColumnConstraint) and any(map(_is_volatile, value.find_all(exp.Anonymous))):
            return True
    return False


def _is_volatile(call: exp.Anonymous) -> bool:
    """Whether PostgreSQL may call it for each row; nobody knows of a function of the tenant's own."""
    name = call.this.name
    return name in VOLATILE or not (name in ALLOWED_FUNCTIONS or name in ALLOWED_TYPES or call.args.get("syntax"))
