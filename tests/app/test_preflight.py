"""What a machine lacks, found out without Qt: fake loaders, real sockets."""

from __future__ import annotations

import ast
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import preflight
from app.preflight import find_display, install_command, missing_libraries

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="system libraries are asked on Linux")


def lacking(*libraries: str) -> preflight.Loader:
    def load(name: str) -> object:
        if name in libraries:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return object()

    return load


@pytest.mark.parametrize(
    ("platform", "absent", "packages"),
    [
        ("xcb", ["libxcb-icccm.so.4", "libxcb-keysyms.so.1"], ["libxcb-icccm4", "libxcb-keysyms1"]),
        ("xcb", ["libGL.so.1"], ["libgl1"]),
        ("xcb", ["libglib-2.0.so.0", "libgthread-2.0.so.0"], ["libglib2.0-0"]),
        ("offscreen", ["libxcb-icccm.so.4"], []),
        ("offscreen", ["libfontconfig.so.1"], ["libfontconfig1"]),
        ("wayland", ["libwayland-client.so.0"], ["libwayland-client0"]),
        ("xcb", [], []),
    ],
)
def test_missing_libraries_have_packages(platform: str, absent: list[str], packages: list[str]) -> None:
    assert missing_libraries(platform, load=lacking(*absent)) == packages


def test_other_systems_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.sys, "platform", "win32")
    assert missing_libraries(load=lacking("libGL.so.1")) == []
    assert find_display({}).is_open


def test_the_command_installs_what_is_missing() -> None:
    assert install_command(["libgl1", "libxcb1"]) == "sudo apt-get install -y libgl1 libxcb1"


@pytest.mark.parametrize("file", ["plugins/platforms/libqxcb.so", "lib/libQt5XcbQpa.so.5", "lib/libQt5Widgets.so.5"])
def test_the_table_knows_every_library_that_qt_links_against(file: str) -> None:
    import PyQt5

    path = Path(PyQt5.__file__).parent / "Qt5" / file
    if not path.is_file():
        pytest.skip("this PyQt5 does not bring its own Qt")
    known = {**preflight.DRAWING_LIBRARIES, **preflight.X11_LIBRARIES}
    always_there = {
        "libc",
        "libm",
        "libdl",
        "libpthread",
        "librt",
        "libgcc_s",
        "libstdc++",
        "libz",
        "ld-linux-x86-64",
    }
    unknown = {name for name in _needed(path) if name not in known and name.split(".")[0] not in always_there}
    assert {name for name in unknown if not name.startswith(("libQt5", "libicu"))} == set()


def _needed(path: Path) -> set[str]:
    if shutil.which("readelf") is None:
        pytest.skip("readelf is not installed")
    listed = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("readelf is not installed")
    return {line.split("[")[1].rstrip("]") for line in listed.stdout.splitlines() if "(NEEDED)" in line}


def test_without_variables_there_is_no_display() -> None:
    display = find_display({})
    assert (display.is_open, display.name) == (False, "")
    assert "neither DISPLAY nor WAYLAND_DISPLAY" in display.reason


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"DISPLAY": ":63999"}, "no such file"),
        ({"DISPLAY": "nonsense"}, "not of the form"),
        ({"DISPLAY": ""}, "neither"),
        ({"WAYLAND_DISPLAY": "/nowhere/wayland-7"}, "no such file"),
    ],
)
def test_a_display_that_is_not_there_has_a_reason(environment: dict[str, str], reason: str) -> None:
    display = find_display(environment)
    assert not display.is_open and reason in display.reason


def test_a_platform_that_the_user_chose_is_believed() -> None:
    assert find_display({"QT_QPA_PLATFORM": "vnc:size=800x600"}) == ("vnc:size=800x600", "", True, "")


def test_of_a_list_of_platforms_only_those_are_asked() -> None:
    environment = {"QT_QPA_PLATFORM": "wayland;xcb", "DISPLAY": ":63997"}
    assert find_display(environment).name == ":63997"
    assert find_display({**environment, "QT_QPA_PLATFORM": "wayland"}) == ("", "", False, find_display({}).reason)


@pytest.fixture
def x_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[bytes]]:
    """An X server's first answers on a socket; the list holds the answers to give, and then what it was sent."""
    path = str(tmp_path / "X7")
    monkeypatch.setattr(preflight, "_x_addresses", lambda host, number: iter([(socket.AF_UNIX, path)]))
    monkeypatch.setattr(preflight, "ANSWER_S", 60.0)
    exchange: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.settimeout(60)

    def serve() -> None:
        place = 0
        while place == 0 or place < len(exchange):
            connection, _ = listener.accept()
            with connection:
                hello = connection.recv(4096)
                answer, exchange[place] = exchange[place], hello
                connection.sendall(answer)
            place += 1

    thread = threading.Thread(target=serve)
    thread.start()
    yield exchange
    thread.join()
    listener.close()


def test_a_server_that_lets_us_in_is_open(x_server: list[bytes], tmp_path: Path) -> None:
    authority = tmp_path / "authority"
    authority.write_bytes(authority_entry(b"host", b"secret-of-sixteen"))
    x_server.append(b"\x01" + bytes(7))
    assert find_display({"DISPLAY": ":7", "XAUTHORITY": str(authority)}).is_open
    assert b"MIT-MAGIC-COOKIE-1" in x_server[0] and b"secret-of-sixteen" in x_server[0]


def test_the_secret_of_another_machines_display_is_not_the_last_word(x_server: list[bytes], tmp_path: Path) -> None:
    authority = tmp_path / "authority"
    authority.write_bytes(authority_entry(b"other", b"its-own-secret") + authority_entry(b"host", b"our-own-secret"))
    x_server += [bytes(8), b"\x01" + bytes(7)]  # refused, then let in
    assert find_display({"DISPLAY": ":7", "XAUTHORITY": str(authority)}).is_open
    assert b"its-own-secret" in x_server[0] and b"our-own-secret" in x_server[1]


def authority_entry(host: bytes, secret: bytes) -> bytes:
    fields = [host, b"7", b"MIT-MAGIC-COOKIE-1", secret]
    return struct.pack(">H", 256) + b"".join(struct.pack(">H", len(field)) + field for field in fields)


def test_a_server_that_refuses_says_why(x_server: list[bytes]) -> None:
    reason = b"No protocol specified\n"
    x_server.append(bytes([0, len(reason)]) + bytes(6) + reason)
    display = find_display({"DISPLAY": ":7", "XAUTHORITY": "/nowhere"})
    assert not display.is_open and display.reason == "the server refuses: No protocol specified"


@pytest.mark.parametrize("damage", [b"\x01", b"\x01\x00\xff\xff", b"\x00" * 7])
def test_a_damaged_authority_file_does_no_harm(x_server: list[bytes], tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "authority").write_bytes(damage)
    x_server.append(b"\x01" + bytes(7))
    assert find_display({"DISPLAY": ":7", "XAUTHORITY": str(tmp_path / "authority")}).is_open


def test_it_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(preflight.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names | {"__future__"}
