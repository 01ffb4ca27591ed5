"""How Reddit says no: communities that are closed, and replies that it refuses with status 200."""

import re
from datetime import timedelta

import httpx

from connectors.client import json_of, refused, throttled
from pipeline.errors import ChangedError, EarfulError

_WAIT = re.compile(r"(\d{1,4}) (second|minute|hour)")
_CLOSED = {"private": "is private", "banned": "was banned by Reddit", "quarantined": "is quarantined"}


def explain(answer: httpx.Response) -> EarfulError | None:
    """Why a community answers nobody, where Reddit says so."""
    try:
        reason = json_of(answer, dict).get("reason")
    except ChangedError:
        return None
    return (
        refused(answer, f"the community {_CLOSED[reason]}") if isinstance(reason, str) and reason in _CLOSED else None
    )


def not_taken(answer: httpx.Response, faults: object) -> EarfulError:
    """What Reddit has against a reply; it says so with status 200: [["RATELIMIT", "try again in 9 minutes", ...]]."""
    fault = faults[0] if isinstance(faults, list) and faults else None
    code, why = (str(each) for each in (*fault, "", "")[:2]) if isinstance(fault, list) else ("", "")
    if code == "RATELIMIT":
        wait = _WAIT.search(why)
        return throttled(answer, "too many replies", timedelta(**{f"{wait[2]}s": int(wait[1])}) if wait else None)
    named = code if re.fullmatch(r"[A-Z_]{1,40}", code) else "no reason named"
    return refused(answer, f"Reddit does not take this reply ({named}); answer there by hand")
