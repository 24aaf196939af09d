"""What kind of statement it is, and every operation that it performs, wherever it stands in it."""

from sqlglot import exp

from postgate.validator.parsed import ParsedStatement
from postgate.validator.rules.relations import is_cte, is_target

_QUERIES = (exp.Select, exp.Union, exp.Intersect, exp.Except, exp.Values, exp.Subquery)
_CHANGES: dict[type[exp.Expression], str] = {
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
}
_DEFINITIONS: dict[type[exp.Expression], str] = {exp.Create: "CREATE", exp.Alter: "ALTER", exp.Drop: "DROP"}
_OTHERS: dict[type[exp.Expression], str] = {
    exp.TruncateTable: "TRUNCATE",
    exp.Comment: "COMMENT",
    exp.Refresh: "REFRESH MATERIALIZED VIEW",
}
# Each of these, wherever it stands, performs the operation.
_PERFORMS: dict[type[exp.Expression], str] = {
    exp.Select: "SELECT",
    exp.Merge: "SELECT",
    exp.Returning: "SELECT",
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Lock: "UPDATE",
    exp.Delete: "DELETE",
    exp.Into: "CREATE",
    exp.Alter: "ALTER",
    exp.Comment: "ALTER",
    exp.Drop: "DROP",
    exp.TruncateTable: "DROP",
}
_DEFINES: dict[type[exp.Expression], str] = {
    exp.Alter: "ALTER",
    exp.Comment: "ALTER",
    exp.Drop: "DROP",
    exp.TruncateTable: "DROP",
    exp.Refresh: "CREATE",
}
_FILLED_FROM_QUERY = {"TABLE", "MATERIALIZED VIEW"}


def collect_operations(statement: ParsedStatement) -> None:
    """Collect the kind, the operations, and whether the statement writes and returns rows."""
    root = statement.root
    explained = root.this if isinstance(root, exp.Describe) else root
    statement.kind = "EXPLAIN" if explained is not root else _kind(statement, root)
    for node_type, operation in _PERFORMS.items():
        if any(statement.nodes(node_type)):
            statement.operations.add(operation)
    if isinstance(explained, exp.Create):
        _collect_creation(statement, explained)
    elif isinstance(explained, exp.Refresh):
        statement.operations.add("CREATE")
    elif isinstance(explained, _QUERIES) or _reads_relation(statement):
        statement.operations.add("SELECT")
    if _cascades(statement):
        statement.operations.add("DROP")
    statement.defines = _definition(statement, explained)
    statement.writes = not statement.operations <= {"SELECT"}
    statement.returns_rows = (
        explained is not root
        or (isinstance(root, _QUERIES) and not any(statement.nodes(exp.Into)))
        or root.args.get("returning") is not None
    )


def _kind(statement: ParsedStatement, root: exp.Expression) -> str:
    if isinstance(root, _QUERIES):
        return "SELECT"
    if type(root) in _CHANGES:
        return _CHANGES[type(root)]
    if type(root) in _DEFINITIONS:
        return f"{_DEFINITIONS[type(root)]} {root.args['kind']}"
    if type(root) in _OTHERS:
        return _OTHERS[type(root)]
    statement.refuse("this statement is not allowed", reason="statement_denied")


def _collect_creation(statement: ParsedStatement, create: exp.Create) -> None:
    statement.operations.add("CREATE")
    if create.args["kind"] in _FILLED_FROM_QUERY and create.expression is not None:
        statement.operations.add("SELECT")
    elif create.args["kind"] == "VIEW":
        # A view reads nothing before it is selected from; only a statement inside it could do more.
        statement.operations.discard("SELECT")
    if create.args.get("replace"):
        statement.operations.add("DROP")  # the old definition is gone afterwards


def _definition(statement: ParsedStatement, root: exp.Expression) -> str:
    """Which operation runs as the owner of the tenant's relations, if any."""
    if isinstance(root, exp.Create):
        is_filled = root.args["kind"] == "TABLE" and root.expression is not None
        return "CREATE AS" if is_filled else "CREATE"
    if any(statement.nodes(exp.Into)):
        return "CREATE AS"
    return _DEFINES.get(type(root), "")


def _reads_relation(statement: ParsedStatement) -> bool:
    if isinstance(statement.root, exp.Alter | exp.Drop | exp.TruncateTable | exp.Comment):
        return False
    return any(not is_target(table) and not is_cte(statement, table) for table in statement.nodes(exp.Table))


def _cascades(statement: ParsedStatement) -> bool:
    return isinstance(statement.root, exp.Alter) and any(
        action.args.get("cascade") for action in statement.root.args.get("actions") or ()
    )
