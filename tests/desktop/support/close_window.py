#!/usr/bin/python3
"""Asks a window to close, as the cross in its title bar would: close_window.py 0x400003"""

import ctypes
import sys


class ClientMessage(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        # An X event has room for 24 longs whatever its kind.
        ("pad", ctypes.c_long * 12),
    ]


CLIENT_MESSAGE = 33
NO_EVENT_MASK = 0

x11 = ctypes.CDLL("libX11.so.6")
x11.XOpenDisplay.restype = ctypes.c_void_p
x11.XInternAtom.restype = ctypes.c_ulong
x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
x11.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
x11.XCloseDisplay.argtypes = [ctypes.c_void_p]

window = int(sys.argv[1], 16)
display = x11.XOpenDisplay(None)
if not display:
    sys.exit("no display")
event = ClientMessage(type=CLIENT_MESSAGE, window=window, format=32)
event.message_type = x11.XInternAtom(display, b"WM_PROTOCOLS", False)
event.data[0] = x11.XInternAtom(display, b"WM_DELETE_WINDOW", False)
x11.XSendEvent(display, window, False, NO_EVENT_MASK, ctypes.byref(event))
# Closing sends what is queued.
x11.XCloseDisplay(display)
