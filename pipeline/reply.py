"""Reply: what a person ordered to be answered where a mention was said, and what became of it."""

import hashlib
from datetime import datetime

from sqlmodel import Field, SQLModel


class Reply(SQLModel):
    """One answer to one mention. Times are aware; `sent_at` is null while nobody knows that it is out."""

    key: str = Field(description="Of the mention and the words, so that ordering it twice is ordering it once.")
    mention_key: str
    text: str
    ordered_at: datetime
    sent_at: datetime | None = None
    receipt: str | None = None
    error: str | None = None


def reply_key(mention_key: str, text: str) -> str:
    """The same for the same words to the same mention."""
    return "R-" + hashlib.sha256(f"{mention_key}\n{text}".encode("utf-8", "replace")).hexdigest()
