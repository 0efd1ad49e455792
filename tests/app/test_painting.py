"""What is really on the picture: pixels at the places where things must be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PyQt5.QtCore import QRectF
from PyQt5.QtGui import QImage, QPainter
from PyQt5.QtWidgets import QApplication

from app import heat, theme
from app.labels import Labels
from app.painting import REFERENCE_HEIGHT, ScenePainter, View, wrap_rgb
from app.presenter import Presenter
from app.scene import Figure, Legend, Scene
from live.view import PipelineView

SIZE = (960, 540)


def painted(scene: Scene) -> np.ndarray:
    """The scene as (540, 960, 3) RGB."""
    image = QImage(*SIZE, QImage.Format_RGB32)
    painter = QPainter(image)
    ScenePainter().paint(painter, QRectF(0, 0, *SIZE), scene)
    painter.end()
    memory = image.bits()
    memory.setsize(image.sizeInBytes())
    return np.frombuffer(memory, np.uint8).reshape(SIZE[1], SIZE[0], 4)[..., 2::-1].copy()


def figure(*points: tuple[float, float], state: tuple[int, ...] | None = None, **changes: object) -> Figure:
    """A figure with joints at canvas pixels, bones from each to the next."""
    bones = tuple((i, i + 1) for i in range(len(points) - 1))
    states = np.array(state or [2] * len(points))
    values = {"person": 1, "color": (255, 0, 0), **changes}
    return Figure(1, points=np.array(points, float), state=states, bones=bones, **values)  # type: ignore[arg-type]


def redness(pixels: np.ndarray, x: int, y: int) -> int:
    """How much redder than blue the pixel at canvas position (x, y) is; the canvas is twice the picture."""
    red, _, blue = pixels[y // 2, x // 2].astype(int)
    return red - blue


@pytest.fixture(autouse=True)
def qt(application: QApplication) -> None:
    """Painting wants a QApplication."""


def test_a_joint_is_painted_at_its_place_and_a_bone_between_two() -> None:
    pixels = painted(Scene(figures=(figure((600, 400), (600, 800)),)))
    assert redness(pixels, 600, 400) > 60
    assert redness(pixels, 600, 600) > 150
    assert redness(pixels, 700, 600) < 10


def test_a_lost_joint_and_its_bones_are_not_painted() -> None:
    pixels = painted(Scene(figures=(figure((600, 400), (600, 800), state=(0, 2)),)))
    assert redness(pixels, 600, 400) < 10
    assert redness(pixels, 600, 600) < 10
    assert redness(pixels, 600, 800) > 60


def test_a_bone_to_an_inferred_joint_is_dashed_and_the_joint_hollow() -> None:
    solid = painted(Scene(figures=(figure((600, 300), (600, 900)),)))[160:440, 300]
    dashed = painted(Scene(figures=(figure((600, 300), (600, 900), state=(2, 1)),)))[160:440, 300]
    share = [np.mean(line[:, 0].astype(int) - line[:, 2] > 100) for line in (solid, dashed)]
    assert share[0] > 0.95 and 0.2 < share[1] < 0.8
    pixels = painted(Scene(figures=(figure((600, 900), state=(1,)),)))
    assert redness(pixels, 600, 900) < 60 < redness(pixels, 608, 900)


def test_a_joint_that_is_nowhere_harms_nobody() -> None:
    painted(Scene(figures=(figure((np.nan, np.nan), (600, 400), (np.inf, 3.0), state=(0, 2, 0)),)))


def test_the_heat_gives_a_joint_the_color_of_its_level() -> None:
    levels = np.array([0.25, 1.0])
    pixels = painted(Scene(figures=(figure((600, 400), (600, 800), heat=levels),)))
    for (x, y), level in zip(((600, 400), (600, 800)), levels):
        assert np.abs(pixels[y // 2, x // 2].astype(int) - heat.color(level)).max() < 12


def test_of_somebody_who_was_lost_only_the_label_is_painted() -> None:
    there = figure((600, 400), (600, 800), label="tracking lost", ink=theme.TEXT)
    gone = dataclasses.replace(there, state=np.zeros_like(there.state), bones=(), is_lost=True)
    above, on_the_body = (slice(150, 196), slice(220, 380)), (slice(210, 390), slice(220, 380))
    assert (painted(Scene(figures=(gone,)))[above] > 200).all(axis=2).sum() > 50
    np.testing.assert_array_equal(painted(Scene(figures=(gone,)))[on_the_body], painted(Scene())[on_the_body])


def test_the_label_is_painted_above_the_head_and_can_be_switched_off() -> None:
    scene = Scene(figures=(figure((600, 400), (600, 800), label="deep squat", ink=theme.TEXT, is_action=True),))
    above = (slice(150, 196), slice(220, 380))
    with_label = painted(scene)[above]
    without = painted(dataclasses.replace(scene, shows_labels=False))[above]
    assert (with_label > 200).all(axis=2).sum() > 50  # bright letters
    assert (without > 200).all(axis=2).sum() == 0


def test_labels_stay_inside_the_picture_and_off_each_other() -> None:
    colors = ((250, 0, 0), (0, 250, 0), (0, 0, 250))
    people = tuple(
        dataclasses.replace(
            figure((x, 5), (x, 300), label="standing shoulder abduction"), person=i + 1, color=colors[i]
        )
        for i, x in enumerate((3, 60, 1910))
    )
    with_labels = painted(Scene(figures=people)).astype(int)
    without = painted(Scene(figures=people, shows_labels=False)).astype(int)
    is_new = np.abs(with_labels - without).max(axis=2) > 100
    for color in colors:  # each whole badge, a disc of 12 pixels with a digit in it
        badge = is_new & (np.abs(with_labels - color).max(axis=2) < 30)
        assert badge.sum() > 60


@pytest.mark.parametrize("person", [1, 12, 101, 1201])
def test_the_badge_of_a_label_is_as_wide_as_the_number_in_it(person: int) -> None:
    labels, image = Labels(), QImage(*SIZE, QImage.Format_RGB32)
    painter = QPainter(image)
    labels.use(painter, unit=SIZE[1] / REFERENCE_HEIGHT)
    painter.end()
    somebody = figure((600, 400), (600, 800), person=person, color=(0, 0, 250), label="squat", ink=theme.TEXT)
    above = painted(Scene(figures=(somebody,)))[140:196].astype(int)
    columns = np.nonzero((np.abs(above - (0, 0, 250)).max(axis=2) < 30).any(axis=0))[0]
    assert np.ptp(columns) > labels._label.horizontalAdvance(str(person)) + 2
    words = np.nonzero((above > 200).all(axis=2).any(axis=0))[0]
    assert words.min() > columns.max()


def test_the_mirror_turns_people_and_picture_but_not_the_text() -> None:
    image = np.zeros((1080, 1920, 3), np.uint8)
    image[:, :960, 1] = 200
    scene = Scene(image=image, figures=(figure((400, 400), (400, 800)),))
    plain, mirrored = painted(scene), painted(dataclasses.replace(scene, is_mirrored=True))
    assert redness(plain, 400, 600) > 150 and redness(mirrored, 1920 - 400, 600) > 150
    assert plain[500, 100, 1] > 150 > mirrored[500, 100, 1]
    legend = Scene(legend=Legend("0.00", "1.00"))
    assert (painted(legend) == painted(dataclasses.replace(legend, is_mirrored=True))).all()


def test_the_color_picture_keeps_its_shape() -> None:
    image = np.full((1080, 1080, 3), 200, np.uint8)  # square, on a wide target
    pixels = painted(Scene(size=(1080, 1080), image=image))
    assert pixels[270, 480].min() > 190
    view = View(Scene(size=(1080, 1080)), QRectF(0, 0, *SIZE))
    assert view.rect == QRectF(210, 0, 540, 540)


def test_a_wrapped_picture_shares_its_memory() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    wrapped = wrap_rgb(image)
    image[1, 2] = (9, 8, 7)
    assert wrapped.pixelColor(2, 1).getRgb()[:3] == (9, 8, 7)


def test_a_new_picture_replaces_the_old_one() -> None:
    target, painter = QImage(*SIZE, QImage.Format_RGB32), ScenePainter()
    for value in (40, 220):
        device = QPainter(target)
        painter.paint(device, QRectF(0, 0, *SIZE), Scene(image=np.full((1080, 1920, 3), value, np.uint8)))
        device.end()
        assert abs(target.pixelColor(480, 270).red() - value) <= 1


def test_the_empty_picture_says_what_is_going_on() -> None:
    assert (painted(Presenter().scene(PipelineView())) > 100).all(axis=2).any()
    assert not (painted(Scene()) > 100).all(axis=2).any()
