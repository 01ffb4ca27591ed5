"""The clock: the only place that knows Prefect."""

import os

for _name, _value in {
    "DO_NOT_TRACK": "1",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",  # a fresh database takes longer than 20
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # an import runs the same steps without a flow
    "PREFECT_LOGGING_EXTRA_LOGGERS": "flows,connectors,storage",
}.items():
    os.environ.setdefault(_name, _value)  # before Prefect is first imported: it reads them then
