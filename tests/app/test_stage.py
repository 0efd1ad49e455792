"""Where joints lie in the picture, with and without a color picture."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from app.stage import Stage
from calibration.color_map import ColorMap
from skeleton.frames import Body, BodyFrame
from tests.app.fakes import REPLAY, body

WITH_PICTURE = dataclasses.replace(REPLAY, color_size=(1920, 1080))


def settled(stage: Stage, *bodies: Body, floor: tuple[float, float, float, float] | None = None) -> Stage:
    for index in range(90):
        stage.look(BodyFrame(index, index / 30, 0.0, bodies, floor))
    return stage


def test_with_a_color_picture_joints_lie_where_the_map_says() -> None:
    color_map = ColorMap.default().shifted(3.0, -7.0)
    stage = Stage(dataclasses.replace(WITH_PICTURE, color_map=color_map.coefficients))
    standing = body(1, x=0.4)
    settled(stage, standing)
    assert np.allclose(stage.project(standing.joints), color_map.project(standing.joints))
    assert stage.floor() is None


def test_a_smaller_copy_of_the_color_video_scales_the_map() -> None:
    large, small = Stage(WITH_PICTURE), Stage(dataclasses.replace(REPLAY, color_size=(640, 360)))
    joints = body(1).joints
    assert np.allclose(small.project(joints) * 3, large.project(joints))


@pytest.mark.parametrize(
    "offset",
    [(0, 0, 0), (0, 0.9, 0), (1.5, -0.5, 1.0), (-1.2, 0, -1.0), (0, 0, 6.0)],
    ids=["as the sensor sees it", "floor at y = 0", "right and low", "left and near", "very far"],
)
def test_without_a_picture_everybody_fits(offset: tuple[float, float, float]) -> None:
    moved = body(1)
    moved = dataclasses.replace(moved, joints=moved.joints + np.array(offset, np.float32))
    stage = settled(Stage(REPLAY), moved, body(2, x=-0.5))
    pixels = stage.project(np.stack([moved.joints, body(2, x=-0.5).joints]))
    assert (pixels >= 0).all() and (pixels <= stage.size).all()


def test_a_joint_in_the_wrong_place_does_not_move_the_view() -> None:
    joints = body(1).joints.copy()
    joints[7] = (3.0, 4.0, 0.2)  # nearer than the sensor can see
    wrong = dataclasses.replace(body(1), joints=joints)
    assert settled(Stage(REPLAY), wrong).framing.zoom == pytest.approx(settled(Stage(REPLAY), body(1)).framing.zoom)


def test_the_view_stands_still_once_everybody_fits() -> None:
    stage = settled(Stage(REPLAY), body(1))
    before, lines = stage.framing, stage.floor()
    settled(stage, body(1))
    assert stage.framing == before and stage.floor() is lines


def test_the_floor_goes_through_the_lowest_feet() -> None:
    stage = settled(Stage(REPLAY), body(1))
    lowest = stage.project(body(1).joints)[:, 1].max()
    shadow = stage.shadow(body(1))
    assert shadow is not None and shadow[:, 1].min() < lowest + 5 < shadow[:, 1].max() + 5


def test_a_floor_plane_of_the_recording_is_used() -> None:
    stage = settled(Stage(REPLAY), body(1), floor=(0.0, 1.0, 0.0, 1.4))
    floor = stage.floor()
    assert floor is not None
    points = floor.pieces.reshape(-1, 2)
    expected = stage.project(np.array([0.0, -1.4, 2.0]))
    assert np.nanmin(np.abs(points - expected).sum(axis=1)) < 1.0
