"""Changes of rows (gram.y, InsertStmt, UpdateStmt, DeleteStmt, MergeStmt)."""

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter


class Changes(Chapter):
    """INSERT, UPDATE, DELETE and MERGE."""

    __slots__ = ()

    def preparable_stmt(self) -> exp.Expression:
        """PreparableStmt: a query or a change, with the WITH before it."""
        if not self.cursor.at("with"):
            return self._change() or self.grammar.queries.select_stmt()
        with_ = self.grammar.queries.with_clause()
        change = self._change()
        if change is not None:
            change.set("with_", with_)
            return change
        return self.grammar.queries.attach_with(
            self.grammar.queries.select_rest(self.grammar.queries.simple_select()), with_
        )

    def _change(self) -> exp.Expression | None:
        if self.cursor.accept("insert"):
            return self._insert()
        if self.cursor.accept("update"):
            return self._update()
        if self.cursor.accept("delete"):
            return self._delete()
        return self._merge() if self.cursor.accept("merge") else None

    def _insert(self) -> exp.Insert:
        """InsertStmt, after INSERT"""
        self.cursor.expect("into")
        target = self.grammar.names.qualified_name()
        if self.cursor.accept("as"):
            target.set("alias", exp.TableAlias(this=self.grammar.names.col_id()))
        insert = exp.Insert(this=target)
        self._insert_source(insert)
        if self.cursor.accept("on"):
            insert.set("conflict", self._on_conflict())
        insert.set("returning", self._returning())
        return insert

    def _insert_source(self, insert: exp.Insert) -> None:
        """insert_rest"""
        if self.cursor.accept("default"):
            self.cursor.expect("values")
            return
        if self.cursor.at_kind("(") and not self.grammar.operands.at_query_in_parentheses():
            insert.set("columns", self.cursor.parenthesised_list(self._target_column))
        if self.cursor.accept("overriding"):
            if not self.cursor.accept("system"):
                self.cursor.expect("user")
            self.cursor.expect("value")
        insert.set("expression", self.grammar.queries.select_stmt())

    def _target_column(self) -> exp.Expression:
        """insert_column_item and set_target: a column with fields and subscripts"""
        return self.grammar.operands.indirection(self.grammar.names.col_id())

    def _on_conflict(self) -> exp.OnConflict:
        """opt_on_conflict, after ON"""
        self.cursor.expect("conflict")
        conflict = exp.OnConflict()
        if self.cursor.accept("on"):
            self.cursor.expect("constraint")
            conflict.set("constraint", self.grammar.names.col_id())
        elif self.cursor.at_kind("("):
            conflict.set("expressions", self.cursor.parenthesised_list(self._inferred))
            if self.cursor.accept("where"):
                conflict.set("where", exp.Where(this=self.grammar.expressions.a_expr()))
        self.cursor.expect("do")
        if self.cursor.accept("nothing"):
            return conflict
        self.cursor.expect("update")
        self.cursor.expect("set")
        conflict.set("action", self._assignments(exp.Update()))
        return conflict

    def _inferred(self) -> exp.Expression:
        """index_elem of a conflict target"""
        return self.grammar.indexes.index_element()

    def _assignments(self, update: exp.Update) -> exp.Update:
        """set_clause_list and WHERE"""
        update.set("expressions", self.cursor.comma_list(self._assignment))
        if self.cursor.accept("where"):
            update.set("where", exp.Where(this=self.grammar.expressions.a_expr()))
        return update

    def _assignment(self) -> exp.Expression:
        """set_clause"""
        target: exp.Expression
        if self.cursor.at_kind("("):
            target = exp.Tuple(expressions=self.cursor.parenthesised_list(self._target_column))
        else:
            target = self._target_column()
        self.cursor.expect_op("=")
        return exp.EQ(this=target, expression=self._assigned(isinstance(target, exp.Tuple)))

    def _assigned(self, several: bool) -> exp.Expression:
        if not several:
            return self.grammar.queries.expr_or_default()
        if self.cursor.at_kind("(") and not self.grammar.operands.at_query_in_parentheses():
            return self.grammar.queries.values_row()
        if self.cursor.accept("row"):
            row = self.grammar.queries.values_row()
            row.set("explicit", True)
            return row
        return self.grammar.expressions.a_expr()

    def _returning(self) -> exp.Returning | None:
        """returning_clause"""
        if not self.cursor.accept("returning"):
            return None
        names: list[exp.Expression] = []
        if self.cursor.at("with") and self.cursor.peek(1).kind == "(":
            self.cursor.advance()
            names = [*self.cursor.parenthesised_list(self._returning_name)]
        return exp.Returning(expressions=self.cursor.comma_list(self.grammar.queries.target), names=names)

    def _returning_name(self) -> exp.Identifier:
        """OLD AS name, NEW AS name"""
        if not self.cursor.accept("old"):
            self.cursor.expect("new")
        self.cursor.expect("as")
        return self.grammar.names.col_id()

    def _changed_relation(self) -> exp.Table:
        """relation_expr_opt_alias: SET is no alias here"""
        relation = self.grammar.from_items.relation_expr()
        if self.cursor.accept("as") or (self.grammar.names.at_col_id() and not self.cursor.at("set")):
            relation.set("alias", exp.TableAlias(this=self.grammar.names.col_id()))
        return relation

    def _update(self) -> exp.Expression:
        """UpdateStmt, after UPDATE"""
        update = exp.Update(this=self._changed_relation())
        self.cursor.expect("set")
        update.set("expressions", self.cursor.comma_list(self._assignment))
        if self.cursor.accept("from"):
            update.set("from_", exp.From(expressions=self.cursor.comma_list(self.grammar.from_items.table_ref)))
        return self._changed_rows(update)

    def _delete(self) -> exp.Expression:
        """DeleteStmt, after DELETE"""
        self.cursor.expect("from")
        delete = exp.Delete(this=self._changed_relation())
        if self.cursor.accept("using"):
            delete.set("using", self.cursor.comma_list(self.grammar.from_items.table_ref))
        return self._changed_rows(delete)

    def _changed_rows(self, change: exp.Expression) -> exp.Expression:
        """where_or_current_clause and returning_clause"""
        if self.cursor.accept("where"):
            if self.cursor.at("current", "of"):
                self.cursor.refuse("cursors are not allowed: WHERE CURRENT OF", reason="construct_denied")
            change.set("where", exp.Where(this=self.grammar.expressions.a_expr()))
        change.set("returning", self._returning())
        return change

    def _merge(self) -> exp.Merge:
        """MergeStmt, after MERGE"""
        self.cursor.expect("into")
        merge = exp.Merge(this=self._changed_relation())
        self.cursor.expect("using")
        merge.set("using", self.grammar.from_items.table_ref())
        self.cursor.expect("on")
        merge.set("on", self.grammar.expressions.a_expr())
        whens = []
        while self.cursor.accept("when"):
            whens.append(self._merge_when())
        if not whens:
            self.cursor.unexpected()
        merge.set("whens", whens)
        merge.set("returning", self._returning())
        return merge

    def _merge_when(self) -> exp.When:
        """merge_when_clause, after WHEN"""
        inserts = self.cursor.accept("not", "matched")
        if not inserts:
            self.cursor.expect("matched")
        elif self.cursor.accept("by", "source"):
            inserts = False
        elif self.cursor.accept("by"):
            self.cursor.expect("target")
        condition = self.grammar.expressions.a_expr() if self.cursor.accept("and") else None
        self.cursor.expect("then")
        return exp.When(condition=condition, then=self._merge_action(inserts))

    def _merge_action(self, inserts: bool) -> exp.Expression:
        if self.cursor.accept("do"):
            self.cursor.expect("nothing")
            return exp.Var(this="DO NOTHING")
        if inserts:
            self.cursor.expect("insert")
            return self._merge_insert()
        if self.cursor.accept("delete"):
            return exp.Delete()
        self.cursor.expect("update", "set")
        return exp.Update(expressions=self.cursor.comma_list(self._assignment))

    def _merge_insert(self) -> exp.Insert:
        insert = exp.Insert()
        if self.cursor.accept("default"):
            self.cursor.expect("values")
            return insert
        if self.cursor.at_kind("("):
            insert.set("columns", self.cursor.parenthesised_list(self._target_column))
        if self.cursor.accept("overriding"):
            if not self.cursor.accept("system"):
                self.cursor.expect("user")
            self.cursor.expect("value")
        self.cursor.expect("values")
        insert.set("expression", self.grammar.queries.values_row())
        return insert
