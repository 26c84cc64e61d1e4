#!/usr/bin/python3
"""Draws every PNG of this folder from the SVG beside it: python3 icons/render.py (python3-gi).

The tray icon is drawn here in four states. They differ by what stands in the arch, not only by
colour, and a dark rim keeps them visible on light panels as well as dark ones.
"""

import pathlib

import gi

gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf  # noqa: E402

HERE = pathlib.Path(__file__).parent
APP_SIZES = {"icon.png": 512, "128x128.png": 128, "32x32.png": 32}
TRAY_SIZE = 64

ARCH = "M9 57V28a23 23 0 0 1 46 0v29z"
STATES = {
    # The light on the stage.
    "fine": ("#f3e9d6", '<path fill="{c}" stroke="{c}" stroke-width="3" stroke-linejoin="round" d="M26 27v20l17-10z"/>'),
    # An exclamation mark.
    "attention": (
        "#f2b84b",
        '<path fill="none" stroke="{c}" stroke-width="7" stroke-linecap="round" d="M32 20v16"/>'
        '<circle cx="32" cy="47" r="4.2" fill="{c}"/>',
    ),
    # A cross.
    "trouble": (
        "#f2695c",
        '<path fill="none" stroke="{c}" stroke-width="7" stroke-linecap="round" d="M24 27l16 18M40 27L24 45"/>',
    ),
    # Two bars.
    "paused": (
        "#b9aea4",
        '<path fill="none" stroke="{c}" stroke-width="7" stroke-linecap="round" d="M25.500 27v19M38.500 27v19"/>',
    ),
}


def tray(colour, sign):
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<path fill="#1b1210" stroke="#1b1210" stroke-width="9" stroke-linejoin="round" d="{ARCH}"/>'
        f'<path fill="#1b1210" stroke="{colour}" stroke-width="5" stroke-linejoin="round" d="{ARCH}"/>'
        f"{sign.format(c=colour)}</svg>"
    )


def draw(svg, size, name):
    loader = GdkPixbuf.PixbufLoader.new_with_type("svg")
    loader.set_size(size, size)
    loader.write(svg.encode())
    loader.close()
    loader.get_pixbuf().savev(str(HERE / name), "png", [], [])


mark = (HERE / "mark.svg").read_text()
for name, size in APP_SIZES.items():
    draw(mark, size, name)
for state, (colour, sign) in STATES.items():
    draw(tray(colour, sign), TRAY_SIZE, f"tray-{state}.png")
