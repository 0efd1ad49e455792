"""``.npz`` recordings: a zip of numpy arrays, for people who work in numpy. Never a pickle, never unpacked unchecked.

With F frames, N bodies in all frames together and V joints, the keys are:

    facts           () str        JSON of what is true of the whole recording; "format" names this layout of keys
    times_s         (F,) float64  sensor time, seconds
    index           (F,) int64    frame number in its source
    floor           (F, 4) float64  floor plane of the frame, NaN where there is none
    first_body      (F + 1,) int64  frame f has the bodies first_body[f] .. first_body[f + 1]
    tracking_id     (N,) int64 or uint64
    joints          (N, V, 3) float32  meters
    state           (N, V) int8
    hands           (N, 2) int64
    clipped_edges   (N,) int64
    kept            (N,) int64    bit mask: 1 has details, 2 depth_px, 4 color_px, 8 orientation
    depth_px, color_px (N, V, 2) float32; orientation (N, V, 4) float32; lean (N, 2) float64;
    hand_confidence (N, 2) int64; is_restricted (N,) bool; tracking_state (N,) int64
"""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import MOST_BODIES, FramesOnDemand, opened
from skeleton.formats.facts import facts_of, info_from
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.recording import Recording

FORMAT = "skeleton-npz-1"
LARGEST_TOTAL = 2 << 30
"""Bytes of all arrays together: ten hours of one body, or more than an hour of six with all pixels."""
LARGEST_RATIO = 100
RATIO_FROM = 16 << 20
"""Bytes from which a file that unpacks to more than LARGEST_RATIO times its size is refused."""
MOST_MEMBERS = 32
LONGEST_FACTS = 1 << 18
"""Characters. Layout, labels and color map are a page of text."""
DETAILS, DEPTH, COLOR, ORIENTATION = 1, 2, 4, 8
_PARTS = {"depth_px": (DEPTH, 2), "color_px": (COLOR, 2), "orientation": (ORIENTATION, 4)}
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError, SyntaxError, TypeError)


def sniff(head: bytes, path: Path) -> bool:
    """Tells a zip file whose first member is an array."""
    del path
    return head[:4] == b"PK\x05\x06" or (head[:4] == b"PK\x03\x04" and b".npy" in head[30:94])


def read(path: Path) -> Recording:
    """Reads an ``.npz`` recording.

    Raises:
        RecordingError: Not such a file, damaged, or one that would unpack without bound.
    """
    arrays = read_arrays(path)
    facts = _facts(path, arrays)
    info = info_from(facts, format_name="npz", path=path)
    _check(path, arrays, len(info.layout))
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which no joint counts as seen
        arrays |= {key: arrays[key].astype(np.float32) for key in ("joints", *_PARTS) if key in arrays}
        arrays["times_s"] = arrays["times_s"].astype(np.float64)  # numpy has longer numbers, and shorter ones
    count = len(arrays["times_s"])

    def build(index: int) -> BodyFrame:
        rows = range(int(arrays["first_body"][index]), int(arrays["first_body"][index + 1]))
        floor = arrays["floor"][index].tolist()
        return BodyFrame(
            index=int(arrays["index"][index]),
            time_s=float(arrays["times_s"][index]),
            bodies=tuple(_body(arrays, row) for row in rows),
            floor=None if np.isnan(floor).any() else tuple(floor),
        )

    return Recording(info, arrays["times_s"], FramesOnDemand(count, build))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of any ``.npz`` file of plain numbers and texts, recording or not.

    Raises:
        RecordingError: Not such a file, damaged, or one that would unpack without bound.
    """
    with opened(path) as file:
        try:
            return _arrays(path, file)
        except _UNREADABLE as error:
            raise RecordingError(f"The file {path} is damaged: {error}.") from None


def _arrays(path: Path, file: IO[bytes]) -> dict[str, np.ndarray]:
    """All arrays of the file, after checking what they would unpack to."""
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        if (
            len(members) > MOST_MEMBERS
            or total > LARGEST_TOTAL
            or (total > RATIO_FROM and total > LARGEST_RATIO * size)
        ):
            raise RecordingError(
                f"A recording may unpack to at most {LARGEST_TOTAL >> 20} MiB and {LARGEST_RATIO} times its size, "
                f"but {path} ({size} bytes) declares {total} bytes in {len(members)} parts."
            )
        return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One array; its header must agree with the size in the zip's directory before anything is allocated."""
    with archive.open(member) as part:
        version = np.lib.format.read_magic(part)
        if version != (1, 0):
            raise ValueError(f"{member.filename} has an array header of version {version}")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(part)
        count = 1
        for length in shape:
            count *= length
        if (
            dtype.hasobject
            or dtype.kind not in "biufU"
            or (is_fortran and len(shape) > 1)
            or min(shape, default=0) < 0
            or not dtype.itemsize  # numpy makes room for one character each: any number of nothing is much
        ):
            raise ValueError(f"{member.filename} does not hold plain numbers, but {dtype}")
        if count * dtype.itemsize != member.file_size - part.tell():
            raise ValueError(f"{member.filename} declares {count} values, which is not its size")
        data = part.read(member.file_size)  # to the end, so that the checksum is compared
    if len(data) != count * dtype.itemsize:
        raise ValueError(f"{member.filename} ends early")
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _facts(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, str]:
    text = arrays.get("facts")
    try:
        if text is None or text.shape != () or text.dtype.kind != "U" or text.dtype.itemsize > 4 * LONGEST_FACTS:
            raise ValueError
        facts = json.loads(str(text))
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise ValueError
    except (ValueError, RecursionError):
        raise RecordingError(
            f"The file {path} holds numpy arrays, but not a recording: 'facts' must name the format {FORMAT}.",
            remedy="docs/formats.md lists the keys of such a recording.",
        ) from None
    return {str(key): str(value) for key, value in facts.items()}


def _check(path: Path, arrays: dict[str, np.ndarray], joint_count: int) -> None:
    """Every key there, of its kind and shape, and the rows of the frames in order."""
    frames, bodies = (len(np.atleast_1d(arrays.get(key, np.empty(0)))) for key in ("times_s", "tracking_id"))
    wanted: dict[str, tuple[tuple[int, ...], str]] = {
        "times_s": ((frames,), "f"),
        "index": ((frames,), "i"),
        "floor": ((frames, 4), "f"),
        "first_body": ((frames + 1,), "i"),
        "tracking_id": ((bodies,), "iu"),
        "joints": ((bodies, joint_count, 3), "f"),
        "state": ((bodies, joint_count), "i"),
        "hands": ((bodies, 2), "i"),
        "clipped_edges": ((bodies,), "i"),
        "kept": ((bodies,), "i"),
        "lean": ((bodies, 2), "f"),
        "hand_confidence": ((bodies, 2), "i"),
        "is_restricted": ((bodies,), "b"),
        "tracking_state": ((bodies,), "i"),
    }
    kept = (
        int(np.bitwise_or.reduce(arrays["kept"], axis=None))
        if arrays.get("kept", np.empty(0)).dtype.kind == "i"
        else 0
    )
    wanted |= {key: ((bodies, joint_count, width), "f") for key, (bit, width) in _PARTS.items() if kept & bit}
    for key, (shape, kinds) in wanted.items():
        found = arrays.get(key)
        if found is None or found.shape != shape or found.dtype.kind not in kinds:
            what = "nothing" if found is None else f"{found.dtype} {found.shape}"
            raise RecordingError(f"The key '{key}' of {path} must have shape {shape}, found {what}.")
    first = arrays["first_body"].astype(np.int64)  # in a smaller kind a step wraps as well, back into the range
    steps = np.diff(first)
    if first[0] != 0 or first[-1] != bodies or (steps < 0).any() or (steps > MOST_BODIES).any():
        raise RecordingError(f"The key 'first_body' of {path} must rise from 0 to {bodies} by at most {MOST_BODIES}.")
    if not np.isin(arrays["state"], (0, 1, 2)).all():
        raise RecordingError(f"The key 'state' of {path} must hold joint states 0, 1 or 2.")


def _body(arrays: dict[str, np.ndarray], row: int) -> Body:
    kept = int(arrays["kept"][row])
    details = None
    if kept & DETAILS:
        details = BodyDetails(
            **{key: arrays[key][row] for key, (bit, _) in _PARTS.items() if kept & bit},
            lean=_pair(arrays["lean"][row]),
            hand_confidence=_pair(arrays["hand_confidence"][row]),
            is_restricted=bool(arrays["is_restricted"][row]),
            tracking_state=int(arrays["tracking_state"][row]),
        )
    return Body(
        tracking_id=int(arrays["tracking_id"][row]),
        joints=arrays["joints"][row],
        state=arrays["state"][row],
        hands=_pair(arrays["hands"][row]),
        clipped_edges=int(arrays["clipped_edges"][row]),
        details=details,
    )


def _pair(values: np.ndarray) -> tuple[Any, Any]:
    first, second = values.tolist()
    return first, second


def write(recording: Recording, path: Path) -> None:
    """Writes an ``.npz`` recording, uncompressed, so that it can be memory-mapped.

    Raises:
        RecordingError: Some tracking id is negative and some needs all 64 bits.
    """
    frames = list(recording.frames)
    bodies = [body for frame in frames for body in frame.bodies]
    details = [body.details or BodyDetails() for body in bodies]
    joint_count = len(recording.info.layout)
    nowhere = (np.nan,) * 4
    arrays: dict[str, np.ndarray] = {
        "facts": np.array(json.dumps({"format": FORMAT} | facts_of(recording.info, path))),
        "times_s": np.asarray(recording.times_s, dtype=np.float64),
        "index": np.array([frame.index for frame in frames], dtype=np.int64),
        "floor": np.array([frame.floor or nowhere for frame in frames], dtype=np.float64).reshape(-1, 4),
        "first_body": np.cumsum([0] + [len(frame.bodies) for frame in frames], dtype=np.int64),
        "tracking_id": _identities(recording, [body.tracking_id for body in bodies]),
        "joints": _stack([body.joints for body in bodies], (joint_count, 3), np.float32),
        "state": _stack([body.state for body in bodies], (joint_count,), np.int8),
        "hands": _stack([body.hands for body in bodies], (2,), np.int64),
        "clipped_edges": np.array([body.clipped_edges for body in bodies], dtype=np.int64),
        "kept": np.array([_kept(body) for body in bodies], dtype=np.int64),
        "lean": _stack([each.lean for each in details], (2,), np.float64),
        "hand_confidence": _stack([each.hand_confidence for each in details], (2,), np.int64),
        "is_restricted": np.array([each.is_restricted for each in details], dtype=np.bool_),
        "tracking_state": np.array([each.tracking_state for each in details], dtype=np.int64),
    }
    for key, (_, width) in _PARTS.items():
        parts = [getattr(each, key) for each in details]
        if any(part is not None for part in parts):
            unknown = np.full((joint_count, width), np.nan, np.float32)
            arrays[key] = np.stack([unknown if part is None else part for part in parts])
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _identities(recording: Recording, values: list[int]) -> np.ndarray:
    least, most = min(values, default=0), max(values, default=0)
    if least < 0 and most >= 2**63:  # no array of whole numbers holds both
        raise RecordingError(
            f"The tracking ids of an .npz file must all be from 0 or all be below 2**63, but "
            f"{recording.info.path or 'the recording'} has both {least} and {most}.",
            remedy="Convert it to .mcap or .csv, which hold both.",
        )
    return np.array(values, dtype=np.uint64 if most >= 2**63 else np.int64)


def _stack(values: list[Any], shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return np.array(values, dtype=dtype).reshape(len(values), *shape)


def _kept(body: Body) -> int:
    if body.details is None:
        return 0
    return DETAILS | sum(bit for key, (bit, _) in _PARTS.items() if getattr(body.details, key) is not None)
