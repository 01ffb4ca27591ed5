"""Manners: how we ask other people's servers; the table [http] of the settings."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator

from connectors.guard import allowed_host
from pipeline.route import Duration


class Http(BaseModel, frozen=True, extra="forbid"):
    """How patient we are with other people's servers."""

    attempts: int = Field(
        default=3, ge=1, le=10, description="Times one request is tried before the source has to wait."
    )
    patience: Duration = Field(
        default=timedelta(seconds=30), description="The most that all waits of one request may take together."
    )
    contact: str | None = Field(
        default=None,
        pattern=r"^[\x21-\x7e]{1,200}$",
        description='Where those who run a source can reach you, such as "mailto:you@example.com".',
    )
    private_hosts: tuple[str, ...] = Field(
        default=(),
        description='Hosts that may be at a private address, such as ["intranet.example"], one port or all of them.',
    )
    cache: Path | Literal[False] = Field(
        default=Path("earful-cache.db"),
        description="File for public pages that need not be sent again while they are as they were; false for none.",
    )

    @field_validator("private_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            allowed_host(host)
        return value

    def cache_in(self, folder: Path) -> Path | None:
        """The file for public pages, if its name is to be read from a folder."""
        return folder / self.cache.expanduser() if self.cache else None
