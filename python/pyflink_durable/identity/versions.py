"""Which rule has made a digest that stands in a journal."""

from __future__ import annotations

from pyflink_durable.identity.digest import IdentityRule
from pyflink_durable.identity.digest_rule_1 import RULE_1

_OLDER = {rule.prefix: rule for rule in (RULE_1,)}


def older_rule_of(args_digest: str) -> IdentityRule | None:
    """The rule of an older release that has made a digest; None if none has."""
    return _OLDER.get(args_digest[: args_digest.find(":") + 1])
