"""What Prefect keeps of an error that is not ours: its class, and where it came up."""

import json
import time
from typing import NoReturn

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from connectors.sinks.webhook import Webhook
from flows import digest as digesting
from flows import listen as listening
from flows.listen import listen
from flows.setup import Setup
from pipeline.errors import RefusedError
from tests.flows.senders import an_alert, put
from tests.town import Town

SECRET = "parcel of Mia Muster, token SECRET-123"


@pytest.mark.usefixtures("prefect_api")
def test_no_word_of_anothers_error_reaches_prefect(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def strange(*_: object, **__: object) -> NoReturn:
        raise ValueError(SECRET)

    def chained(*_: object, **__: object) -> NoReturn:
        try:
            strange()
        except ValueError as error:
            raise RefusedError("it takes nothing") from error

    town.write(plaints=4, praise=0)
    monkeypatch.setattr(listening, "collect", listening.collect.with_options(retries=0))
    monkeypatch.setattr("flows.collect.fetch", strange)
    monkeypatch.setattr(Setup, "analyst", strange)
    monkeypatch.setattr(Webhook, "send", chained)
    monkeypatch.setattr(digesting, "report_of", strange)
    put(town, an_alert(town, "a"))
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}):
        ends = [listen(town.settings, return_state=True), digesting.digest(town.settings, return_state=True)]
        said = [str(state.message) for state in ends]
        assert "forum: ValueError at flows.collect:" in said[0]
        assert "judging: ValueError at flows.judge:" in said[0]
        assert "desk: it takes nothing" in said[0]
        assert "ValueError at flows.digest:" in said[1]
        ours = {"any_": [str(state.state_details.flow_run_id) for state in ends]}
        asked = {
            "logs": {"logs": {"flow_run_id": ours}},
            "task_runs": {"task_runs": {"flow_run_id": ours}},
            "flow_runs": {"flow_runs": {"id": ours}},
        }
        with get_client(sync_client=True) as client:

            def kept(what: str) -> str:
                return json.dumps(client._client.post(f"/{what}/filter", json=asked[what]).json())  # noqa: SLF001

            end = time.monotonic() + 60
            while not all(f"Finished in state Failed('{told[:40]}" in kept("logs") for told in said):
                assert time.monotonic() < end, "the logs never came"
                time.sleep(0.2)
            everything = [kept(what) for what in asked]
            assert all(len(one) > len("[]") for one in everything)
    assert [SECRET[-10:] in one for one in everything] == [False, False, False]
