"""Write docs/connectors.md from the code; `--check` only says if it is out of date."""

import sys
from datetime import timedelta
from inspect import getdoc, getmodule
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from connectors import SINKS, SOURCES
from connectors.contract import Sink, Source

PAGE = Path(__file__).with_name("connectors.md")
HEAD = """\
# Sources and sinks

Written from the code by `make docs`; do not edit. A source stands in `earful.toml` as `[[source]]` with its `kind`
and a `name` of yours, a sink as `[[sink]]`. A value written `"$NAME"` is taken from the environment.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## Where we listen\n", *map(section, SOURCES), "## Where alerts go\n", *map(section, SINKS)]
    return "\n".join(parts)


def section(kind: type[Source] | type[Sink]) -> str:
    """One source or sink: what it is, where its contract is documented, its settings."""
    fields = kind.model_fields
    module = getmodule(kind)
    lines = [
        f'### {kind.label}: `kind = "{fields["kind"].default}"`\n',
        f"{(getdoc(module) or '').strip() if module else ''}\n",
        f"{getdoc(kind) or ''}\n",
        f"Documented at <{kind.docs}>." + quiet(kind) + repeated(kind) + "\n",
        "| setting | default | meaning |",
        "| --- | --- | --- |",
        *(row(name, field) for name, field in fields.items() if name != "kind"),
        "",
    ]
    return "\n".join(lines)


def quiet(kind: type[Source] | type[Sink]) -> str:
    """How long a source may be silent before `watch` says so."""
    after = getattr(kind, "quiet_after", None)
    if not isinstance(after, timedelta) or after > timedelta(days=365):
        return ""
    return f" A silence of more than {after.days} days is told by `watch`."


def repeated(kind: type[Source] | type[Sink]) -> str:
    """What people find where a run died just after an alert went out, and the next sends it again."""
    if not issubclass(kind, Sink):
        return ""
    return f" An alert sent again, after a crash, is found there {'once' if kind.honours_key else 'perhaps twice'}."


def row(name: str, field: FieldInfo) -> str:
    """One setting."""
    default = field.get_default(call_default_factory=True, validated_data={})
    shown = "needed" if default is PydanticUndefined else f"`{default}`" if default not in (None, "", (), {}) else "-"
    return f"| `{name}` | {shown} | {(field.description or '').replace('|', chr(92) + '|')} |"


def main() -> int:
    """Write the page, or say that it is out of date."""
    new = page()
    if "--check" in sys.argv:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == new
        sys.stdout.write("" if same else f"{PAGE.name} is out of date: run `make docs`\n")
        return 0 if same else 1
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
