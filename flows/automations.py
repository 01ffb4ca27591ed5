"""Automations: what a Prefect server does by itself when a worker dies, or an alert. `python -m flows.automations`.

Made by name, so that making them again changes nothing but what changed here. Only runs of deployments tagged
`earful` are touched, and repeated only where the deployment's own parameters do what was left: those tagged `repeat`.
"""

import sys
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from flows.events import ALERT_DEAD, served
from pipeline.errors import EarfulError, SettingsError

SILENT_FOR = timedelta(seconds=90)
"""A run without a sign of life for so long is dead: three heartbeats, of 30 seconds each in prefect.yaml."""
REPEATED_ONCE_IN = timedelta(hours=1)
"""A deployment whose run crashed is run again once in this time: one that always crashes must not run for ever."""
TOLD_ONCE_IN = timedelta(minutes=10)
"""However many alerts die at once, `watch` is called once in this time."""
OURS, REPEATED = (
    ResourceSpecification({"prefect.resource.id": [f"prefect.tag.{tag}"], "prefect.resource.role": ["tag"]})
    for tag in ("earful", "repeat")
)
RUNS = ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]})
LIVES = "prefect.flow-run.heartbeat"
ENDS = {f"prefect.flow-run.{end}" for end in ("Completed", "Failed", "Cancelled", "Crashed")}


def automations(silent_for: timedelta = SILENT_FOR) -> list[AutomationCore]:
    """All of them, as they shall be. SettingsError while `watch` is not deployed."""
    return [
        AutomationCore(
            name="earful: a run whose worker died is crashed",
            description="No heartbeat and no end: nobody works on it any more.",
            trigger=EventTrigger(
                posture=Posture.Proactive,
                after={LIVES},
                expect={LIVES, *ENDS},
                match=RUNS,
                match_related=OURS,
                for_each={"prefect.resource.id"},
                threshold=1,
                within=silent_for,
            ),
            actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat: its worker died.")],
        ),
        AutomationCore(
            name="earful: a crashed run is repeated",
            description="The next run finishes what it left; once an hour for each deployment.",
            trigger=EventTrigger(
                posture=Posture.Reactive,
                expect={"prefect.flow-run.Crashed"},
                match=RUNS,
                match_related=REPEATED,
                for_each={"related:deployment:prefect.resource.id"},
                threshold=1,
                within=REPEATED_ONCE_IN,
            ),
            actions=[RunDeployment(source="inferred")],
        ),
        AutomationCore(
            name="earful: watch tells of a dead alert at once",
            description="It would tell within the hour anyhow.",
            trigger=EventTrigger(
                posture=Posture.Reactive,
                expect={ALERT_DEAD},
                match=ResourceSpecification({"prefect.resource.id": ["earful.alert.*"]}),
                threshold=1,
                within=TOLD_ONCE_IN,
            ),
            actions=[RunDeployment(source="selected", deployment_id=_watch())],
        ),
    ]


def make(silent_for: timedelta = SILENT_FOR) -> list[str]:
    """Make each automation, or bring the one of its name up to date; their names."""
    if not served():
        raise SettingsError("PREFECT_API_URL is not set: name the Prefect server that shall act by itself")
    wanted = automations(silent_for)
    with get_client(sync_client=True) as client:
        for one in wanted:
            known = client.read_automations_by_name(one.name)
            if known:  # one that somebody turned off stays off
                client.update_automation(known[0].id, one.model_copy(update={"enabled": known[0].enabled}))
            else:
                client.create_automation(one)
    return [one.name for one in wanted]


def _watch() -> UUID:
    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name("watch/watch").id
        except ObjectNotFound as error:
            raise SettingsError("no deployment is named watch: first prefect --no-prompt deploy --all") from error


def main() -> int:
    """Make them all, and say so."""
    try:
        names = make()
    except EarfulError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("".join(f"{name}\n" for name in names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
