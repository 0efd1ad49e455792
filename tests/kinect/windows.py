"""As much of Windows as comtypes and pykinect2 need to run unmodified on another system; on Windows, what is there.

What is replaced is below both packages: the parts of ``ctypes`` that exist on Windows alone, four system libraries,
and the text encoding that pykinect2's file names. COM calls go through real vtables in memory (``com.py``).
On Windows nothing of that is replaced: ctypes, kernel32 and COM calls are Windows' own, and only Kinect20.dll is not.
"""

from __future__ import annotations

import _ctypes
import atexit
import codecs
import ctypes
import importlib
import itertools
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.kinect.com import HRESULT, COMError, SimpleData, com_method

IS_REAL = sys.platform == "win32"
INFINITE = 0xFFFFFFFF
WAIT_TIMEOUT = 0x102
LOADED_WITH_WINDOWS = ("comtypes", "pykinect2", "live.sources.kinect_v2_binding")
"""Packages that must not outlive the stand-in, because they hold on to it."""


class DllFunction:
    """A function of a library: Python behind the attributes that ctypes functions have."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self.body = body
        self.restype: Any = ctypes.c_int
        self.argtypes: Sequence[Any] = ()

    def __call__(self, *arguments: Any) -> Any:
        result = self.body(*(getattr(argument, "_obj", argument) for argument in arguments))  # byref -> the object
        if self.restype is HRESULT and result < 0:
            raise OSError(f"HRESULT {result & 0xFFFFFFFF:#x}")
        return result


class Dll:
    """A library of such functions; one that was never written raises when it is called, not when it is looked up."""

    def __init__(self, functions: dict[str, Callable[..., Any]]) -> None:
        self._functions = {name: DllFunction(body) for name, body in functions.items()}

    def __getattr__(self, name: str) -> DllFunction:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_: Any) -> Any:
            raise NotImplementedError(f"the stand-in for Windows has no {name}")

        return self._functions.setdefault(name, DllFunction(missing))

    def __getitem__(self, name: str) -> DllFunction:
        return getattr(self, name)


class Kernel:
    """kernel32's events: handles that one thread waits for and another sets. They reset themselves when seen."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_set: dict[int, bool] = {}
        self._numbers = itertools.count(1000, 4)

    def create(self, *_: Any) -> int:
        with self._changed:
            handle = next(self._numbers)
            self._is_set[handle] = False
            return handle

    def set(self, handle: int) -> int:
        with self._changed:
            if handle not in self._is_set:
                return 0
            self._is_set[handle] = True
            self._changed.notify_all()
            return 1

    def close(self, handle: int) -> int:
        """Closes a handle. Whoever waits for it goes on waiting, as on Windows."""
        with self._changed:
            return int(self._is_set.pop(handle, None) is not None)

    def wait(self, count: int, handles: Any, _all: bool, timeout_ms: int) -> int:
        give_up_s = None if timeout_ms == INFINITE else time.monotonic() + timeout_ms / 1000
        with self._changed:
            while True:
                for index, handle in enumerate(handles[:count]):
                    if self._is_set.get(handle):
                        self._is_set[handle] = False
                        return index
                left_s = None if give_up_s is None else give_up_s - time.monotonic()
                if left_s is not None and left_s <= 0:
                    return WAIT_TIMEOUT
                self._changed.wait(left_s)

    def library(self) -> Dll:
        return Dll(
            {
                "CreateEventW": self.create,
                "SetEvent": self.set,
                "CloseHandle": self.close,
                "WaitForMultipleObjects": self.wait,
            }
        )


def ole32() -> Dll:
    """Identifiers to text and back; starting COM does nothing."""

    def id_from_text(text: str, result: Any) -> int:
        ctypes.memmove(ctypes.addressof(result), uuid.UUID(text).bytes_le, 16)
        return 0

    def text_from_id(identifier: Any, result: Any) -> int:
        result.value = "{" + str(uuid.UUID(bytes_le=bytes(identifier))).upper() + "}"
        return 0

    return Dll(
        {
            "CoInitializeEx": lambda *_: 0,
            "CoUninitialize": lambda *_: None,
            "CoTaskMemFree": lambda *_: None,
            "CLSIDFromString": id_from_text,
            "StringFromCLSID": text_from_id,
        }
    )


class RealKernel:
    """The same events, of Windows itself."""

    def __init__(self) -> None:
        self._kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]

    def create(self) -> int:
        handle: int = self._kernel.CreateEventW(None, False, False, None)
        return handle

    def set(self, handle: int) -> int:
        done: int = self._kernel.SetEvent(handle)
        return done


def sensor_threads() -> int:
    """Returns how many threads of pykinect2 run; it starts them below ``threading``, which does not know them."""
    count = 0
    for frame in sys._current_frames().values():
        names = set()
        at: Any = frame
        while at is not None:
            names.add(at.f_code.co_name)
            at = at.f_back
        count += "kinect_frame_thread" in names
    return count


class Windows:
    """Libraries that can be added and taken away, as installing a runtime does.

    Attributes:
        kernel: What makes and sets events.
        libraries: The stand-ins by name; on Windows only those that a test adds, before the system's own.
    """

    def __init__(self) -> None:
        self.kernel: Kernel | RealKernel = RealKernel() if IS_REAL else Kernel()
        self.libraries: dict[str, Any] = {}
        self._load_real = getattr(ctypes, "WinDLL", None)
        if isinstance(self.kernel, Kernel):
            self.libraries = {"kernel32": self.kernel.library(), "ole32": ole32()}
            self.libraries |= {
                "oleaut32": Dll({"VariantClear": lambda *_: 0}),
                "user32": Dll({}),
                "advapi32": Dll({}),
            }

    def load(self, name: str, *arguments: Any, **named: Any) -> Any:
        """What ``ctypes.WinDLL(name)`` does; the sentence is that of Windows."""
        if name.lower() in self.libraries:
            return self.libraries[name.lower()]
        if self._load_real is not None:
            return self._load_real(name, *arguments, **named)
        raise FileNotFoundError(
            f"Could not find module '{name}' (or one of its dependencies). "
            "Try using the full path with constructor syntax."
        )

    def loader(self) -> Any:
        """What ``ctypes.windll`` is."""
        load = self.load

        class Loader:
            def __getattr__(self, name: str) -> Any:
                if name.startswith("__"):
                    raise AttributeError(name)
                loaded = load(name)
                if IS_REAL:
                    setattr(self, name, loaded)  # as ctypes does: a function's types are set once
                return loaded

        return Loader()


def win_function_type(restype: Any, *argtypes: Any, **_: Any) -> Callable[..., Any]:
    """What ``ctypes.WINFUNCTYPE`` is, as comtypes uses it: makes callers of a slot in a vtable."""

    def prototype(slot: int, name: str, flags: Any = None, iid: Any = None) -> Any:
        return com_method(slot, name, restype=restype, argtypes=argtypes, flags=flags, has_errors=iid is not None)

    return prototype


def forget_modules() -> None:
    """Drops the packages that were imported on the stand-in, so that the next import is a first one."""
    unknown = sys.modules.get("comtypes._post_coinit.unknwn")
    if unknown is not None:
        atexit.unregister(unknown._shutdown)
    for name in list(sys.modules):
        if name.startswith(tuple(f"{package}." for package in LOADED_WITH_WINDOWS)) or name in LOADED_WITH_WINDOWS:
            del sys.modules[name]
    if "live.sources" in sys.modules:
        vars(sys.modules["live.sources"]).pop("kinect_v2_binding", None)


def _shorten_long(patch: pytest.MonkeyPatch) -> None:
    """Windows' long has 32 bits: without it a GUID is not 16 bytes and pykinect2's structures have other sizes."""
    patch.setattr(ctypes, "c_long", ctypes.c_int)
    patch.setattr(ctypes, "c_ulong", ctypes.c_uint)
    patch.setattr(ctypes, "wintypes", None, raising=False)
    patch.delitem(sys.modules, "ctypes.wintypes", raising=False)
    patch.setattr(ctypes, "wintypes", importlib.import_module("ctypes.wintypes"))


@contextmanager
def installed() -> Iterator[Windows]:
    """Puts the stand-in where comtypes and pykinect2 look, and takes it away again."""
    windows = Windows()
    forget_modules()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctypes, "WinDLL", windows.load, raising=False)
        patch.setattr(ctypes, "windll", windows.loader(), raising=False)
        if not IS_REAL:
            _replace_system(patch, windows)
        try:
            yield windows
        finally:
            forget_modules()
            codecs.unregister(_mbcs)


def _mbcs(name: str) -> codecs.CodecInfo | None:
    return codecs.lookup("cp1252") if name == "mbcs" else None


def _replace_system(patch: pytest.MonkeyPatch, windows: Windows) -> None:
    """What ctypes and Python have on Windows alone."""
    codecs.register(_mbcs)
    patch.setattr(_ctypes, "COMError", COMError, raising=False)
    patch.setattr(_ctypes, "CopyComPointer", None, raising=False)  # only COM servers call it
    replacements = {
        "_SimpleCData": SimpleData,
        "FormatError": lambda code: f"error {code}",
        "HRESULT": HRESULT,
        "WINFUNCTYPE": win_function_type,
        "OleDLL": windows.load,
        "oledll": windows.loader(),
    }
    for name, value in replacements.items():
        patch.setattr(ctypes, name, value, raising=False)
    _shorten_long(patch)
    patch.setattr("live.sources.kinect_v2.SYSTEM", "Windows")
