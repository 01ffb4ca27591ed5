"""Circuit: a host that failed again and again, and until when it is left alone."""

from datetime import datetime

from sqlmodel import SQLModel


class Circuit(SQLModel):
    """How often one host failed in a row, until when nobody asks it (null: it may be asked), and why. Aware times."""

    host: str
    failures: int
    open_until: datetime | None = None
    why: str | None = None
