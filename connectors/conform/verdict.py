"""Verdict: whether an error is the right one, says where, and keeps what is secret."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote_plus

from pydantic import BaseModel, SecretStr

from connectors.conform.faults import Fault
from connectors.conform.grade import Failing, Severity
from connectors.conform.stage import Stage
from connectors.contract import Sink, Source
from pipeline.errors import ChangedError, EarfulError, TemporaryError

TOLERANCE = timedelta(seconds=5)
"""An error that asks for a wait may differ by this, for time goes by."""
LONGEST_SECRET_LESS = 4
"""What is this short is found in any text."""


@dataclass(slots=True)
class Verdict:
    """Judges what a connector of this name and with these secrets raised on this stage."""

    stage: Stage
    name: str
    secrets: list[str]

    def named(self, fault: str, error: Exception) -> list[Failing]:
        """Whether an error is one of ours, says where, and keeps our secrets."""
        if not isinstance(error, EarfulError):
            return [Failing(fault, Severity.UNNAMED, f"raised {said(error)}", "an error of pipeline.errors")]
        words, failings = repr(error) + str(error), list[Failing]()
        queries = {unquote_plus(value) for request in self.stage.asked for _, value in request.url.params.multi_items()}
        told = [secret for secret in self.secrets if secret in words]
        told += [value for value in queries if len(value) > LONGEST_SECRET_LESS * 2 and value in words]
        if told:
            failings.append(
                Failing(fault, Severity.SECRET, "the error tells a secret or a query", "it names the place")
            )
        hosts = {request.url.host for request in self.stage.asked} | {self.name}
        if not any(host in words for host in hosts):
            failings.append(Failing(fault, Severity.TOLD, f"does not say where: {said(error)}", "names the host"))
        return failings

    def expected(self, fault: Fault, error: Exception | None, at: int = 1) -> list[Failing]:
        """Whether what a walk raised is what the fault calls for."""
        one = fault.of_one and at > 1  # a 404 that is not the place's own word for "gone" may be named as that, too
        errors = (*fault.errors, ChangedError) if one else fault.errors
        wanted = " or ".join(kind.__name__ for kind in errors)
        if error is None:
            must = self.stage.hit and fault.must and not one
            return [Failing(fault.name, Severity.UNNAMED, "went on as if all were well", wanted)] if must else []
        failings = self.named(fault.name, error)
        if isinstance(error, EarfulError) and self.stage.hit and not isinstance(error, errors):
            failings.append(Failing(fault.name, Severity.UNNAMED, f"raised {said(error)}", wanted))
        if fault.waits and isinstance(error, TemporaryError):
            wait = error.retry_after
            if wait is None if not fault.or_none else wait is not None and abs(wait - fault.waits) > TOLERANCE:
                asked = f"waits for {fault.waits.total_seconds():.0f} s"
                failings.append(Failing(fault.name, Severity.TOLD, f"understood a wait of {wait}", asked))
        return failings


def said(error: Exception) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:300]


def secrets_of(source: Source | Sink) -> list[str]:
    """All secrets in the settings, wherever they stand."""
    return [secret for secret in _secrets(source) if len(secret) > LONGEST_SECRET_LESS]


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, dict):
        for held in value.values():
            yield from _secrets(held)
    elif isinstance(value, list | tuple | set | frozenset):
        for held in value:
            yield from _secrets(held)
    elif isinstance(value, BaseModel):
        yield from _secrets(dict(value))
