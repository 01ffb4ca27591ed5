"""The thinking: values in, values out. No network, no database, no Prefect, no clock."""
