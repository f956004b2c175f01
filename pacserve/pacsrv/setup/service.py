"""The service of systemd: whether it is enabled and runs, and the commands that change that.  Rules only."""

from __future__ import annotations

from dataclasses import dataclass

from pacserve.pacsrv.setup.record import Record
from pacserve.pacsrv.setup.steps import Judgement, Step

SERVICE, SOCKET = "pacserve.service", "pacserve.socket"
# systemctl(1); fails where systemd does not run.
SHOW = ("systemctl", "show", "--property=Id,LoadState,UnitFileState,ActiveState", SERVICE, SOCKET)

_RESTART = ("systemctl", "restart", SERVICE)
_READING = "restart pacserve, which reads its options then"
_NO_SYSTEMD = "systemd does not run here: let the service manager of this host start pacserve --multicast"


@dataclass(frozen=True, slots=True)
class _Units:
    """
    The state of pacserve's units.

    Attributes:
        state: The LoadState of the service: `loaded`, `masked` or `not-found`.
        socket: True if the socket is installed, too.
    """

    state: str
    enabled: bool
    active: bool
    socket: bool


def judge(printed: str | None, record: Record, *, restart: bool = False) -> Judgement:
    """
    Returns what makes the service run now and at every boot.

    Args:
        printed: The output of `SHOW`; None where it fails.
        restart: True if a service that runs has to read its options again.
    """
    units = _read(printed)
    if units is None:
        return Judgement(note=_NO_SYSTEMD)
    if units.state == "masked":
        return Judgement(note=f"{SERVICE} is masked, so nothing can start it: systemctl unmask {SERVICE}, then pacsrv setup again")
    if units.state != "loaded":
        return Judgement(
            note=f"{SERVICE} is not installed: make install in a checkout of pacserve, or a package, puts it there; then pacsrv setup again"
        )
    return Judgement(_start(units, record, restart=restart))


def _start(units: _Units, record: Record, *, restart: bool) -> Step | None:
    done = {"enabled": record.enabled or not units.enabled, "started": record.started or not units.active}
    again = (_RESTART,) if restart else ()
    if units.enabled and units.active:
        return Step(_READING, again, {}) if again else None
    if units.active:
        text = "start pacserve at every boot"
        return Step(f"{text}, and {_READING}" if again else text, (("systemctl", "enable", SERVICE), *again), done)
    if units.enabled:
        return Step("start pacserve now", (("systemctl", "start", SERVICE),), done)
    return Step("start pacserve now and at every boot", (("systemctl", "enable", "--now", SERVICE),), done)


def judge_undo(printed: str | None, record: Record, *, restart: bool = False) -> Judgement:
    """
    Returns what takes back the step of `judge`, as far as nobody else has done so.

    Args:
        printed: The output of `SHOW`; None where it fails.
        restart: True if a service that goes on has to read its options again.
    """
    units = _read(printed)
    if units is None or not (record.enabled or record.started or restart):
        return Judgement()
    orders: list[tuple[str, tuple[str, ...]]] = []
    if record.started and units.active:
        # The socket, too: it would start the service with the next connection.
        orders.append(("stop pacserve", ("systemctl", "stop", *((SOCKET,) if units.socket else ()), SERVICE)))
    elif restart and units.active:
        orders.append((_READING, _RESTART))
    if record.enabled and units.enabled:
        orders.append(("no longer start pacserve at boot", ("systemctl", "disable", SERVICE)))
    if not orders:
        return Judgement()
    text = " and ".join(order for order, _ in orders)
    return Judgement(Step(text, tuple(command for _, command in orders), {"enabled": False, "started": False}))


def _read(printed: str | None) -> _Units | None:
    units = {}
    for block in (printed or "").split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        units[fields.get("Id", "")] = fields
    service, socket = units.get(SERVICE), units.get(SOCKET, {})
    if service is None:
        return None
    return _Units(
        service.get("LoadState", ""),
        service.get("UnitFileState", "").startswith("enabled"),
        service.get("ActiveState", "") in {"active", "activating", "reloading"},
        socket.get("LoadState", "") == "loaded",
    )
