"""A template of python-dbusmock: systemd's manager with as many units as the parameter `units` says.

Unit 0 is a socket, 1 a timer, 2 a mount, 3 a target, the rest are services. Every service that is the tenth has failed,
every one that is the hundredth was not found.
"""

import dbus
from dbusmock import get_object

BUS_NAME = "org.freedesktop.systemd1"
MAIN_OBJ = "/org/freedesktop/systemd1"
MAIN_IFACE = "org.freedesktop.systemd1.Manager"
SYSTEM_BUS = True

UNIT = "org.freedesktop.systemd1.Unit"
SERVICE = "org.freedesktop.systemd1.Service"
UNLIMITED = 2**64 - 1
OTHERS = ["web.socket", "daily.timer", "data.mount", "multi-user.target"]


def escaped(name):
    """As systemd makes an object's path of a unit's name."""
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):02x}" for c in name)


def properties(name, i):
    active = {UNIT: {"ActiveEnterTimestamp": dbus.UInt64(1_700_000_000_000_000 + i)}}
    if name.endswith(".service"):
        return active | {
            SERVICE: {
                "Type": "simple" if i % 3 else "notify",
                "NRestarts": dbus.UInt32(i),
                "TasksCurrent": dbus.UInt64(UNLIMITED if i % 10 == 0 else i),
                "TasksMax": dbus.UInt64(UNLIMITED if i % 7 == 0 else 4915),
            }
        }
    if name.endswith(".socket"):
        counts = {"NAccepted": dbus.UInt32(17), "NConnections": dbus.UInt32(3), "NRefused": dbus.UInt32(2)}
        return active | {"org.freedesktop.systemd1.Socket": counts}
    if name.endswith(".timer"):
        return active | {"org.freedesktop.systemd1.Timer": {"LastTriggerUSec": dbus.UInt64(1_650_000_000_500_000)}}
    if name.endswith(".mount"):
        return active | {"org.freedesktop.systemd1.Mount": {"Type": "ext4"}}
    return active


def load(mock, parameters):
    mock.AddProperties(
        MAIN_IFACE, {"Version": "252.39-1~mock", "Virtualization": "", "SystemState": "running"}
    )
    rows = []
    for i in range(int(parameters["units"])):
        name = OTHERS[i] if i < len(OTHERS) else f"worker-{i}@a\\x2db.service"
        path = f"{MAIN_OBJ}/unit/{escaped(name)}"
        load_state = "not-found" if i % 100 == 99 else "loaded"
        active = "failed" if i % 10 == 9 else "active"
        described = f"Worker {i} of the mock, which says what it is for"
        rows.append((name, described, load_state, active, "running", "", path, 0, "", "/"))
        mock.AddObject(path, UNIT, {}, [])
        for interface, values in properties(name, i).items():
            get_object(path).AddProperties(interface, values)
    listed = dbus.Array([dbus.Struct(row, signature="ssssssouso") for row in rows], signature="(ssssssouso)")
    mock.units = listed
    mock.AddMethod(MAIN_IFACE, "ListUnits", "", "a(ssssssouso)", "ret = self.units")
