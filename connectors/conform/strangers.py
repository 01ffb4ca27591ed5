"""Strangers: a connector or a place that somebody names, found, looked over and agreed with each other."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connectors.conform.alerts import MINE
from connectors.conform.faults import NO_PORT
from connectors.conform.grade import Failing, Severity
from connectors.conform.step import broke, refused
from connectors.conform.world import Desk, World
from connectors.contract import Sink, Source
from pipeline.errors import SettingsError

ATTRIBUTES: dict[type, dict[str, type]] = {
    Source: {"label": str, "docs": str, "quiet_after": timedelta},
    Sink: {"label": str, "docs": str, "text_limit": int, "settles": bool, "honours_key": bool},
    World: {"kind": str, "page": int},
    Desk: {"kind": str, "by_case": bool, "knows": bool},
}
"""What a class of each contract says of itself, and as what."""
METHODS: dict[type, tuple[str, ...]] = {
    Source: ("pages", "parse", "answer", "gone", "worded", "length", "reply", "place"),
    Sink: ("send",),
    World: ("settings", "answer"),
    Desk: ("settings", "answer", "found", "delete"),
}
SETTINGS = "its settings"


def named(name: str) -> type:
    """The class that is named as `package.module:Class`, the current folder searched too."""
    module, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        home = importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise SettingsError(f"{module} needs the module {error.name}, which is not installed") from None
        why = f"there is no module {error.name}, seen from {Path.cwd().name}/"
        raise SettingsError(f"{name} is not to be found: {why}; write package.module:Class") from None
    except (ValueError, TypeError):
        raise SettingsError(f"{name} is not to be found: write package.module:Class") from None
    except BaseException as error:  # noqa: BLE001 - a stranger's module may do anything when it is imported
        raise SettingsError(f"{module} cannot be imported: it {broke(error)}; mend that first") from None
    found = getattr(home, attribute, None)
    if found is None:
        known = [each for each, held in vars(home).items() if isinstance(held, type) and held.__module__ == module]
        there = f"there are {', '.join(sorted(known))}" if known else "there is no class of its own"
        raise SettingsError(f"{name} is not to be found: in {module} {there}")
    if not isinstance(found, type):
        raise SettingsError(f"{name} is no class")
    return found


def looked_over(found: type, contract: type) -> None:
    """Raises a SettingsError that names all that a class lacks to keep a contract's form."""
    if wrong := [*_lacking(found, contract)]:
        raise SettingsError("\n".join(f"{found.__name__}: {each}" for each in wrong))


def _lacking(found: type, contract: type) -> Iterator[str]:
    home = f"{contract.__module__}.{contract.__name__}"
    for name, kind in ATTRIBUTES[contract].items():
        held = inspect.getattr_static(found, name, None)
        if not isinstance(held, kind):
            yield f"write {name}: ClassVar[{kind.__name__}], as {home} has it"
    missing = getattr(found, "__abstractmethods__", frozenset[str]())
    for name in METHODS[contract]:
        wanted = [*inspect.signature(getattr(contract, name)).parameters]
        takes = f"def {name}({', '.join(wanted)})"
        if name in missing:
            yield f"the method {name} is missing: write {takes}, as {home} has it"
        elif why := _unfit(found, name, len(wanted)):
            yield f"{why}: write {takes}, as {home} has it"
    for name in sorted(missing - {*METHODS[contract]}):
        yield f"the method {name} is missing: it is abstract, and no class above it writes it"


def _unfit(found: type, name: str, given: int) -> str | None:
    """Why a method cannot be called with so many values, its own object counted."""
    held, method = inspect.getattr_static(found, name), getattr(found, name)
    if not callable(method):
        return f"{name} is no method"
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        return f"the method {name} is async, and nobody awaits it"
    bound = isinstance(held, staticmethod | classmethod)
    try:
        signature = inspect.signature(method)
        signature.bind(*[None] * (given - bound))
    except TypeError:
        return f"the method {name} takes {signature}"
    except ValueError:  # written in C: nobody knows what it takes
        return None
    return None


def agreed(connector: type[Source | Sink], place: type[World | Desk]) -> tuple[type[World | Desk], list[Failing]]:
    """The place, as far as the connector takes its settings: each that it refuses is left out, and costs points.

    Raises a SettingsError where the place cannot be made, or where nothing is left to try. The place's own address is
    never left out, for what would be tried then is a server of somebody else.
    """
    name, settings = place.__name__, _settings(place)
    try:
        connector.model_validate({"name": MINE, **settings})
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
        told = f"{connector.__name__} refuses settings that {name}.settings() gives it: {refused(error)}"
        wrong -= {"kind", *(key for key, value in settings.items() if NO_PORT in str(value))}
        fewer = {key: value for key, value in settings.items() if key not in wrong}
        try:
            connector.model_validate({"name": MINE, **fewer})
        except Exception:  # noqa: BLE001 - the first reason is the one to mend
            raise SettingsError(f"{told}; mend one of the two, they must be of one kind") from None
        fewer_settings = {"settings": _without(place, wrong)}
        return type(name, (place,), fewer_settings), [Failing(SETTINGS, Severity.TOLD, told, "settings that can work")]
    except Exception as error:  # noqa: BLE001 - a stranger's validator may raise anything
        raise SettingsError(f"{connector.__name__} cannot be made of its settings: it {broke(error)}") from None
    return place, []


def _settings(place: type[World | Desk]) -> dict[str, Any]:
    name = place.__name__
    try:
        made = place()
    except Exception as error:  # noqa: BLE001 - a stranger's constructor may raise anything
        raise SettingsError(f"{name}() {broke(error)}; it must be made without a word") from None
    try:
        settings: object = made.settings(NO_PORT)
    except Exception as error:  # noqa: BLE001 - as above
        raise SettingsError(f"{name}.settings() {broke(error)}; it must give the settings at an address") from None
    if not isinstance(settings, dict):
        raise SettingsError(f"{name}.settings() gave {type(settings).__name__}; it must give a dict of settings")
    return settings


def _without(place: type[World | Desk], wrong: set[str]) -> Callable[[World | Desk, str], dict[str, Any]]:
    def settings(self: World | Desk, address: str) -> dict[str, Any]:
        return {key: value for key, value in place.settings(self, address).items() if key not in wrong}  # type: ignore[arg-type]

    return settings
