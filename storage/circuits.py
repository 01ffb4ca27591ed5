"""What outlives a run of the circuit breakers: which hosts failed in a row, and until when they are left alone."""

from collections.abc import Sequence

from sqlalchemy import select

from pipeline.circuit import Circuit
from pipeline.text import storable
from storage.database import Database, chunks, columns, insert, made, values
from storage.tables import CIRCUIT

_CIRCUIT = columns(Circuit, CIRCUIT)


class Circuits(Database):
    """The part of the store that remembers which hosts are in trouble."""

    def circuits(self) -> list[Circuit]:
        """Every host that failed and has not answered since, in the order of their names."""
        with self._read() as connection:
            return [made(Circuit, row) for row in connection.execute(select(*_CIRCUIT).order_by(CIRCUIT.c.host))]

    def keep_circuits(self, circuits: Sequence[Circuit]) -> None:
        """Remember these hosts as they are now, and forget those among them that do not fail any more."""
        latest = {circuit.host: circuit for circuit in circuits}
        well = sorted(host for host, circuit in latest.items() if not circuit.failures)
        failing = [_row(latest[host]) for host in sorted(latest) if latest[host].failures]
        with self._write() as connection:
            for hosts in chunks(well):
                connection.execute(CIRCUIT.delete().where(CIRCUIT.c.host.in_(hosts)))
            for rows in chunks(failing):
                kept = insert(connection, CIRCUIT)
                now = {column.name: kept.excluded[column.name] for column in _CIRCUIT if not column.primary_key}
                connection.execute(kept.on_conflict_do_update(index_elements=["host"], set_=now), rows)


def _row(circuit: Circuit) -> dict[str, object]:
    return values(circuit) | {"why": None if circuit.why is None else storable(circuit.why)}
