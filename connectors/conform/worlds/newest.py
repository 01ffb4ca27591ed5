"""Newest first, by token: how most places of reviews and comments give what they have."""

from collections.abc import Sequence
from datetime import datetime

from connectors.conform.world import Said


def newest_first(
    said: Sequence[Said], token: str | None, many: int, *, edits_move: bool = False
) -> tuple[list[Said], str | None]:
    """One page behind the token, and the token of the next. A token is where a page ended, so that nothing shifts."""

    def order(each: Said) -> tuple[datetime, int]:
        return (each.edited_at or each.at) if edits_move else each.at, each.number

    left = sorted((each for each in said if not each.deleted), key=order, reverse=True)
    if token:
        ended, _, last = token.rpartition("~")
        left = [each for each in left if order(each) < (datetime.fromisoformat(ended), int(last))]
    shown = left[:many]
    if len(left) <= many:
        return shown, None
    at, number = order(shown[-1])
    return shown, f"{at.isoformat()}~{number}"
