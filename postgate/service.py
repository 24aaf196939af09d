"""The stages between a request and its rows: access, verdict, execution."""

from __future__ import annotations

from postgate.access.registry import Access, Registry
from postgate.access.usage import Usage
from postgate.api.body import Statement
from postgate.config import Config
from postgate.errors import ParseError, Unavailable
from postgate.executor import Executor, StaleAccess
from postgate.postgres.pools import Pools
from postgate.results.rows import Rows
from postgate.validator import Facts, Tenant, TextLimits, Validator

# A token that changes faster than it can be looked up is being rewritten all the time.
MOST_LOOKUPS = 5


class Service:
    """All that a worker process holds: its pools and what it remembers."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._validator = Validator(TextLimits(config.max_characters, config.max_steps, config.max_nesting))
        self.pools = Pools(config)
        self.registry = Registry(self.pools)
        self.usage = Usage(self.pools)
        self.executor = Executor(self.pools, config)

    def close(self) -> None:
        """Close every connection; what is asked after this is Unavailable."""
        self.usage.close()
        self.pools.close()

    def authenticate(self, token_hash: str) -> Access:
        """What the token opens; a remembered look-up can be stale, which `run` mends."""
        access = self.registry.remembered(token_hash) or self.registry.look_up(token_hash)
        self.usage.note(access.token_id)
        return access

    def run(self, access: Access, statement: Statement) -> Rows:
        """Judge the statement and run it, both by what the database says of the token at that moment."""
        for _ in range(MOST_LOOKUPS):
            access, facts = self._judge(access, statement)
            try:
                return self.executor.run(access, facts, statement)
            except StaleAccess:
                access = self.registry.look_up(access.token_hash)
        raise Unavailable("the token is being changed")

    def _judge(self, access: Access, statement: Statement) -> tuple[Access, Facts]:
        try:
            return access, self._facts(statement, access.tenant)
        except ParseError:
            # The token may have been revoked, or been given more operations, since it was looked up.
            current = self.registry.look_up(access.token_hash)
            if current == access:
                raise
        return current, self._facts(statement, current.tenant)

    def _facts(self, statement: Statement, tenant: Tenant) -> Facts:
        facts = self._validator.judge(statement.sql, tenant)
        given = len(statement.params)
        if given != facts.placeholders:
            raise ParseError(f"the statement has {facts.placeholders} placeholders, but {given} parameters are given")
        return facts
