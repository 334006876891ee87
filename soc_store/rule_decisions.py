"""The states that people put rules in, with every decision and its reason; each is in the audit record."""

from sqlalchemy import Engine, delete, insert, select

from soc_model.audit import Act
from soc_model.person import Actor
from soc_model.problem import Problem
from soc_model.rule_state import REASON_CHARS, RuleDecision, RuleState
from soc_store.audit import write_act
from soc_store.packing import text
from soc_store.state_database import writing
from soc_store.state_tables import rule_decision, rule_state

RULE_ID_CHARS = 200


class RuleDecisions:
    """What was decided of rules; safe to use from many threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def states(self) -> dict[str, RuleState]:
        """The state of each rule that somebody decided on and that is not the one it begins with."""
        with self._engine.begin() as connection:
            return {row.rule_id: RuleState(row.state) for row in connection.execute(select(rule_state))}

    def decide(
        self, rule_id: str, state: RuleState, reason: str, *, first: RuleState, actor: Actor, now: int
    ) -> RuleDecision | None:
        """Put a rule into a state; None, and nothing is kept, when it is in it already.

        ``first`` is the state it begins with. ``Problem`` without a reason, which people ask for later.
        """
        reason = text(reason).strip()
        if not reason or len(reason) > REASON_CHARS:
            raise Problem("reason", f"must have 1 to {REASON_CHARS} characters")
        if not 0 < len(rule_id) <= RULE_ID_CHARS:
            raise Problem("rule_id", f"must have 1 to {RULE_ID_CHARS} characters")
        with writing(self._engine) as connection:
            known = connection.execute(select(rule_state.c.state).where(rule_state.c.rule_id == rule_id)).scalar()
            before = RuleState(known) if known is not None else first
            if before is state:
                return None
            connection.execute(delete(rule_state).where(rule_state.c.rule_id == rule_id))
            if state is not first:
                connection.execute(insert(rule_state).values(rule_id=rule_id, state=state))
            made = RuleDecision(rule_id=rule_id, before=before, after=state, reason=reason, person=actor.name, at=now)
            values = {name: getattr(made, name) for name in made.__struct_fields__}
            connection.execute(insert(rule_decision).values(values))
            said = {"before": before.value, "after": state.value, "why": reason}
            write_act(connection, Act.RULE_STATE, actor, f"rule {rule_id}", now, **said)
        return made

    def decisions(self, rule_id: str, limit: int = 50) -> list[RuleDecision]:
        """What was decided of one rule, the latest first."""
        query = select(rule_decision).where(rule_decision.c.rule_id == rule_id)
        with self._engine.begin() as connection:
            rows = connection.execute(query.order_by(rule_decision.c.id.desc()).limit(limit)).mappings()
            return [_decision(dict(row)) for row in rows]


def _decision(row: dict[str, object]) -> RuleDecision:
    states = {name: RuleState(str(row[name])) for name in ("before", "after")}
    return RuleDecision(**{name: row[name] for name in row if name != "id"} | states)  # type: ignore[arg-type]
