"""COM on a system without it: objects with real vtables in memory, and calls through them.

A client holds an address; at the address lies the address of a table of functions. Both ends are ordinary ctypes, so
what crosses between pykinect2 and the stand-in sensor is bytes at addresses, as on Windows; references are counted.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

IN, OUT = 1, 2
"""Flags of a parameter."""
E_NOTIMPL = 0x80004001
E_FAIL = 0x80004005
MOST_RELEASED = 1000
"""Released objects whose addresses stay taken: those of some seconds at full rate."""


class COMError(Exception):
    """What ``_ctypes.COMError`` is: raised by a call whose HRESULT says failure."""

    def __init__(self, hresult: int, text: str | None, details: tuple[Any, ...]) -> None:
        super().__init__(hresult, text, details)
        self.hresult, self.text, self.details = hresult, text, details


class HRESULT(ctypes._SimpleCData):
    """What ``ctypes.HRESULT`` is: a signed 32-bit number, negative for failure."""

    _type_ = "i"


class Failure(Exception):
    """Raised by an implementation: the call returns this HRESULT."""

    def __init__(self, hresult: int) -> None:
        super().__init__(f"{hresult:#x}")
        self.hresult = hresult - (1 << 32) if hresult >= 1 << 31 else hresult


def com_method(
    slot: int, name: str, *, restype: Any, argtypes: Sequence[Any], flags: Any, has_errors: bool
) -> Callable[..., Any]:
    """Returns a function that calls a slot of its first argument's vtable, as ctypes does on Windows.

    Args:
        slot: Number of the function in the table.
        name: Its name, for messages.
        restype: What it returns; a failing ``HRESULT`` becomes a :class:`COMError`.
        argtypes: Its arguments' types.
        flags: (direction, name[, default]) of each argument, or None; an OUT argument is made here and returned.
        has_errors: Whether a failure raises ``COMError`` (else ``OSError``).
    """
    native = ctypes.CFUNCTYPE(ctypes.c_int if restype is HRESULT else restype, ctypes.c_void_p, *argtypes)
    offset = slot * ctypes.sizeof(ctypes.c_void_p)
    # By their tables' addresses: finding one takes as long as calling it. Tables live as long as their server, and a
    # client's closures are made anew for each (``windows.installed``).
    functions: dict[int, Any] = {}
    kinds = None if flags is None else [_output(*both) for both in zip(argtypes, flags, strict=True)]
    number_at, number_of = ctypes.c_void_p.from_address, ctypes.c_void_p.from_buffer

    def result_of(this: Any, *arguments: Any) -> Any:
        if not this:
            raise ValueError("NULL COM pointer access")
        address = number_of(this).value
        table = number_at(address).value
        function = functions.get(table)
        if function is None:
            function = functions[table] = native(number_at(table + offset).value)
        result = function(address, *arguments)
        if restype is HRESULT and result < 0:
            raise COMError(result, None, (None,) * 5) if has_errors else OSError(f"HRESULT {result:#x}")
        return result

    def get(this: Any) -> Any:
        output = kinds[0]()
        result_of(this, ctypes.byref(output))
        return output.__ctypes_from_outparam__()

    def call_with_flags(this: Any, *given: Any) -> Any:
        arguments, outputs = _arguments(kinds, given, name)
        result = result_of(this, *arguments)
        if not outputs:
            return result
        if len(outputs) == 1:
            return outputs[0].__ctypes_from_outparam__()
        return tuple(output.__ctypes_from_outparam__() for output in outputs)

    # A property has a function of its own: a sensor is asked a thousand times a second.
    is_property = kinds is not None and len(kinds) == 1 and kinds[0] is not None
    call = result_of if kinds is None else get if is_property else call_with_flags
    call.__name__ = name
    return call


def _output(argtype: Any, flag: Sequence[Any]) -> Any | None:
    """What an argument points to where the callee fills it, otherwise None."""
    return argtype._type_ if flag[0] & (IN | OUT) == OUT else None


def _arguments(kinds: Sequence[Any], given: Sequence[Any], name: str) -> tuple[Sequence[Any], Sequence[Any]]:
    """The arguments to pass, and those among them that the callee fills."""
    outputs = [kind() for kind in kinds if kind is not None]
    if len(given) + len(outputs) != len(kinds):
        raise TypeError(f"{name}() takes {len(kinds) - len(outputs)} arguments ({len(given)} given)")
    places, left = map(ctypes.byref, outputs), iter(given)
    return tuple(next(left) if kind is None else next(places) for kind in kinds), outputs


class ComObject:
    """One object: its address, and how many references the client holds."""

    def __init__(self, table: int, implementation: Any) -> None:
        self._memory = ctypes.c_void_p(table)
        self.address = ctypes.addressof(self._memory)
        self.implementation = implementation
        self.references = 0


class ComServer:
    """Makes objects out of interfaces (comtypes classes) and implementations (Python objects).

    An implementation has a method for each slot that is called, under the slot's name in comtypes
    (``_get_Width`` for a property). It takes the in-arguments, addresses as numbers, and returns the out-argument: a
    number, a structure or another :class:`ComObject`.

    Attributes:
        alive: Objects to which the client holds references, by address.
        faults: Calls on objects whose last reference was released: what crashes a real client.
    """

    def __init__(self) -> None:
        self.alive: dict[int, ComObject] = {}
        self.faults: list[str] = []
        self._objects: dict[int, ComObject] = {}
        self._released: deque[int] = deque()  # their addresses stay taken, so that a stale one is recognized
        self._tables: dict[Any, Any] = {}
        self._thunks: list[Any] = []

    def new(self, interface: Any, implementation: Any) -> ComObject:
        """Returns an object without references; returning it from an implementation adds one."""
        made = ComObject(ctypes.addressof(self._table(interface)), implementation)
        self._objects[made.address] = made
        return made

    def reference(self, target: ComObject) -> int:
        """Adds a reference and returns the address to hand out."""
        target.references += 1
        self.alive[target.address] = target
        return target.address

    def _table(self, interface: Any) -> Any:
        if interface not in self._tables:
            slots = [self._unknown(name) for name in ("QueryInterface", "AddRef", "Release")]
            slots += [self._slot(interface, method) for method in interface._methods_]
            self._thunks += slots
            addresses = [ctypes.cast(slot, ctypes.c_void_p).value for slot in slots]
            self._tables[interface] = (ctypes.c_void_p * len(slots))(*addresses)
        return self._tables[interface]

    def _unknown(self, name: str) -> Any:
        def count(this: int) -> int:
            target = self._called(this, name)
            target.references += 1 if name == "AddRef" else -1
            if target.references == 0:
                del self.alive[this]
                self._forget_after(this)
            return target.references

        if name == "QueryInterface":
            refuse = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
            return refuse(lambda *_: Failure(E_NOTIMPL).hresult)
        return ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)(count)

    def _forget_after(self, address: int) -> None:
        """Remembers a released object for a while: a sensor makes a thousand objects a second."""
        self._released.append(address)
        if len(self._released) > MOST_RELEASED:
            oldest = self._released.popleft()
            if oldest not in self.alive:
                self._objects.pop(oldest, None)

    def _called(self, this: int, name: str) -> ComObject:
        target = self.alive.get(this)
        if target is None:
            target = self._objects[this]
            self.faults.append(f"{name} on a released {type(target.implementation).__name__}")
        return target

    def _slot(self, interface: Any, method: Any) -> Any:
        """The function that a client finds in the table for one method of an interface."""
        # Pointers arrive as numbers: a pointer object of comtypes would release a reference that it does not own.
        plain = [ctypes.c_void_p if _is_pointer(kind) else kind for kind in method.argtypes]
        has_output = bool(method.paramflags) and method.paramflags[-1][0] & OUT
        target = method.argtypes[-1]._type_ if has_output else None
        name = method.name

        fills_itself: dict[type, bool] = {}  # by implementation; looking takes as long as calling

        def entry(this: int, *arguments: Any) -> int:
            implementation = self._called(this, name).implementation
            function = getattr(implementation, name, None)
            if function is None:
                self.faults.append(f"{interface.__name__}.{name} is not in the stand-in")
                return Failure(E_NOTIMPL).hresult
            is_whole = fills_itself.get(type(implementation))
            if is_whole is None:
                is_whole = fills_itself[type(implementation)] = not has_output or hasattr(function, "takes_output")
            try:
                if is_whole:
                    function(*arguments)
                else:
                    self._store(function(*arguments[:-1]), target, arguments[-1])
            except Failure as failure:
                return failure.hresult
            return 0

        return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *plain)(entry)

    def _store(self, value: Any, kind: Any, address: int) -> None:
        """Writes an out-argument where the client wants it."""
        if isinstance(value, ComObject):
            ctypes.c_void_p.from_address(address).value = self.reference(value)
        elif isinstance(value, ctypes.Structure):
            ctypes.memmove(address, ctypes.addressof(value), ctypes.sizeof(value))
        else:
            kind.from_address(address).value = value


def takes_output(function: Callable[..., Any]) -> Callable[..., Any]:
    """Marks an implementation that fills its out-argument itself: it is more than one value."""
    function.takes_output = True  # type: ignore[attr-defined]
    return function


def _is_pointer(kind: Any) -> bool:
    return issubclass(kind, (ctypes._Pointer, ctypes.c_void_p))


class _SimpleType(type(ctypes._SimpleCData)):  # type: ignore[misc]
    """Makes simple types; a BSTR ("X"), which exists on Windows alone, becomes a pointer to characters."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        if namespace.get("_type_") == "X":
            namespace["_type_"] = "Z"
        return super().__new__(cls, name, bases, namespace)


class SimpleData(ctypes._SimpleCData, metaclass=_SimpleType):
    """What ``ctypes._SimpleCData`` is as a base class."""

    _type_ = "P"
