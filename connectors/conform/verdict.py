"""Verdict: whether an error is the right one, says where, and keeps what is secret."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote_plus

from connectors.conform.faults import Fault
from connectors.conform.grade import Failing, Severity
from connectors.conform.leaks import TOO_SHORT, leaked, words_of
from connectors.conform.stage import Stage
from pipeline.errors import ChangedError, EarfulError, TemporaryError

TOLERANCE = timedelta(seconds=30)
"""An error that asks for a wait may differ by this, for time goes by."""


@dataclass(slots=True)
class Verdict:
    """Judges what a connector of this name and with these secrets raised on this stage."""

    stage: Stage
    name: str
    secrets: list[str]

    def named(self, fault: str, error: Exception) -> list[Failing]:
        """Whether an error is one of ours, says where, and keeps our secrets."""
        if not isinstance(error, EarfulError):
            failings = [Failing(fault, Severity.UNNAMED, f"raised {said(error)}", "an error of pipeline.errors")]
            if how := leaked(self.secrets, words_of(error)):
                told = f"{type(error).__name__} tells a secret of the settings, {how}"
                failings.append(Failing(fault, Severity.SECRET, told, "it names the place"))
            return failings
        words, failings = words_of(error), list[Failing]()
        queries = {unquote_plus(value) for request in self.stage.asked for _, value in request.url.params.multi_items()}
        how = leaked(self.secrets, words)
        if how:
            told = f"the error tells a secret of the settings, {how}"
            failings.append(Failing(fault, Severity.SECRET, told, "it names the place"))
        elif any(len(value) > TOO_SHORT * 2 and value in words for value in queries):
            failings.append(Failing(fault, Severity.SECRET, "the error tells a query", "it names the place"))
        hosts = {request.url.host for request in self.stage.asked} | {self.name}
        if not any(host in f"{error!r}{error}" for host in hosts):
            failings.append(Failing(fault, Severity.TOLD, f"does not say where: {said(error)}", "names the host"))
        return failings

    def expected(self, fault: Fault, error: Exception | None, at: int = 1) -> list[Failing]:
        """Whether what a walk raised is what the fault calls for."""
        one = fault.of_one and at > 1  # a 404 that is not the place's own word for "gone" may be named as that, too
        errors = (*fault.errors, ChangedError) if one else fault.errors
        wanted = " or ".join(kind.__name__ for kind in errors)
        impatient = self.impatient(fault)
        if error is None:
            must = self.stage.hit and fault.must and not one
            return [Failing(fault.name, Severity.UNNAMED, "went on as if all were well", wanted)] if must else impatient
        failings = self.named(fault.name, error) + impatient
        if isinstance(error, EarfulError) and self.stage.hit and not isinstance(error, errors):
            failings.append(Failing(fault.name, Severity.UNNAMED, f"raised {said(error)}", wanted))
        if fault.waits and isinstance(error, TemporaryError):
            wait = error.retry_after
            if wait is None or abs(wait - fault.waits) > TOLERANCE:
                asked = f"the error's retry_after is {fault.waits.total_seconds():.0f} s"
                failings.append(Failing(fault.name, Severity.TOLD, f"understood a wait of {wait}", asked))
        return failings

    def impatient(self, fault: Fault) -> list[Failing]:
        """Whether a host that asked for a wait was asked again before it was over: here no time goes by."""
        asked = self.stage.asked
        if not (fault.waits and fault.refuses and self.stage.hit) or len(asked) < self.stage.at:
            return []
        host = asked[self.stage.at - 1].url.host
        again = sum(request.url.host == host for request in asked[self.stage.at :])
        told = f"asked {again} times more before the {fault.waits.total_seconds():.0f} s were over"
        return [Failing(fault.name, Severity.UNNAMED, told, "no request before that")] if again else []


def said(error: Exception) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
