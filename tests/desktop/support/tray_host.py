#!/usr/bin/python3
"""The place where tray icons are shown, reduced to what a test needs.

Owns org.kde.StatusNotifierWatcher on the session bus, remembers the item that registers, and
reads and clicks its menu over com.canonical.dbusmenu. Requests come as JSON lines on standard
input; every answer is one JSON line with the same "id".
"""

import json
import sys
import time

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

WATCHER = "org.kde.StatusNotifierWatcher"
ITEM = "org.kde.StatusNotifierItem"
MENU = "com.canonical.dbusmenu"


class Watcher(dbus.service.Object):
    def __init__(self, bus):
        super().__init__(bus, "/StatusNotifierWatcher")
        self.bus = bus
        self.item = None

    @dbus.service.method(WATCHER, in_signature="s", sender_keyword="sender")
    def RegisterStatusNotifierItem(self, service, sender=None):
        # Some items send their bus name, others the path of the object they registered.
        path = service if service.startswith("/") else "/StatusNotifierItem"
        self.item = (sender, path)

        def owner_changed(owner):
            if not owner and self.item and self.item[0] == sender:
                self.item = None

        self.bus.watch_name_owner(sender, owner_changed)

    @dbus.service.method(WATCHER, in_signature="s")
    def RegisterStatusNotifierHost(self, service):
        pass

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return self.GetAll(interface)[name]

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="s", out_signature="a{sv}")
    def GetAll(self, interface):
        items = dbus.Array([self.item[0] + self.item[1]] if self.item else [], signature="s")
        return {
            "IsStatusNotifierHostRegistered": True,
            "ProtocolVersion": dbus.Int32(0),
            "RegisteredStatusNotifierItems": items,
        }


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus()
    name = dbus.service.BusName(WATCHER, bus, do_not_queue=True)
    watcher = Watcher(bus)
    loop = GLib.MainLoop()

    def prop(key):
        service, path = watcher.item
        return bus.get_object(service, path).Get(ITEM, key, dbus_interface=dbus.PROPERTIES_IFACE)

    def menu():
        return dbus.Interface(bus.get_object(watcher.item[0], prop("Menu")), MENU)

    def rows():
        _revision, (_root, _props, children) = menu().GetLayout(0, -1, dbus.Array([], signature="s"))
        return [
            {
                "id": int(number),
                "label": str(props.get("label", "")).replace("_", ""),
                "enabled": bool(props.get("enabled", True)),
                "separator": props.get("type") == "separator",
            }
            for number, props, _children in children
        ]

    def answer(request):
        what = request["do"]
        if what == "registered":
            return watcher.item is not None
        if what == "icon":
            return {"name": str(prop("IconName")), "status": str(prop("Status"))}
        if what == "rows":
            return rows()
        if what == "click":
            row = next(row for row in rows() if row["label"] == request["label"])
            menu().Event(dbus.Int32(row["id"]), "clicked", dbus.Int32(0), dbus.UInt32(int(time.time())))
            return True
        raise ValueError(what)

    def on_input(channel, condition):
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        request = json.loads(line)
        try:
            reply = {"id": request["id"], "value": answer(request)}
        except Exception as error:  # every failure becomes an answer; the test decides
            reply = {"id": request["id"], "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)
        return True

    GLib.io_add_watch(GLib.IOChannel.unix_new(0), GLib.IO_IN | GLib.IO_HUP, on_input)
    print(json.dumps({"ready": str(name.get_name())}), flush=True)
    loop.run()


main()
