"""Changes of rows (gram.y, InsertStmt, UpdateStmt, DeleteStmt, MergeStmt)."""

from sqlglot import exp

from postgate.validator.grammar.select import SelectGrammar


class DmlGrammar(SelectGrammar):
    """INSERT, UPDATE, DELETE and MERGE."""

    def _preparable_stmt(self) -> exp.Expression:
        """PreparableStmt: a query or a change, with the WITH before it."""
        if not self._at("with"):
            return self._change() or self._select_stmt()
        with_ = self._with_clause()
        change = self._change()
        if change is not None:
            change.set("with_", with_)
            return change
        return self._attach_with(self._select_rest(self._simple_select()), with_)

    def _change(self) -> exp.Expression | None:
        if self._accept("insert"):
            return self._insert()
        if self._accept("update"):
            return self._update()
        if self._accept("delete"):
            return self._delete()
        return self._merge() if self._accept("merge") else None

    def _insert(self) -> exp.Insert:
        """InsertStmt, after INSERT"""
        self._expect("into")
        target = self._qualified_name()
        if self._accept("as"):
            target.set("alias", exp.TableAlias(this=self._col_id()))
        insert = exp.Insert(this=target)
        self._insert_source(insert)
        if self._accept("on"):
            insert.set("conflict", self._on_conflict())
        insert.set("returning", self._returning())
        return insert

    def _insert_source(self, insert: exp.Insert) -> None:
        """insert_rest"""
        if self._accept("default"):
            self._expect("values")
            return
        if self._at_punct("(") and not self._at_query_in_parentheses():
            insert.set("columns", self._parenthesised_list(self._target_column))
        if self._accept("overriding"):
            if not self._accept("system"):
                self._expect("user")
            self._expect("value")
        insert.set("expression", self._select_stmt())

    def _target_column(self) -> exp.Expression:
        """insert_column_item and set_target: a column with fields and subscripts"""
        return self._indirection(self._col_id())

    def _on_conflict(self) -> exp.OnConflict:
        """opt_on_conflict, after ON"""
        self._expect("conflict")
        conflict = exp.OnConflict()
        if self._accept("on"):
            self._expect("constraint")
            conflict.set("constraint", self._col_id())
        elif self._at_punct("("):
            conflict.set("expressions", self._parenthesised_list(self._inferred))
            if self._accept("where"):
                conflict.set("where", exp.Where(this=self._a_expr()))
        self._expect("do")
        if self._accept("nothing"):
            return conflict
        self._expect("update")
        self._expect("set")
        conflict.set("action", self._assignments(exp.Update()))
        return conflict

    def _inferred(self) -> exp.Expression:
        """index_elem of a conflict target"""
        return self._index_element()

    def _index_element(self) -> exp.Expression:
        """IndexGrammar: an index's column or expression."""
        raise NotImplementedError

    def _assignments(self, update: exp.Update) -> exp.Update:
        """set_clause_list and WHERE"""
        update.set("expressions", self._list(self._assignment))
        if self._accept("where"):
            update.set("where", exp.Where(this=self._a_expr()))
        return update

    def _assignment(self) -> exp.Expression:
        """set_clause"""
        target: exp.Expression
        if self._at_punct("("):
            target = exp.Tuple(expressions=self._parenthesised_list(self._target_column))
        else:
            target = self._target_column()
        self._expect_op("=")
        return exp.EQ(this=target, expression=self._assigned(isinstance(target, exp.Tuple)))

    def _assigned(self, several: bool) -> exp.Expression:
        if not several:
            return self._expr_or_default()
        if self._at_punct("(") and not self._at_query_in_parentheses():
            return self._values_row()
        if self._accept("row"):
            row = self._values_row()
            row.set("explicit", True)
            return row
        return self._a_expr()

    def _returning(self) -> exp.Returning | None:
        """returning_clause"""
        if not self._accept("returning"):
            return None
        names: list[exp.Expression] = []
        if self._at("with") and self._peek(1).kind == "(":
            self._advance()
            names = [*self._parenthesised_list(self._returning_name)]
        return exp.Returning(expressions=self._list(self._target), names=names)

    def _returning_name(self) -> exp.Identifier:
        """OLD AS name, NEW AS name"""
        if not self._accept("old"):
            self._expect("new")
        self._expect("as")
        return self._col_id()

    def _changed_relation(self) -> exp.Table:
        """relation_expr_opt_alias: SET is no alias here"""
        relation = self._relation_expr()
        if self._accept("as") or (self._at_col_id() and not self._at("set")):
            relation.set("alias", exp.TableAlias(this=self._col_id()))
        return relation

    def _update(self) -> exp.Expression:
        """UpdateStmt, after UPDATE"""
        update = exp.Update(this=self._changed_relation())
        self._expect("set")
        update.set("expressions", self._list(self._assignment))
        if self._accept("from"):
            update.set("from_", exp.From(expressions=self._list(self._table_ref)))
        return self._changed_rows(update)

    def _delete(self) -> exp.Expression:
        """DeleteStmt, after DELETE"""
        self._expect("from")
        delete = exp.Delete(this=self._changed_relation())
        if self._accept("using"):
            delete.set("using", self._list(self._table_ref))
        return self._changed_rows(delete)

    def _changed_rows(self, change: exp.Expression) -> exp.Expression:
        """where_or_current_clause and returning_clause"""
        if self._accept("where"):
            if self._at("current", "of"):
                self._refuse("cursors are not allowed: WHERE CURRENT OF")
            change.set("where", exp.Where(this=self._a_expr()))
        change.set("returning", self._returning())
        return change

    def _merge(self) -> exp.Merge:
        """MergeStmt, after MERGE"""
        self._expect("into")
        merge = exp.Merge(this=self._changed_relation())
        self._expect("using")
        merge.set("using", self._table_ref())
        self._expect("on")
        merge.set("on", self._a_expr())
        whens = []
        while self._accept("when"):
            whens.append(self._merge_when())
        if not whens:
            self._unexpected()
        merge.set("whens", whens)
        merge.set("returning", self._returning())
        return merge

    def _merge_when(self) -> exp.When:
        """merge_when_clause, after WHEN"""
        inserts = self._accept("not", "matched")
        if not inserts:
            self._expect("matched")
        elif self._accept("by", "source"):
            inserts = False
        elif self._accept("by"):
            self._expect("target")
        condition = self._a_expr() if self._accept("and") else None
        self._expect("then")
        return exp.When(condition=condition, then=self._merge_action(inserts))

    def _merge_action(self, inserts: bool) -> exp.Expression:
        if self._accept("do"):
            self._expect("nothing")
            return exp.Var(this="DO NOTHING")
        if inserts:
            self._expect("insert")
            return self._merge_insert()
        if self._accept("delete"):
            return exp.Delete()
        self._expect("update", "set")
        return exp.Update(expressions=self._list(self._assignment))

    def _merge_insert(self) -> exp.Insert:
        insert = exp.Insert()
        if self._accept("default"):
            self._expect("values")
            return insert
        if self._at_punct("("):
            insert.set("columns", self._parenthesised_list(self._target_column))
        if self._accept("overriding"):
            if not self._accept("system"):
                self._expect("user")
            self._expect("value")
        self._expect("values")
        insert.set("expression", self._values_row())
        return insert
