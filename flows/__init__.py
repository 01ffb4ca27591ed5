"""The clock: the only place that knows Prefect."""
