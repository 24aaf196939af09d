"""Attacks of the sample against one wall, the other one taken down."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import psycopg
import pytest

from postgate.access.registry import Access
from postgate.executor import prologue
from postgate.executor.job import Statement, Step
from postgate.validator import Facts
from postgate.validator.reading.lexer import LexError, tokenize
from support.sample import text
from support.service import ALL, Answer, Service, Tenant, a_service

# POSTGATE_TEST_WALL=database, or =validator, runs the sample against that wall only.
WALLS = tuple(filter(None, [os.environ.get("POSTGATE_TEST_WALL", "")])) or ("database", "validator")
TIMEOUT_MS = 1_500
MAX_REPEATS = 6
# How a transaction is opened where a test changes what the function does.
BY_FUNCTION = b"SELECT pg_catalog.set_config('application_name', $5, true), postgate_internal.enter($1, $2, $3, $4)"

# How a statement begins tells who has to run it, whatever else is in it.
DEFINITIONS = {
    "create": "CREATE",
    "refresh": "CREATE",
    "alter": "ALTER",
    "comment": "ALTER",
    "drop": "DROP",
    "truncate": "DROP",
}

VICTIM = """
    CREATE TABLE secrets (id int PRIMARY KEY, secret text);
    CREATE INDEX secrets_secret_idx ON secrets (secret);
    INSERT INTO secrets VALUES (1, '{marker}');
    CREATE VIEW secret_view AS SELECT * FROM secrets;
    CREATE TABLE inbox (id serial PRIMARY KEY, body text);
    INSERT INTO inbox (body) VALUES ('{marker}');
    CREATE TABLE parted (id int, secret text) PARTITION BY LIST (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
"""
ATTACKER = """
    CREATE TABLE own (id int PRIMARY KEY, v text);
    INSERT INTO own VALUES (1, 'a'), (2, 'b'), (3, 'c');
    CREATE TABLE own2 (id int, v text);
    INSERT INTO own2 VALUES (1, 'x');
    CREATE VIEW own_view AS SELECT v FROM own;
"""
# What an attacker must not change: the victim's data, and what stands outside of the attacker's schema.
SNAPSHOT = """
    SELECT 'secret', id::text || secret FROM {victim}.secrets
    UNION ALL SELECT 'inbox', id::text || body FROM {victim}.inbox
    UNION ALL SELECT 'sequence', last_value::text FROM {victim}.inbox_id_seq
    UNION ALL SELECT 'relation', concat_ws(' ', c.oid::regclass, c.relowner::regrole, c.relacl, c.relrowsecurity)
        FROM pg_class AS c
        WHERE c.relkind <> 't' AND c.relnamespace::regnamespace::text ~ '^(public|postgate_.*|{victim})$'
    UNION ALL SELECT 'rule', concat_ws(' ', oid, ev_class::regclass) FROM pg_rewrite
        WHERE ev_class::regclass::text LIKE '{victim}%'
    UNION ALL SELECT 'trigger', concat_ws(' ', tgname, tgenabled) FROM pg_trigger
        WHERE tgrelid::regclass::text LIKE '{victim}%'
    UNION ALL SELECT 'function', concat_ws(' ', oid::regprocedure, proconfig) FROM pg_proc
        WHERE pronamespace::regnamespace::text ~ '^(public|postgate_.*|{victim})$'
    UNION ALL SELECT 'schema', concat_ws(' ', nspname, nspowner::regrole, nspacl) FROM pg_namespace
        WHERE nspname NOT LIKE 'pg_%'
    UNION ALL SELECT 'setting', concat_ws(' ', setdatabase, setrole::regrole, setconfig) FROM pg_db_role_setting
        WHERE setrole::regrole::text NOT LIKE '%{attacker_role}%'
    UNION ALL SELECT 'role', concat_ws(' ', rolname, rolsuper, rolcreaterole) FROM pg_roles
        WHERE rolname NOT LIKE '{attacker_role}%'
    UNION ALL SELECT 'described', description FROM pg_shdescription
    ORDER BY 1, 2
"""

stopped: Counter[str] = Counter()
tried: Counter[str] = Counter()


def unjudged(access: Access, statement: Statement) -> Facts:
    """What stands in for the validator's facts: everything is allowed."""
    try:
        words = [token.value for token in tokenize(statement.sql) if token.kind == "IDENT"]
    except LexError:
        words = []
    return Facts(
        operations=access.tenant.operations,
        placeholders=len(statement.params),
        defines=DEFINITIONS.get(words[0], "") if words else "",
    )


class NoValidator:
    """What stands in for the validator itself."""

    def read(self, sql: str) -> Facts:
        """Nothing is known of any text."""
        return Facts()

    def remembered(self, sql: str) -> None:
        """Nor is it kept."""


@contextmanager
def service_with(wall: str, conninfo: str, timeout_ms: int = TIMEOUT_MS) -> Iterator[Service]:
    """The service on a migrated database, with this wall only, with both or with none."""
    with ExitStack() as stack:
        service = stack.enter_context(a_service(conninfo, statement_timeout_ms=timeout_ms))
        if wall in ("database", "none"):
            assert service.app is not None
            served = service.app.extensions["postgate"]
            served.validator = NoValidator()
            served._judge = lambda request, _, access: [
                Step(each, unjudged(access, each)) for each in request.statements
            ]
        if wall in ("validator", "none"):
            stack.enter_context(patch.object(prologue, "ENTER", BY_FUNCTION))
            take_down_the_database_wall(service)
        yield service


def take_down_the_database_wall(service: Service) -> None:
    """Tenants run as the gateway itself, a superuser, with nothing but their search_path."""
    service.execute("SELECT postgate_internal.soften()")
    for (trigger,) in service.execute("SELECT evtname FROM pg_event_trigger WHERE evtname !~ '_note_'"):
        service.execute(f"DROP EVENT TRIGGER {trigger}")
    service.execute(
        """CREATE OR REPLACE FUNCTION postgate_internal.enter(
            p_token_hash text, p_version text, p_timeout_ms integer, p_operation text) RETURNS void LANGUAGE plpgsql
        AS $$ BEGIN
            PERFORM postgate_internal.enter($1, split_part($2, ':', 1) || ':' || split_part($2, ':', 2), $3);
        END $$"""
    )


class Attack:
    """One case of the sample, with tenants of its own."""

    def __init__(self, service: Service, case: dict[str, Any], opener: str = "") -> None:
        """
        Args:
            opener: a statement that the attacker's come after, each as the second one of a batch.
        """
        self.service = service
        self.opener = opener
        self.case = case
        self.marker = f"marker{uuid4().hex}"
        self.victim, self.attacker = service.tenant(), service.tenant(operations=ALL)
        self.operations = {ALL: self.attacker.token}
        self.values = {
            "victim": self.victim.schema,
            "victim_db": self.victim.id,
            "attacker": self.attacker.schema,
            "attacker_db": self.attacker.id,
            "dbname": service.execute("SELECT current_database()")[0][0],
            "uniq": f"u{uuid4().hex[:12]}",
            "gwrole": service.execute("SELECT current_user")[0][0],
            "canary_pid": str(service.execute("SELECT pg_backend_pid()")[0][0]),
            "marker": self.marker,
        }
        self._build(self.victim, VICTIM)
        self._build(self.attacker, ATTACKER)
        self.answers: list[Answer] = []

    def success(self) -> str:
        """Run it, and say what the attacker got, changed or kept others from; "" when it was stopped."""
        for step in [self.case, *self.case.get("before", ()), *self.case.get("after", ())]:
            self._token(tuple(step.get("token_ops", self.case["token_ops"])))
        for step in self.case.get("before", ()):
            self._step(step)
        before = self._snapshot()
        answers = self._send(self.case)
        changed = set(self._snapshot()) ^ set(before)
        leaked = [answer.text[:200] for answer in answers if self._leaks(answer, self.case.get("leak"))]
        refused: list[str] = []
        for step in self.case.get("after", ()):
            later = self._step(step)
            if step["as"] == "attacker":
                leaked += [answer.text[:200] for answer in later if self._leaks(answer, step.get("leak"))]
            if step.get("expect_ok"):
                refused += [answer.text[:200] for answer in later if answer.status != 200]
        check = self.case.get("check")
        done = bool(check and self.service.execute(self._text(check))[0][0])
        alive = self.service.request("GET", "/health").status == 200
        found = {"leaked": leaked, "changed": changed, "refused to others": refused, "done": done, "dead": not alive}
        return ", ".join(f"{name}: {what}" for name, what in found.items() if what)

    def clean_up(self) -> None:
        for sql in self.case.get("cleanup", ()):
            try:
                self.service.execute(self._text(sql))
            except Exception as error:
                # What was never made cannot be removed.
                print(f"cleaning up: {error}")
        self.service.execute("SELECT delete_tenant_database(%s)", self.attacker.id)
        self.service.execute("SELECT delete_tenant_database(%s)", self.victim.id)

    def _step(self, step: dict[str, Any]) -> list[Answer]:
        if step["as"] == "superuser":
            try:
                self.service.execute(self._text(step["sql"]))
            except (psycopg.errors.FeatureNotSupported, psycopg.errors.InsufficientPrivilege) as error:
                pytest.skip(str(error).splitlines()[0])
            return []
        if step["as"] == "victim":
            return self._send(step, self.victim.token)
        return self._send(step)

    def _send(self, step: dict[str, Any], token: str | None = None) -> list[Answer]:
        token = token or self._token(tuple(step.get("token_ops", self.case["token_ops"])))
        raw = step.get("raw")
        body = self._text(raw) if raw is not None else self._body(step)
        times = min(step.get("repeat", 1), MAX_REPEATS)
        return [self.service.post(body.encode(), token) for _ in range(times)]

    def _body(self, step: dict[str, Any]) -> str:
        statement = {"sql": self._text(step["sql"]), "params": step.get("params") or []}
        if not self.opener or step.get("as") == "victim":
            return json.dumps(statement)
        return json.dumps({"queries": [{"sql": self.opener}, statement]})

    def _token(self, operations: tuple[str, ...]) -> str:
        known = tuple(operation for operation in ALL if operation in operations)
        if known not in self.operations:
            self.operations[known] = self.service.token(self.attacker.id, ",".join(known) or "none", known)
        return self.operations[known]

    def _leaks(self, answer: Answer, leak: Any) -> bool:
        if self.marker in answer.text:
            return True
        if isinstance(leak, dict) and "re_any" in leak:
            return re.search(self._text(leak["re_any"]), answer.text) is not None
        if answer.status != 200 or leak is None or leak == "marker":
            return False
        if leak == "ok":
            return True
        pattern = leak["re"] if isinstance(leak, dict) else leak
        return re.search(self._text(pattern), answer.text) is not None

    def _snapshot(self) -> list[tuple[Any, ...]]:
        role = "postgate_" + self.attacker.id.replace("-", "")
        return self.service.execute(SNAPSHOT.format(victim=self.victim.schema, attacker_role=role))

    def _build(self, tenant: Tenant, script: str) -> None:
        self.service.execute(f"SET search_path = {tenant.schema}; " + script.format(marker=self.marker))

    def _text(self, template: str) -> str:
        return text(template, self.values)
