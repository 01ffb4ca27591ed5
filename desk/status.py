"""`earful status`: when each source was last heard, how far, and what is stuck."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from desk.show import ago, dump, table

if TYPE_CHECKING:  # the flows import Prefect, which takes seconds
    from flows.setup import Setup
    from storage.store import Store


def status(out: Console, setup: "Setup", store: "Store", *, as_json: bool) -> bool:
    """When each source was last heard, how far, and what is stuck. False if something needs a person."""
    now, visits, counts = setup.now(), store.last_visits(), store.counts()
    names = dict.fromkeys([*(source.name for source in setup.sources), *visits])
    reached = store.heard_up_to()
    sources = [_source(setup, reached.get(name), name, visits.get(name), now) for name in names]
    stuck = store.waiting(now - setup.watch.stuck_after)
    sinks = [
        {
            "name": name,
            "waiting": counts.alerts.get(name, (0, 0))[0],
            "sent": counts.alerts.get(name, (0, 0))[1],
            "stuck": sum(delivery.alert.sink == name for delivery in stuck),
            "error": next((delivery.error for delivery in stuck if delivery.alert.sink == name), None),
            "who_acts": next((delivery.who_acts for delivery in stuck if delivery.alert.sink == name), None),
        }
        for name in dict.fromkeys([*(sink.name for sink in setup.sinks), *counts.alerts])
    ]
    healthy = not stuck and all(source["state"] in {"heard", "not yet heard"} for source in sources)
    if as_json:
        whole = {"healthy": healthy, "sources": sources, "sinks": sinks, "mentions": counts.mentions}
        dump(
            out, whole | {"unanalysed": counts.unanalysed, "rejected": counts.rejected, "cases_waiting": counts.waiting}
        )
        return healthy
    heard = table("source", "last heard", "last new", "new in all", "heard up to", "state")
    for source in sources:
        colour = "green" if source["state"] == "heard" else "dim" if source["state"] == "not yet heard" else "red"
        state = Text(source["state"], colour)
        if source["error"]:
            state.append(f": {source['error']} ({source['who_acts']} must act)")
        heard.add_row(
            source["name"], ago(source["heard_at"], now), ago(source["new_at"], now), f"{source['new']:,}",
            f"{source['up_to'].astimezone(setup.zone):%d %b %Y %H:%M}" if source["up_to"] else "", state,
        )  # fmt: skip
    out.print(heard)
    told = table("sink", "sent", "waiting", "stuck", "")
    for sink in sinks:
        why = f"{sink['error']} ({sink['who_acts']} must act)" if sink["error"] else ""
        late = Text(f"{sink['stuck']:,}", "bold red" if sink["stuck"] else "")
        told.add_row(str(sink["name"]), f"{sink['sent']:,}", f"{sink['waiting']:,}", late, Text(why))
    out.print(told)
    out.print(
        f"{counts.mentions:,} mentions, {counts.unanalysed:,} not yet judged, "
        f"{counts.rejected:,} items could not be read, {counts.waiting:,} cases wait for an answer"
    )
    return healthy


def _source(setup: "Setup", up_to: datetime | None, name: str, last: Any, now: datetime) -> dict[str, Any]:  # noqa: ANN401 - LastVisit
    listed = {source.name: source for source in setup.sources}
    state = "heard"
    if last is None:
        state = "not yet heard"
    elif last.visit.error:
        state = "failing"
    elif name in listed and last.new_at is not None and now - last.new_at > listed[name].quiet_after:
        state = "silent"
    return {
        "name": name,
        "state": state,
        "heard_at": last and last.success_at,
        "new_at": last and last.new_at,
        "new": last.new if last else 0,
        "up_to": up_to,
        "error": last and last.visit.error,
        "who_acts": last and last.visit.who_acts,
    }
