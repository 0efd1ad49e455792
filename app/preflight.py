"""Whether this machine can show a window, found out before Qt is imported. Standard library only.

Qt answers a missing system library with ``ImportError`` or with ``abort()``, and a display that cannot be opened
with ``abort()``: a user sees a core dump. This file asks the same questions first, and each answer is a sentence.
The installer imports it too, so it needs nothing but Python; run it by hand with ``python -m app.preflight``.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

DRAWING_LIBRARIES: dict[str, str] = {
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libdbus-1.so.3": "libdbus-1-3",
}
"""What PyQt5's libraries and its offscreen plugin link against, and the Debian and Ubuntu package of each."""

X11_LIBRARIES: dict[str, str] = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb.so.1": "libxcb1",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""What the window on an X server needs on top: PyQt5/Qt5/plugins/platforms/libqxcb.so and libQt5XcbQpa.so.5."""

WAYLAND_LIBRARIES: dict[str, str] = {
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libxkbcommon.so.0": "libxkbcommon0",
}

FONT_PACKAGE = "fonts-dejavu-core"
"""Named when the machine has no font at all, which a fresh server has not."""

ANSWER_S = 2.0
"""A display server that does not answer within this many seconds is not there."""

LARGEST_AUTHORITY_FILE = 1 << 20
"""Bytes; an Xauthority file is a few hundred."""

MOST_COOKIES = 16
"""Secrets tried for one display."""

Loader = Callable[[str], object]


class Display(NamedTuple):
    """What a window could be opened on.

    Attributes:
        platform: Qt's platform plugin to use: "xcb", "wayland", the user's own choice, or empty for Qt's default.
        name: Such as ":0" or "wayland-0"; empty where the system has only one display.
        is_open: Whether a server answers there.
        reason: Why not, as the end of a sentence.
    """

    platform: str
    name: str
    is_open: bool
    reason: str = ""


def missing_libraries(platform: str = "xcb", *, load: Loader = ctypes.CDLL) -> list[str]:
    """Returns the packages whose libraries PyQt5 needs and this machine lacks, sorted; none outside Linux.

    Args:
        platform: "xcb", "wayland" or "offscreen": which of Qt's platform plugins will be used.
        load: Loads a library by its file name, or raises ``OSError``.
    """
    if not sys.platform.startswith("linux"):
        return []
    wanted = {**DRAWING_LIBRARIES, **{"xcb": X11_LIBRARIES, "wayland": WAYLAND_LIBRARIES}.get(platform, {})}
    return sorted({package for library, package in wanted.items() if not _loads(library, load)})


def install_command(packages: Sequence[str]) -> str:
    """Returns the command line that installs ``packages`` on Debian and Ubuntu."""
    return f"sudo apt-get install -y {' '.join(packages)}"


def find_display(environment: Mapping[str, str] = os.environ) -> Display:
    """Returns the display a window would open on, having spoken to its server.

    Never aborts and never takes longer than a few seconds. Windows and macOS always have one.
    """
    chosen = environment.get("QT_QPA_PLATFORM", "")
    wanted = {one.split(":")[0] for one in chosen.split(";")}  # desktops set lists, such as "wayland;xcb"
    if not wanted <= {"", "xcb", "wayland"} or not sys.platform.startswith("linux"):
        return Display(chosen, "", True)
    tried = []
    if environment.get("DISPLAY") and wanted & {"", "xcb"}:
        tried.append(_ask_x_server(environment["DISPLAY"], environment))
    if environment.get("WAYLAND_DISPLAY") and wanted & {"", "wayland"}:
        tried.append(_ask_wayland(environment))
    for display in tried:
        if display.is_open:
            return display
    return tried[0] if tried else Display("", "", False, "neither DISPLAY nor WAYLAND_DISPLAY is set")


def _loads(library: str, load: Loader) -> bool:
    try:
        load(library)
    except OSError:
        return False
    return True


def _ask_wayland(environment: Mapping[str, str]) -> Display:
    name = environment["WAYLAND_DISPLAY"]
    path = os.path.join(environment.get("XDG_RUNTIME_DIR", ""), name)  # an absolute name replaces the folder
    try:
        with _connected(socket.AF_UNIX, path):
            return Display("wayland", name, True)
    except OSError as error:
        return Display("wayland", name, False, _why(error))


def _ask_x_server(name: str, environment: Mapping[str, str]) -> Display:
    """Does the first exchange of the X11 protocol, which also shows whether this user is let in."""
    host, colon, rest = name.rpartition(":")
    number = rest.split(".")[0]
    if not colon or not number.isdigit():
        return Display("xcb", name, False, "DISPLAY is not of the form host:number")
    refusals = []
    for family, address in _x_addresses(host, int(number)):
        for cookie in _cookies(number, environment):
            try:
                with _connected(family, address) as connection:
                    refusal = _greet(connection, cookie)
            except (OSError, struct.error) as error:
                refusals.append(_why(error))
                break  # nobody there, whatever we would say
            if not refusal:
                return Display("xcb", name, True)
            refusals.append(refusal)
    return Display("xcb", name, False, refusals[0])


def _x_addresses(host: str, number: int) -> Iterator[tuple[int, object]]:
    if host in ("", "unix") or host.startswith("/"):
        yield socket.AF_UNIX, f"/tmp/.X11-unix/X{number}"
        yield socket.AF_UNIX, f"\0/tmp/.X11-unix/X{number}"
    else:
        yield socket.AF_INET, (host, 6000 + number)


def _connected(family: int, address: object) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_S)
    try:
        connection.connect(address)  # type: ignore[arg-type]
    except BaseException:
        connection.close()
        raise
    return connection


def _greet(connection: socket.socket, cookie: tuple[bytes, bytes]) -> str:
    """Returns an empty string when the X server lets us in, otherwise its reason."""
    scheme, secret = cookie
    hello = struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(scheme), len(secret))
    connection.sendall(hello + _padded(scheme) + _padded(secret))
    answer = _received(connection, 8)
    outcome, reason_length = answer[0], answer[1]
    if outcome == 1:
        return ""
    reason = _received(connection, reason_length).decode("latin-1", "replace").strip() if outcome == 0 else ""
    return f"the server refuses: {reason or 'not authorized'}"


def _received(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionResetError("the server hung up")
        data += piece
    return data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _cookies(number: str, environment: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Returns the schemes and secrets for a display out of the Xauthority file; an empty pair where there is none.

    A home folder that several machines share has one for the same display of each of them.
    """
    path = environment.get("XAUTHORITY") or os.path.join(environment.get("HOME", ""), ".Xauthority")
    try:
        if os.path.getsize(path) > LARGEST_AUTHORITY_FILE:
            return [(b"", b"")]
        entries = list(_authority_entries(Path(path).read_bytes()))
    except (OSError, struct.error):
        entries = []  # no file, or a damaged one: the server may let us in without it
    found = [
        (scheme, secret)
        for display, scheme, secret in entries
        if display in (b"", number.encode()) and scheme == b"MIT-MAGIC-COOKIE-1"
    ]
    return list(dict.fromkeys(found))[:MOST_COOKIES] or [(b"", b"")]


def _authority_entries(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yields (display number, scheme, secret); each entry is a family and four length-prefixed strings."""
    at = 0
    while at < len(data):
        at += 2  # the address family: any address will do, the server checks the secret
        fields = []
        for _ in range(4):
            (length,) = struct.unpack_from(">H", data, at)
            fields.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        yield fields[1], fields[2], fields[3]


def _why(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]


if __name__ == "__main__":
    found = find_display()
    lacking = missing_libraries(found.platform or "xcb")
    print(f"display: {found.name or found.platform or 'none'}{'' if found.is_open else f' ({found.reason})'}")
    print(f"missing packages: {install_command(lacking) if lacking else 'none'}")
    sys.exit(1 if lacking or not found.is_open else 0)
