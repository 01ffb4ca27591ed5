"""What people ordered to be answered where it was said, each answer once."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Update, select, update

from pipeline.reply import Reply
from pipeline.text import storable
from storage.database import Database, columns, insert, made, values
from storage.done import AWAITED, settle
from storage.tables import CASE_MENTION, CASES, REPLY

_REPLY = columns(Reply, REPLY)


class Replied(Database):
    """The part of the store that remembers the answers."""

    def order_reply(self, reply: Reply, *, again: bool = False) -> Reply:
        """Remember that this answer is about to be tried; the one of its key as it stood before, if there was any.

        One that surely did not go out is now as if it were ordered for the first time; with `again` so is one of
        which nobody knows whether it did.
        """
        row = values(reply) | {"text": storable(reply.text)}
        with self._write() as connection:
            connection.execute(insert(connection, REPLY).on_conflict_do_nothing(), row)
            ours = select(*_REPLY).where(REPLY.c.key == reply.key).with_for_update()
            known = made(Reply, connection.execute(ours).one())
            if again or known.error is not None:
                connection.execute(_unsent(reply.key).values(ordered_at=reply.ordered_at, error=None))
        return known

    def mark_replied(self, key: str, receipt: str, at: datetime, *, settling: Collection[str] = ()) -> None:
        """The answer is out, and stays so; the case of its mention waits for it no longer.

        In the same transaction those of the sinks `settling` that heard of the case are told so.
        """
        told = select(REPLY.c.mention_key).where(REPLY.c.key == key).scalar_subquery()
        theirs = select(CASE_MENTION.c.case_key).where(CASE_MENTION.c.mention_key == told)
        with self._write() as connection:
            sent = _unsent(key).values(sent_at=at, receipt=storable(receipt), error=None)
            if connection.execute(sent).rowcount == 1:
                case = update(CASES).where(CASES.c.key.in_(theirs), *AWAITED).values(answered_at=at)
                settle(connection, case, at, settling)

    def mark_reply_failed(self, key: str, error: str) -> None:
        """The answer surely did not go out."""
        with self._write() as connection:
            connection.execute(_unsent(key).values(error=storable(error)))

    def replies_to(self, mention_key: str) -> list[Reply]:
        """The answers ordered to a mention, oldest first."""
        question = select(*_REPLY).where(REPLY.c.mention_key == mention_key).order_by(REPLY.c.ordered_at, REPLY.c.key)
        with self._read() as connection:
            return [made(Reply, row) for row in connection.execute(question)]


def _unsent(key: str) -> Update:
    return update(REPLY).where(REPLY.c.key == key, REPLY.c.sent_at.is_(None))
