"""CREATE, ALTER, DROP, TRUNCATE, COMMENT and REFRESH: what kind of thing is defined."""

from typing import NoReturn

from sqlglot import exp

from postgate.operations import OBJECT_KINDS, TYPE_KINDS
from postgate.validator.grammar.chapter import Chapter

# Everything else that the verbs take, by the words that begin it; the longer name stands first.
_REFUSED_KINDS = (
    "ACCESS METHOD",
    "AGGREGATE",
    "ASSERTION",
    "CAST",
    "COLLATION",
    "CONSTRAINT TRIGGER",
    "CONVERSION",
    "DATABASE",
    "DEFAULT CONVERSION",
    "DEFAULT PRIVILEGES",
    "EVENT TRIGGER",
    "EXTENSION",
    "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE",
    "FUNCTION",
    "GROUP",
    "LANGUAGE",
    "LARGE OBJECT",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "OPERATOR",
    "OWNED",
    "POLICY",
    "PROCEDURAL LANGUAGE",
    "PROCEDURE",
    "PROPERTY GRAPH",
    "PUBLICATION",
    "ROLE",
    "ROUTINE",
    "RULE",
    "SCHEMA",
    "SERVER",
    "SUBSCRIPTION",
    "SYSTEM",
    "TABLESPACE",
    "TEXT SEARCH",
    "TRANSFORM",
    "TRIGGER",
    "TRUSTED",
    "USER MAPPING",
    "USER",
)
_TEMPORARY = frozenset({"temp", "temporary", "local", "global"})


class Definitions(Chapter):
    """The verbs, and the definitions that have no module of their own."""

    __slots__ = ()

    def definition_stmt(self) -> exp.Expression:
        """A statement that begins with one of the verbs."""
        if self.cursor.accept("create"):
            return self._create()
        if self.cursor.accept("alter"):
            return self._alter()
        if self.cursor.accept("drop"):
            return self._drop()
        if self.cursor.accept("truncate"):
            return self._truncate()
        if self.cursor.accept("comment", "on"):
            return self._comment()
        return self._refresh()

    def _create(self) -> exp.Expression:
        if self.cursor.accept("or", "replace"):
            return self._create_replacing()
        if self.cursor.at_any(_TEMPORARY):
            self.grammar.options.not_allowed("CREATE TEMPORARY")
        if self.cursor.accept("unlogged"):
            return self._create_unlogged()
        if self.cursor.accept("unique"):
            self.cursor.expect("index")
            return self.grammar.indexes.create_index(unique=True)
        if self.cursor.at("view") or self.cursor.at("recursive"):
            return self._create_view(replace=False)
        kind = self._kind_of("CREATE", *OBJECT_KINDS)
        if kind == "TABLE":
            return self.grammar.tables.create_table(unlogged=False)
        if kind == "INDEX":
            return self.grammar.indexes.create_index(unique=False)
        if kind == "SEQUENCE":
            return self._create_sequence(unlogged=False)
        if kind == "TYPE":
            return self.grammar.user_types.create_type()
        if kind == "DOMAIN":
            return self.grammar.user_types.create_domain()
        return self.grammar.indexes.create_statistics() if kind == "STATISTICS" else self._create_materialized_view()

    def _create_replacing(self) -> exp.Create:
        if self.cursor.at_any(_TEMPORARY):
            self.grammar.options.not_allowed("CREATE TEMPORARY")
        if not (self.cursor.at("view") or self.cursor.at("recursive")):
            self._refuse_kind("CREATE")
        return self._create_view(replace=True)

    def _create_unlogged(self) -> exp.Create:
        if self.cursor.accept("table"):
            return self.grammar.tables.create_table(unlogged=True)
        if self.cursor.accept("sequence"):
            return self._create_sequence(unlogged=True)
        self.cursor.refuse("only a table or a sequence can be UNLOGGED")

    def _kind_of(self, verb: str, *kinds: str) -> str:
        """Consume the kind of thing that the verb is about, or refuse it by its name."""
        for kind in kinds:
            if self.cursor.accept(*kind.lower().split()):
                return kind
        self._refuse_kind(verb)

    def _refuse_kind(self, verb: str) -> NoReturn:
        for kind in _REFUSED_KINDS:
            if self.cursor.at(*kind.lower().split()):
                self.grammar.options.not_allowed(f"{verb} {kind}")
        self.cursor.unexpected()

    def _create_sequence(self, unlogged: bool) -> exp.Create:
        """CreateSeqStmt, after SEQUENCE."""
        exists = self.grammar.options.if_not_exists()
        name = self.grammar.names.qualified_name()
        options = self.grammar.options.sequence_options()
        return exp.Create(kind="SEQUENCE", this=name, exists=exists, unlogged=unlogged, options=options)

    def _create_materialized_view(self) -> exp.Create:
        """CreateMatViewStmt, after MATERIALIZED VIEW."""
        exists = self.grammar.options.if_not_exists()
        create = exp.Create(kind="MATERIALIZED VIEW", this=self.grammar.names.qualified_name(), exists=exists)
        return self.grammar.tables.table_from_query(create)

    def _create_view(self, replace: bool) -> exp.Create:
        """ViewStmt, from RECURSIVE or VIEW."""
        recursive = self.cursor.accept("recursive")
        self.cursor.expect("view")
        name = self.grammar.names.qualified_name()
        columns = self.grammar.names.column_names() if recursive else self.grammar.options.optional_columns()
        parameters = self.grammar.options.with_storage_parameters()
        self.cursor.expect("as")
        query = self.grammar.queries.select_stmt()
        if recursive:
            query = self._recursive_query(name, columns, query)
        this = exp.Schema(this=name, expressions=columns) if columns else name
        check = self._check_option()
        if recursive and check:
            self.cursor.refuse("WITH CHECK OPTION is not supported on recursive views", self.cursor.previous)
        return exp.Create(
            kind="VIEW", this=this, replace=replace, with_storage=parameters, expression=query, check=check
        )

    def _recursive_query(self, name: exp.Table, columns: list[exp.Identifier], query: exp.Expression) -> exp.Select:
        """What PostgreSQL makes of it: WITH RECURSIVE name (columns) AS (query) SELECT columns FROM name."""
        alias = exp.TableAlias(this=name.this.copy(), columns=[column.copy() for column in columns])
        return exp.Select(
            with_=exp.With(recursive=True, expressions=[exp.CTE(this=query, alias=alias)]),
            expressions=[exp.Column(this=column.copy()) for column in columns],
            from_=exp.From(expressions=[exp.Table(this=name.this.copy())]),
            table=True,  # no SELECT of the text
        )

    def _check_option(self) -> str | None:
        """opt_check_option"""
        for words in ("CHECK OPTION", "CASCADED CHECK OPTION", "LOCAL CHECK OPTION"):
            if self.cursor.accept("with", *words.lower().split()):
                return words
        return None

    def _alter(self) -> exp.Alter:
        kind = self._kind_of("ALTER", *OBJECT_KINDS)
        if kind == "TYPE":
            return self.grammar.user_types.alter_type()
        if kind == "DOMAIN":
            return self.grammar.user_types.alter_domain()
        return (
            self.grammar.alterations.alter_statistics()
            if kind == "STATISTICS"
            else self.grammar.alterations.alter_relation(kind)
        )

    def _drop(self) -> exp.Drop:
        """DropStmt"""
        kind = self._kind_of("DROP", *OBJECT_KINDS)
        if kind == "INDEX" and self.cursor.at("concurrently"):
            self.cursor.refuse("DROP INDEX CONCURRENTLY cannot run inside a transaction", reason="construct_denied")
        exists = self.grammar.options.if_exists()
        names = self.cursor.comma_list(
            self.grammar.user_types.type_like_name if kind in TYPE_KINDS else self.grammar.names.qualified_name
        )
        return exp.Drop(kind=kind, expressions=names, exists=exists, cascade=self.grammar.options.cascades())

    def _truncate(self) -> exp.TruncateTable:
        """TruncateStmt"""
        self.cursor.accept("table")
        tables = self.cursor.comma_list(self.grammar.from_items.relation_expr)
        identity = None
        for words in ("RESTART IDENTITY", "CONTINUE IDENTITY"):
            if self.cursor.accept(*words.lower().split()):
                identity = words
                break
        return exp.TruncateTable(expressions=tables, identity=identity, cascade=self.grammar.options.cascades())

    def _comment(self) -> exp.Comment:
        """CommentStmt, after ON."""
        kind = self._kind_of("COMMENT ON", *OBJECT_KINDS, "COLUMN", "CONSTRAINT")
        comment = self._commented(kind)
        self.cursor.expect("is")
        comment.set("expression", exp.Null() if self.cursor.accept("null") else self.grammar.constants.string())
        return comment

    def _commented(self, kind: str) -> exp.Comment:
        """What the comment is on."""
        if kind == "COLUMN":
            table, column = self.grammar.options.column_of_table()
            if table is None:
                self.cursor.refuse("a column needs the name of its table", self.cursor.previous)
            return exp.Comment(kind=kind, this=table, column=column)
        if kind == "CONSTRAINT":
            constraint = self.grammar.names.col_id()
            self.cursor.expect("on")
            # DOMAIN could be a table's name, which IS or a dot follows.
            if self.cursor.at("domain") and self.cursor.next_word() != "is" and self.cursor.peek(1).kind != ".":
                self.cursor.advance()
            return exp.Comment(kind=kind, this=self.grammar.names.qualified_name(), constraint=constraint)
        name = self.grammar.user_types.type_like_name() if kind in TYPE_KINDS else self.grammar.names.qualified_name()
        return exp.Comment(kind=kind, this=name)

    def _refresh(self) -> exp.Refresh:
        """RefreshMatViewStmt"""
        self.cursor.expect("refresh", "materialized", "view")
        if self.cursor.at("concurrently"):
            # PostgreSQL makes a temporary table for it, which no tenant may.
            self.cursor.refuse(
                "REFRESH MATERIALIZED VIEW CONCURRENTLY is not allowed; use REFRESH MATERIALIZED VIEW",
                reason="construct_denied",
            )
        name = self.grammar.names.qualified_name()
        data = self.grammar.options.with_data()
        return exp.Refresh(kind="MATERIALIZED VIEW", this=name, with_data=data)
