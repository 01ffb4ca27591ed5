"""Privacy: what tells more of a person than who said it is dropped before anything keeps it."""

import re
from typing import Any

_PRIVATE = re.compile(r"avatar|e_?mail|phone|picture|profile_?(image|photo|pic)|ip_?address", re.IGNORECASE)


def discreet(value: Any) -> Any:  # noqa: ANN401 - JSON is anything
    """The value without pictures, mail addresses, phone numbers and IP addresses of people, wherever they stand in it.

    They are known by the names of their fields; what a text says is not touched.
    """
    if isinstance(value, dict):
        return {name: discreet(held) for name, held in value.items() if not _PRIVATE.search(str(name))}
    return [discreet(held) for held in value] if isinstance(value, list) else value
