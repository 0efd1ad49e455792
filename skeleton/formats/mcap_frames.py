"""Body frames as JSON text, the messages of our MCAP recordings, and the schema that describes them.

A float32 is written in its shortest exact text. NaN is null, an infinity is "inf" or "-inf" (JSON has neither), and
a tracking id is text, because other JSON readers make floats of 64-bit integers. A frame's time is the message's own
log time, in nanoseconds.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from skeleton.errors import RecordingError
from skeleton.formats.base import MOST_BODIES
from skeleton.frames import Body, BodyDetails, BodyFrame

_NUMBER = {"anyOf": [{"type": ["number", "null"]}, {"enum": ["inf", "-inf"]}]}
_POINTS = {"type": "array", "items": {"type": "array", "items": _NUMBER}}
_INTEGER = {"type": "integer"}
_DETAILS = {
    "depth_px": _POINTS | {"description": "Pixels in the 512 x 424 depth image, one pair per joint."},
    "color_px": _POINTS | {"description": "Pixels in the 1920 x 1080 color image, one pair per joint."},
    "orientation": _POINTS | {"description": "Quaternions w, x, y, z, one per joint."},
    "lean": {"type": "array", "items": _NUMBER, "description": "Left-right and forward-back, -1..1."},
    "hand_confidence": {"type": "array", "items": _INTEGER, "description": "Left and right: 0 low, 1 high."},
    "is_restricted": {"type": "boolean"},
    "tracking_state": _INTEGER,
}
_BODY = {
    "id": {"type": "string", "description": "Tracking id, a 64-bit integer as text."},
    "joints": _POINTS | {"description": "x, y, z in meters, camera space, one triple per joint of the layout."},
    "state": {"type": "array", "items": _INTEGER, "description": "0 not tracked, 1 inferred, 2 tracked."},
    "hands": {"type": "array", "items": _INTEGER, "description": "Left and right: 2 open, 3 closed, 4 lasso."},
    "clipped_edges": {"type": "integer", "description": "Bit mask: 1 right, 2 left, 4 top, 8 bottom."},
    "details": {"type": "object", "properties": _DETAILS},
}
SCHEMA = {
    "title": "BodyFrame",
    "description": "All bodies at one moment; the layout of the joints is in the metadata record 'recording'.",
    "type": "object",
    "properties": {
        "index": {"type": "integer", "description": "Frame number in its source."},
        "floor": {"type": ["array", "null"], "items": _NUMBER, "description": "Plane x, y, z, w; w is the height."},
        "bodies": {
            "type": "array",
            "items": {"type": "object", "properties": _BODY, "required": ["id", "joints", "state"]},
        },
    },
    "required": ["index", "bodies"],
}
"""JSON schema of one message."""


def encode(frame: BodyFrame) -> bytes:
    """Returns a frame as JSON text (its time is not in it)."""
    bodies = ",".join(map(_body_text, frame.bodies))
    floor = "null" if frame.floor is None else _list_text(frame.floor)
    return f'{{"index":{frame.index},"floor":{floor},"bodies":[{bodies}]}}'.encode()


def _body_text(body: Body) -> str:
    details = "" if body.details is None else f',"details":{_details_text(body.details)}'
    return (
        f'{{"id":"{body.tracking_id}","joints":{_points_text(body.joints)},"state":{body.state.tolist()},'
        f'"hands":{[int(hand) for hand in body.hands]},"clipped_edges":{int(body.clipped_edges)}{details}}}'
    )


def _details_text(details: BodyDetails) -> str:
    points = {"depth_px": details.depth_px, "color_px": details.color_px, "orientation": details.orientation}
    kept = "".join(f'"{name}":{_points_text(array)},' for name, array in points.items() if array is not None)
    return (
        f'{{{kept}"lean":{_list_text(details.lean)},"hand_confidence":{[int(c) for c in details.hand_confidence]},'
        f'"is_restricted":{json.dumps(bool(details.is_restricted))},"tracking_state":{int(details.tracking_state)}}}'
    )


def _points_text(array: np.ndarray) -> str:
    rows = array.astype("U").tolist()  # the text of a float32 is the shortest that reads back as the same float32
    if not np.isfinite(array).all():
        rows = [[{"nan": "null", "inf": '"inf"', "-inf": '"-inf"'}.get(text, text) for text in row] for row in rows]
    return f"[{','.join(f'[{chr(44).join(row)}]' for row in rows)}]"


def _list_text(values: tuple[float, ...]) -> str:
    texts = {True: "null", False: '"inf"'}
    return f"[{','.join(repr(float(v)) if math.isfinite(v) else texts[math.isnan(v)] for v in values)}]"


def decode(data: bytes, *, joint_count: int, time_s: float) -> BodyFrame:
    """Returns the frame that a message holds.

    Raises:
        RecordingError: The text is not a body frame of a layout with ``joint_count`` joints.
    """
    try:
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which no joint counts as seen
            message = json.loads(data)
            if len(message["bodies"]) > MOST_BODIES:
                raise ValueError(f"{len(message['bodies'])} bodies")
            bodies = tuple(_body(body, joint_count) for body in message["bodies"])
        floor = message.get("floor")
        return BodyFrame(
            index=_integer(message["index"]),
            time_s=time_s,
            bodies=bodies,
            floor=None if floor is None else _floats(floor, 4),  # type: ignore[arg-type]
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise RecordingError(f"The frame at {time_s:.3f} s must be a body frame, but is damaged ({error}).") from None


def _body(body: dict[str, Any], joint_count: int) -> Body:
    state = np.array(body["state"])
    if state.shape != (joint_count,) or not np.isin(state, (0, 1, 2)).all():
        raise ValueError("joint states")
    tracking_id = int(body["id"])
    if not -(2**63) <= tracking_id < 2**64:
        raise ValueError("a tracking id beyond 64 bits")
    details = body.get("details")
    return Body(
        tracking_id=tracking_id,
        joints=_points(body["joints"], joint_count, 3),
        state=state,
        hands=_integers(body.get("hands", (0, 0))),
        clipped_edges=_integer(body.get("clipped_edges", 0)),
        details=None if details is None else _details(details, joint_count),
    )


def _details(details: dict[str, Any], joint_count: int) -> BodyDetails:
    widths = {"depth_px": 2, "color_px": 2, "orientation": 4}
    points = {name: _points(details[name], joint_count, width) for name, width in widths.items() if name in details}
    lean = _floats(details["lean"], 2)
    return BodyDetails(
        **points,
        lean=(lean[0], lean[1]),
        hand_confidence=_integers(details["hand_confidence"]),
        is_restricted=bool(details["is_restricted"]),
        tracking_state=_integer(details["tracking_state"]),
    )


def _points(values: Any, joint_count: int, width: int) -> np.ndarray:
    array = np.array(values, dtype=np.float32)  # null becomes NaN, "inf" becomes an infinity
    if array.shape != (joint_count, width):
        raise ValueError(f"{array.shape} values for {joint_count} joints")
    return array


def _floats(values: Any, count: int) -> tuple[float, ...]:
    numbers = tuple(math.nan if value is None else float(value) for value in values)
    if len(numbers) != count:
        raise ValueError(f"{len(numbers)} values instead of {count}")
    return numbers


def _integers(values: Any) -> tuple[int, int]:
    left, right = values
    return _integer(left), _integer(right)


def _integer(value: Any) -> int:
    number = int(value)
    if not -(2**63) <= number < 2**63:  # no other format could hold it
        raise ValueError("a whole number beyond 64 bits")
    return number
