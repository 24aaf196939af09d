"""The first wall: a text is read exactly as PostgreSQL would read it and judged, or refused.

`Validator` is the only thing that the rest of the service needs. Reading and judging a text knows nothing of the
tenant and is remembered by text; what remains for each request is to compare sets.
"""

from postgate.errors import StatementRefused
from postgate.operations import OPERATIONS
from postgate.operations import Tenant as Tenant
from postgate.remembered import Remembered
from postgate.validator.analysis import analyse
from postgate.validator.facts import Facts as Facts
from postgate.validator.facts import Refusal as Refusal
from postgate.validator.fingerprint import without_constants
from postgate.validator.hints import of_schema
from postgate.validator.limits import DEFAULT
from postgate.validator.limits import TextLimits as TextLimits
from postgate.validator.reading.lexer import LexError, read
from postgate.validator.reading.places import TextError

_WRITES = frozenset({"INSERT", "UPDATE", "DELETE"})
_REMEMBERED_TEXTS = 2_048
# Characters. Longer texts are mostly bulk inserts that never come again, and would fill the memory of a worker.
_REMEMBERED_LENGTH = 8_192
# Characters: longer texts do not stand in a log, and of shorter ones no more than this.
LOGGED_LENGTH, _SHOWN = 65_536, 2_000


class Validator:
    """Judges texts under the limits of one configuration.

    Attributes:
        remembered: what `read` has said of a text before; None where it has to be read.
    """

    def __init__(self, limits: TextLimits = DEFAULT) -> None:
        self._limits = limits
        # A text means the same for ever, to this version of the code: nothing makes an entry stale.
        self._outcomes: Remembered[str, Facts | Refusal] = Remembered(_REMEMBERED_TEXTS)
        self.remembered = self._outcomes.get

    def read(self, sql: str) -> Facts | Refusal:
        """What one SQL text does, or why nobody may run it."""
        return self.remembered(sql) or self._analyse(sql)

    def judge(
        self, sql: str, tenant: Tenant, outcome: Facts | Refusal | None = None, follows_others: bool = False
    ) -> Facts:
        """What one SQL text does, if the tenant may do it.

        Args:
            outcome: what `read` has said of the text, if it was asked already.
            follows_others: whether the statement is not the first of its transaction.

        Raises:
            StatementRefused: the text is not one statement that PostgreSQL could run, is larger than the limits, is
                outside the allow-list, or needs an operation that the tenant's token lacks.
        """
        facts = outcome or self.read(sql)
        if isinstance(facts, Refusal):
            raise _refused(facts)
        if facts.needs_earlier and not follows_others:
            raise _refused(facts.needs_earlier)
        if not facts.operations <= tenant.operations:
            raise _denied(min(facts.operations - tenant.operations), tenant)
        if facts.advances_sequence and not tenant.operations & {"INSERT", "UPDATE"}:
            raise _denied("INSERT", tenant, " (nextval changes a sequence)")
        if facts.kind == "CREATE VIEW" and "SELECT" not in tenant.operations and tenant.operations & _WRITES:
            # Which rows of a view a change finds is what its query says of all rows.
            raise _denied("SELECT", tenant, " (a token that writes would read through the view)")
        for schema, offset in facts.qualifiers.items():
            if schema != tenant.schema:
                message = f'Schema "{schema}" is not accessible; use the unqualified name'
                raise _refused(Refusal.of(TextError(message, sql, offset, "qualified_name", of_schema(schema))))
        return facts

    def without_constants(self, sql: str) -> str:
        """The text with ? for each constant, or its beginning; "" where it is not made of PostgreSQL's tokens, so that
        nobody can tell the constants."""
        try:
            text = without_constants(read(sql, self._limits).tokens)
        except LexError:
            return ""
        return text if len(text) <= _SHOWN else text[:_SHOWN] + " ..."

    def _analyse(self, sql: str) -> Facts | Refusal:
        outcome = analyse(sql, self._limits)
        if len(sql) <= _REMEMBERED_LENGTH:
            self._outcomes.put(sql, outcome)
        return outcome


def _refused(refusal: Refusal) -> StatementRefused:
    fields: dict[str, object] = {"reason": refusal.reason}
    if refusal.hint:
        fields["hint"] = refusal.hint
    if refusal.place is not None:
        fields |= refusal.place.members()
    return StatementRefused(refusal.message, fields)


def _denied(operation: str, tenant: Tenant, why: str = "") -> StatementRefused:
    allowed = ", ".join(name for name in OPERATIONS if name in tenant.operations)
    has = f"the token has {allowed}" if allowed else "the token has no operation at all"
    return StatementRefused(
        f"Operation {operation} is not allowed{why}; {has}",
        {"reason": "operation_denied", "hint": f"use a token that has {operation} too"},
    )
