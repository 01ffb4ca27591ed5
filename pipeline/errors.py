"""Our errors, named for who must act.

EarfulError
├── TemporaryError   the machine, later     429, 5xx, timeouts, lost connections (carries retry_after)
├── RefusedError     the operator           401, 403, 404, 410: key revoked, page gone
├── SettingsError    the operator, first    a file that cannot work
├── ChangedError     a developer            the source no longer answers as documented
└── RecordError      no one                 one strange item: kept raw, counted, passed over
"""

from datetime import timedelta
from traceback import walk_tb
from typing import ClassVar


class EarfulError(Exception):
    """Anything Earful can say went wrong. The message names the place, never a query or a secret."""

    who_acts: ClassVar[str] = "a developer"


class TemporaryError(EarfulError):
    """The machine acts, later: try again, not before `retry_after` where the other side named a time.

    `unsure`: it may have been done all the same, for only the answer is missing.
    """

    who_acts: ClassVar[str] = "nobody: Earful tries again by itself"

    def __init__(self, message: str, retry_after: timedelta | None = None, unsure: bool = False) -> None:  # noqa: FBT001, FBT002 - unpickled by position
        super().__init__(message, retry_after, unsure)
        self.retry_after = retry_after
        self.unsure = unsure

    def __str__(self) -> str:
        return str(self.args[0])


class RefusedError(EarfulError):
    """The operator acts: a key was revoked, a page or channel is gone."""

    who_acts: ClassVar[str] = "the operator"


class SettingsError(EarfulError):
    """The operator acts before anything runs: the settings file cannot work."""

    who_acts: ClassVar[str] = "the operator"


class ChangedError(EarfulError):
    """A developer acts: the source no longer answers as documented."""


class RecordError(EarfulError):
    """Nobody acts: one strange item is kept raw, counted and passed over."""

    who_acts: ClassVar[str] = "nobody: the item is kept aside"


def ours(error: Exception) -> EarfulError:
    """An error of ours as it is; of another's only its class, and where it came up: its words may hold a secret."""
    if isinstance(error, EarfulError):
        return error
    frames = [(str(frame.f_globals.get("__name__")), line) for frame, line in walk_tb(error.__traceback__)]
    rooms = ("pipeline.", "connectors.", "storage.", "flows.")
    places = [f" at {module}:{line}" for module, line in frames if module.startswith(rooms)]
    return EarfulError(type(error).__name__ + "".join(places[-1:]))


def told(message: str, who_acts: str | None) -> str:
    """A message with who must act, unless it says so itself."""
    if not who_acts or who_acts in message:
        return message
    return f"{message}; {who_acts}" + ("" if who_acts.startswith("nobody") else " must act")
