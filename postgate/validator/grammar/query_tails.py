"""What follows a query: its order, its limits and its row locks (gram.y, select_no_parens)."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

# What stands before ROWS is a c_expr, of which these are of use.
_ROW_COUNTS = (exp.Literal, exp.Placeholder, exp.Column, exp.Paren, exp.Subquery, exp.Anonymous)
# What a query has once, whether inside or outside of its parentheses.
_ONCE = {"with_": "WITH", "order": "ORDER BY", "limit": "LIMIT", "offset": "OFFSET"}


class QueryTails(Chapter):
    """ORDER BY, LIMIT, OFFSET, FETCH and FOR UPDATE."""

    __slots__ = ()

    def query_tail(self, query: exp.Expression) -> exp.Expression:
        parts: dict[str, Any] = {}
        if self.cursor.at("order"):
            parts["order"] = self.sort_clause()
        locks = self._locks()
        self._limits(parts)
        locks = self._locks() if locks is None else locks
        if locks:
            parts["locks"] = locks
        if parts:
            self.refuse_second(query, parts)
        for key, value in parts.items():
            query.set(key, value)
        if "limit" in parts and parts["limit"].args.get("ties"):
            self._judge_ties(query)
        return query

    def refuse_second(self, query: exp.Expression, clauses: Collection[str]) -> None:
        """insertSelectOptions: PostgreSQL adds what follows parentheses to the query inside of them."""
        for inner in self._unwrapped(query):
            for clause in _ONCE.keys() & clauses:
                if inner.args.get(clause) is not None:
                    self.cursor.refuse(f"multiple {_ONCE[clause]} clauses not allowed", self.cursor.previous)

    def _unwrapped(self, query: exp.Expression) -> Iterator[exp.Expression]:
        """A query, and each query inside of its parentheses."""
        yield query
        while isinstance(query, exp.Subquery):
            query = query.this
            yield query

    def _judge_ties(self, query: exp.Expression) -> None:
        """What PostgreSQL's grammar itself demands of WITH TIES."""
        inner = list(self._unwrapped(query))
        if not any(part.args.get("order") is not None for part in inner):
            self.cursor.refuse("WITH TIES cannot be specified without ORDER BY clause", self.cursor.previous)
        if any(lock.args.get("skip_locked") for part in inner for lock in part.args.get("locks") or ()):
            self.cursor.refuse("SKIP LOCKED and WITH TIES options cannot be used together", self.cursor.previous)

    def sort_clause(self) -> exp.Order:
        self.cursor.expect("order", "by")
        return exp.Order(expressions=self.cursor.comma_list(self._sort_item))

    def _sort_item(self) -> exp.Ordered:
        """sortby"""
        ordered = exp.Ordered(this=self.grammar.expressions.a_expr())
        if self.cursor.accept("using"):
            self._sort_operator(ordered)
        elif self.cursor.accept("desc"):
            ordered.set("desc", True)
        else:
            self.cursor.accept("asc")
        if self.cursor.accept("nulls") and not self.cursor.accept("first"):
            self.cursor.expect("last")
        return ordered

    def _sort_operator(self, ordered: exp.Ordered) -> None:
        """qual_all_Op"""
        if self.cursor.at("operator"):
            schema, operator = self.grammar.expressions.qualified_operator()
        elif self.cursor.at_kind("OP"):
            schema, operator = None, self.cursor.current.value
            self.cursor.advance()
        else:
            self.cursor.unexpected()
        ordered.set("using", exp.Operator(operator=operator, schema=schema))

    def _limits(self, parts: dict[str, Any]) -> None:
        """select_limit: LIMIT or FETCH, and OFFSET, in either order"""
        node: exp.Expression
        for _ in range(2):
            if self.cursor.accept("limit"):
                key, node = "limit", self._limit()
            elif self.cursor.at("fetch"):
                key, node = "limit", self._fetch()
            elif self.cursor.accept("offset"):
                key, node = "offset", self._offset()
            else:
                return
            if key in parts:
                self.cursor.refuse(f"{key.upper()} stands twice", self.cursor.previous)
            if self.cursor.at_kind(","):
                self.cursor.refuse("LIMIT x, y is not PostgreSQL; use LIMIT and OFFSET")
            parts[key] = node

    def _limit(self) -> exp.Limit:
        """select_limit_value, after LIMIT"""
        return (
            exp.Limit(all=True)
            if self.cursor.accept("all")
            else exp.Limit(expression=self.grammar.expressions.a_expr())
        )

    def _offset(self) -> exp.Offset:
        """select_offset_value, after OFFSET"""
        count = self.grammar.expressions.a_expr()
        if self.cursor.at("row") or self.cursor.at("rows"):
            if not self._is_row_count(count):
                self.cursor.unexpected()
            self.cursor.advance()
        return exp.Offset(expression=count)

    def _is_row_count(self, count: exp.Expression) -> bool:
        """select_fetch_first_value: a c_expr, or a number with a sign"""
        if not isinstance(count, exp.Operator):
            return isinstance(count, _ROW_COUNTS)
        number = count.expression
        signed = count.this is None and count.args["operator"] in ("+", "-") and count.args["schema"] is None
        return signed and isinstance(number, exp.Literal) and not number.is_string

    def _fetch(self) -> exp.Limit:
        """FETCH; one row when it gives no number"""
        self.cursor.advance()
        if not self.cursor.accept("first"):
            self.cursor.expect("next")
        count = None
        if not self.cursor.at("row") and not self.cursor.at("rows"):
            count = (
                self.grammar.constants.signed_number() if self.cursor.at_kind("OP") else self.grammar.operands.c_expr()
            )
        if not self.cursor.accept("rows"):
            self.cursor.expect("row")
        ties = self.cursor.accept("with")
        self.cursor.expect("ties" if ties else "only")
        return exp.Limit(expression=count, ties=ties)

    def _locks(self) -> list[exp.Lock] | None:
        """for_locking_clause, None when there is none; FOR READ ONLY locks nothing"""
        if not self.cursor.at("for"):
            return None
        locks: list[exp.Lock] = []
        if self.cursor.at("for", "read"):
            self.cursor.expect("for", "read", "only")
            return locks
        while self.cursor.accept("for"):
            locks.append(self._lock())
        return locks

    def _lock(self) -> exp.Lock:
        for words in (("update",), ("no", "key", "update"), ("share",), ("key", "share")):
            if self.cursor.accept(*words):
                break
        else:
            self.cursor.unexpected()
        names = self.cursor.comma_list(self.grammar.names.qualified_name) if self.cursor.accept("of") else []
        if any(name.args.get("db") for name in names):
            self.cursor.refuse("FOR ... OF takes the plain names of the FROM clause", self.cursor.previous)
        skips = not self.cursor.accept("nowait") and self.cursor.accept("skip")
        if skips:
            self.cursor.expect("locked")
        return exp.Lock(expressions=[name.this for name in names], skip_locked=skips)
