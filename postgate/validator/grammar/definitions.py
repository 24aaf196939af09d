"""CREATE, ALTER, DROP, TRUNCATE, COMMENT and REFRESH: what kind of thing is defined."""

from typing import NoReturn

from sqlglot import exp

from postgate.validator.grammar.alterations import AlterationGrammar

_RELATION_KINDS = ("TABLE", "INDEX", "VIEW", "MATERIALIZED VIEW", "SEQUENCE")
_TYPE_KINDS = ("TYPE", "DOMAIN")
_KINDS = (*_RELATION_KINDS, *_TYPE_KINDS, "STATISTICS")

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


class DefinitionGrammar(AlterationGrammar):
    """The verbs, and the definitions that have no module of their own."""

    def _definition_stmt(self) -> exp.Expression:
        """A statement that begins with one of the verbs."""
        if self._accept("create"):
            return self._create()
        if self._accept("alter"):
            return self._alter()
        if self._accept("drop"):
            return self._drop()
        if self._accept("truncate"):
            return self._truncate()
        if self._accept("comment", "on"):
            return self._comment()
        return self._refresh()

    def _create(self) -> exp.Expression:
        if self._accept("or", "replace"):
            return self._create_replacing()
        if self._at_any(_TEMPORARY):
            self._not_allowed("CREATE TEMPORARY")
        if self._accept("unlogged"):
            return self._create_unlogged()
        if self._accept("unique"):
            self._expect("index")
            return self._create_index(unique=True)
        if self._at("view") or self._at("recursive"):
            return self._create_view(replace=False)
        kind = self._kind_of("CREATE", *_KINDS)
        if kind == "TABLE":
            return self._create_table(unlogged=False)
        if kind == "INDEX":
            return self._create_index(unique=False)
        if kind == "SEQUENCE":
            return self._create_sequence(unlogged=False)
        if kind == "TYPE":
            return self._create_type()
        if kind == "DOMAIN":
            return self._create_domain()
        return self._create_statistics() if kind == "STATISTICS" else self._create_materialized_view()

    def _create_replacing(self) -> exp.Create:
        if self._at_any(_TEMPORARY):
            self._not_allowed("CREATE TEMPORARY")
        if not (self._at("view") or self._at("recursive")):
            self._refuse_kind("CREATE")
        return self._create_view(replace=True)

    def _create_unlogged(self) -> exp.Create:
        if self._accept("table"):
            return self._create_table(unlogged=True)
        if self._accept("sequence"):
            return self._create_sequence(unlogged=True)
        self._refuse("only a table or a sequence can be UNLOGGED")

    def _kind_of(self, verb: str, *kinds: str) -> str:
        """Consume the kind of thing that the verb is about, or refuse it by its name."""
        for kind in kinds:
            if self._accept(*kind.lower().split()):
                return kind
        self._refuse_kind(verb)

    def _refuse_kind(self, verb: str) -> NoReturn:
        for kind in _REFUSED_KINDS:
            if self._at(*kind.lower().split()):
                self._not_allowed(f"{verb} {kind}")
        self._unexpected()

    def _create_sequence(self, unlogged: bool) -> exp.Create:
        """CreateSeqStmt, after SEQUENCE."""
        exists = self._if_not_exists()
        name = self._qualified_name()
        options = self._sequence_options()
        return exp.Create(kind="SEQUENCE", this=name, exists=exists, unlogged=unlogged, options=options)

    def _create_materialized_view(self) -> exp.Create:
        """CreateMatViewStmt, after MATERIALIZED VIEW."""
        exists = self._if_not_exists()
        create = exp.Create(kind="MATERIALIZED VIEW", this=self._qualified_name(), exists=exists)
        return self._table_from_query(create)

    def _create_view(self, replace: bool) -> exp.Create:
        """ViewStmt, from RECURSIVE or VIEW."""
        recursive = self._accept("recursive")
        self._expect("view")
        name = self._qualified_name()
        columns = self._column_names() if recursive else self._optional_columns()
        parameters = self._with_storage_parameters()
        self._expect("as")
        query = self._select_stmt()
        if recursive:
            query = self._recursive_query(name, columns, query)
        this = exp.Schema(this=name, expressions=columns) if columns else name
        check = self._check_option()
        if recursive and check:
            self._refuse("WITH CHECK OPTION is not supported on recursive views", self._prev)
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
            if self._accept("with", *words.lower().split()):
                return words
        return None

    def _alter(self) -> exp.Alter:
        kind = self._kind_of("ALTER", *_KINDS)
        if kind == "TYPE":
            return self._alter_type()
        if kind == "DOMAIN":
            return self._alter_domain()
        return self._alter_statistics() if kind == "STATISTICS" else self._alter_relation(kind)

    def _drop(self) -> exp.Drop:
        """DropStmt"""
        kind = self._kind_of("DROP", *_KINDS)
        if kind == "INDEX" and self._at("concurrently"):
            self._refuse("DROP INDEX CONCURRENTLY cannot run inside a transaction")
        exists = self._if_exists()
        names = self._list(self._type_like_name if kind in _TYPE_KINDS else self._qualified_name)
        return exp.Drop(kind=kind, expressions=names, exists=exists, cascade=self._cascades())

    def _truncate(self) -> exp.TruncateTable:
        """TruncateStmt"""
        self._accept("table")
        tables = self._list(self._relation_expr)
        identity = None
        for words in ("RESTART IDENTITY", "CONTINUE IDENTITY"):
            if self._accept(*words.lower().split()):
                identity = words
                break
        return exp.TruncateTable(expressions=tables, identity=identity, cascade=self._cascades())

    def _comment(self) -> exp.Comment:
        """CommentStmt, after ON."""
        kind = self._kind_of("COMMENT ON", *_KINDS, "COLUMN", "CONSTRAINT")
        comment = self._commented(kind)
        self._expect("is")
        comment.set("expression", exp.Null() if self._accept("null") else self._string())
        return comment

    def _commented(self, kind: str) -> exp.Comment:
        """What the comment is on."""
        if kind == "COLUMN":
            table, column = self._column_of_table()
            if table is None:
                self._refuse("a column needs the name of its table", self._prev)
            return exp.Comment(kind=kind, this=table, column=column)
        if kind == "CONSTRAINT":
            constraint = self._col_id()
            self._expect("on")
            # DOMAIN could be a table's name, which IS or a dot follows.
            if self._at("domain") and self._next_word() != "is" and self._peek(1).kind != ".":
                self._advance()
            return exp.Comment(kind=kind, this=self._qualified_name(), constraint=constraint)
        name = self._type_like_name() if kind in _TYPE_KINDS else self._qualified_name()
        return exp.Comment(kind=kind, this=name)

    def _refresh(self) -> exp.Refresh:
        """RefreshMatViewStmt"""
        self._expect("refresh", "materialized", "view")
        concurrently = self._accept("concurrently")
        name = self._qualified_name()
        data = self._with_data()
        return exp.Refresh(kind="MATERIALIZED VIEW", this=name, concurrently=concurrently, with_data=data)
