"""The settings file as text: its secrets filled in from the environment, and where in it each fault stands."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import SettingsError
from pipeline.triage.second import is_class

Where = tuple[str | int, ...]
"""The way to a key: ("source", 1, "tag") is `tag` in the second [[source]]."""
Fault = tuple[Where, str]
"""What is wrong at a place, and the mend."""

_FOLDERS = {("digest", "folder"), ("judgement", "classifier")}
_SECRET = re.compile(r"\$[A-Za-z_]\w*")
_MENDS = {
    "extra_forbidden": "no such key; look for a slip of the pen, or leave it out",
    "missing": "this key is needed",
    "union_tag_not_found": 'say which kind it is, such as kind = "feed"',
}


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file and what it holds; SettingsError if it is none."""
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: no such file; `earful init` writes one to start from") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: this is not TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as UTF-8 text ({type(error).__name__})") from error


def fill_in(raw: dict[str, Any], folder: Path) -> list[Fault]:
    """Put `$NAME` values in from the environment, and paths relative to `folder`; what is not set is a fault."""
    faults: list[Fault] = []
    for table, key, where in list(_strings(raw, ())):
        value = table[key]
        if _SECRET.fullmatch(value):
            table[key] = os.environ.get(value[1:]) or "unset"
            if not os.environ.get(value[1:]):
                faults.append((where, f"{value} is not set; set the environment variable {value[1:]}"))
        elif where == ("judgement", "classifier") and is_class(value):
            continue  # no path
        elif where in _FOLDERS or (len(where) == len(("sink", 0, "path")) and key == "path"):
            table[key] = str(folder / Path(value).expanduser())
    if isinstance(digest := raw.setdefault("digest", {}), dict):
        digest.setdefault("folder", str(folder / "reports"))
    if "path" in raw:
        faults.append((("path",), "no such key"))
    local = re.fullmatch(r"sqlite:///(?!/)(.+)", str(raw.get("database", "sqlite:///earful.db")))
    if local:
        raw["database"] = f"sqlite:///{folder / local[1]}"
    return faults


def _strings(value: object, where: Where) -> Iterator[tuple[Any, Any, Where]]:
    """Every string in the file, as the table or list that holds it, its key there, and the way to it."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        if isinstance(inner, str):
            yield value, key, (*where, key)
        yield from _strings(inner, (*where, key))


def in_our_words(detail: Mapping[str, Any]) -> Fault:
    """One of pydantic's findings; the union's tag, which is no key of the file, is left out of the way."""
    where: Where = detail["loc"]
    if where[:1] in {("source",), ("sink",)} and len(where) > 2:  # noqa: PLR2004 - after the table's name and number
        where = (*where[:2], *where[3:])
    if detail["type"] == "union_tag_invalid":
        context = detail["ctx"]
        return (*where, "kind"), f"there is no kind {context['tag']!r}; there are: {context['expected_tags']}"
    return where, _MENDS.get(detail["type"], str(detail["msg"]).removeprefix("Value error, "))


def said(path: Path, text: str, faults: list[Fault]) -> str:
    """All faults, each once, on a line of its own: file, line, key, what is wrong and the mend."""
    lines = [f"{path}{_line(text, where)}: {dotted(where)}: {what}" for where, what in faults]
    return "\n".join(dict.fromkeys(lines))


def dotted(where: Where) -> str:
    """The way to a key as people write it: source[2].tag."""
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")


def _line(text: str, where: Where) -> str:
    """Where a key stands, as ", line 12"; its table's line if the key is missing. TOML's own parser keeps no places."""
    table = str(where[0]) if len(where) > 1 else ""
    wanted = where[1] if len(where) > 1 and isinstance(where[1], int) else 0
    key = next((part for part in where[1 if table else 0 :] if isinstance(part, str)), "")
    here, found = "", None
    seen = -1
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        header = re.match(r"\[\[?\s*\"?([\w-]+)", bare)
        if header:
            here = header[1]
            seen += here == table
            if here == table and seen == wanted and found is None:
                found = number
        elif here == table and max(seen, 0) == wanted and key and re.match(rf"\"?{re.escape(key)}\"?\s*[.=]", bare):
            return f", line {number}"
    return f", line {found}" if found else ""
