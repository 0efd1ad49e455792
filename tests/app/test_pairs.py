"""What two people do together, as window and video show it: between them, in both colors, with both numbers."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PyQt5.QtCore import QRect, QRectF, QSize
from PyQt5.QtGui import QImage, QPainter
from PyQt5.QtWidgets import QApplication, QStyleOptionViewItem, QWidget

from app import theme
from app.event_file import write_events
from app.events import EventPanel, EventRow
from app.headless import PICTURE, SIZE
from app.painting import ScenePainter
from app.presenter import Presenter
from app.scene import Scene
from app.timeline import Timeline
from app.video_panel import paint_panel
from app.wording import model_hint
from live.heat_kinds import HeatKind
from live.view import ActionEvent, PairView, PersonState, PipelineView
from tests.app.fakes import CARD, LABELS, MODEL, event, person, view

TOGETHER = dataclasses.replace(CARD, persons=2, pair_labels=LABELS[2:])


def pair_view(*, one: int = 1, other: int = 2, others: tuple[int, ...] = (), **changes: object) -> PipelineView:
    """Two people side by side who do the third action together, and others beside them who do the first."""
    both = {"label": LABELS[2], "best": 2}
    people = (person(one, partner=other, **both), person(other, partner=one, **both), *map(person, others))
    bond = PairView((100 + one, 100 + other), (one, other), PersonState.ACTION, LABELS[2], 0.93, 0.9)
    return view(*people, pairs=(bond,), model=dataclasses.replace(MODEL, card=TOGETHER), **changes)


def both_event(**changes: object) -> ActionEvent:
    return dataclasses.replace(event(best=2), other_body_id=102, other_person=2, **changes)


def scene_of(shown: PipelineView, presenter: Presenter | None = None) -> Scene:
    presenter = presenter or Presenter()
    presenter.take(shown)
    return presenter.scene(shown)


def drawn(size: tuple[int, int], draw) -> np.ndarray:  # type: ignore[no-untyped-def]
    """What ``draw`` does with a painter, as (height, width, 3) RGB."""
    image = QImage(*size, QImage.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    draw(painter)
    painter.end()
    memory = image.bits()
    memory.setsize(image.sizeInBytes())
    return np.frombuffer(memory, np.uint8).reshape(size[1], size[0], 4)[..., 2::-1].copy()


def grabbed(widget: QWidget, size: tuple[int, int]) -> np.ndarray:
    widget.resize(QSize(*size))
    return drawn(size, lambda painter: widget.render(painter))


def columns_of(pixels: np.ndarray, color: theme.Color) -> np.ndarray:
    """Columns that hold pixels of exactly this color."""
    return np.flatnonzero((pixels == color).all(axis=2).any(axis=0))


@pytest.fixture(autouse=True)
def qt(application: QApplication) -> None:
    """Painting wants a QApplication."""


def test_two_who_act_together_share_one_label() -> None:
    presenter = Presenter()
    presenter.heat_kind = HeatKind.SPATIAL
    scene = scene_of(pair_view(others=(3,)), presenter)
    assert [(bond.label, bond.detail) for bond in scene.bonds] == [("side lunge", "93%")]
    assert [figure.person for figure in scene.bonds[0].figures] == [1, 2]
    assert {figure.person: figure.label for figure in scene.figures} == {1: "", 2: "", 3: "deep squat"}
    assert all(figure.heat is not None for figure in scene.bonds[0].figures)


def test_who_is_not_in_the_picture_shares_no_label() -> None:
    shown = pair_view()
    assert shown.frame is not None
    alone = dataclasses.replace(shown, frame=dataclasses.replace(shown.frame, bodies=shown.frame.bodies[:1]))
    assert scene_of(alone).bonds == ()


def test_people_who_only_stand_together_are_said_nothing_of() -> None:
    idle = PairView((101, 102), (1, 2), PersonState.NOTHING, None, 0.4, 0.9)
    assert scene_of(view(person(1), person(2), pairs=(idle,))).bonds == ()


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_the_label_stands_between_the_two_with_a_line_and_a_number_in_each_color(is_mirrored: bool) -> None:
    presenter = Presenter()
    presenter.is_mirrored = is_mirrored
    presenter.shows_heat = False
    scene = scene_of(pair_view(), presenter)
    painter = ScenePainter()
    target = QRectF(0, 0, 960, 540)
    with_label = drawn((960, 540), lambda onto: painter.paint(onto, target, scene))
    bare = dataclasses.replace(scene, bonds=())
    without = drawn((960, 540), lambda onto: painter.paint(onto, target, bare))
    changed = (with_label != without).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    at = {}
    for figure in scene.figures:
        points = figure.points * 0.5
        at[figure.person] = 960 - points[:, 0].mean() if is_mirrored else points[:, 0].mean()
    tops = min(float(figure.points[:, 1].min()) * 0.5 for figure in scene.figures)
    assert rows.max() < tops, "above the heads, off the bodies"
    assert min(at.values()) - 30 < columns.min() and columns.max() < max(at.values()) + 30
    assert (columns.min() + columns.max()) / 2 == pytest.approx(sum(at.values()) / 2, abs=8)
    only = np.where(changed[..., None], with_label, 0)
    middle = {number: columns_of(only, theme.person_color(number)).mean() for number in (1, 2)}
    assert (middle[1] < middle[2]) == (at[1] < at[2]), "the number on the left is of who stands on the left"


def test_no_label_is_drawn_where_labels_are_switched_off() -> None:
    presenter = Presenter()
    presenter.shows_labels = False
    scene = scene_of(pair_view(), presenter)
    target = QRectF(0, 0, 960, 540)
    found = drawn((960, 540), lambda onto: ScenePainter().paint(onto, target, scene))
    bare = dataclasses.replace(scene, bonds=())
    np.testing.assert_array_equal(found, drawn((960, 540), lambda onto: ScenePainter().paint(onto, target, bare)))


def test_the_scores_of_each_are_those_of_both() -> None:
    presenter, shown = Presenter(), pair_view()
    presenter.take(shown)
    presenter.choose(2, shown)
    scores = presenter.scores(shown)
    assert scores.person == 2
    assert [row.label for row in scores.rows if row.is_action] == ["side lunge"]


def test_an_end_belongs_to_its_start_among_people_who_do_the_same() -> None:
    presenter = Presenter()
    alone = event(1, start_s=1.0, best=2)
    presenter.take(pair_view(events=(alone, both_event())))
    presenter.take(pair_view(events=(both_event(end_s=2.0),)))
    assert [(one.people, one.end_s) for one in presenter.events] == [((1,), None), ((1, 2), 2.0)]


def test_the_list_of_actions_names_and_colors_both() -> None:
    panel = EventPanel()
    panel.show_events((both_event(end_s=2.5), event(3)))
    texts = [[panel.table.index(row, column).data() for column in range(5)] for row in range(2)]
    assert texts[0] == ["0:01.0", "1.5 s", "1 + 2", "side lunge", "90%"] and texts[1][2] == "3"
    option = QStyleOptionViewItem()
    option.rect = QRect(0, 0, 240, 46)
    row = EventRow()
    pixels = drawn((240, 46), lambda painter: row.paint(painter, option, panel.table.index(0, 0)))
    for number in (1, 2):
        assert len(columns_of(pixels, theme.person_color(number))) > 10
    assert not len(columns_of(pixels, theme.person_color(3)))


def test_the_timeline_has_a_bar_for_each_of_the_two() -> None:
    timeline = Timeline()
    timeline.show_position(4.0, 5.0, [both_event(end_s=None)])
    pixels = grabbed(timeline, (400, 34))
    rows = {
        number: np.flatnonzero((pixels == theme.person_color(number)).all(axis=2).any(axis=1)) for number in (1, 2)
    }
    assert len(rows[1]) and len(rows[2]) and rows[2].max() < rows[1].min()


def test_the_video_paints_the_same_picture_and_names_both() -> None:
    presenter, shown = Presenter(), pair_view(events=(both_event(),))
    scene = scene_of(shown, presenter)
    assert scene.bonds

    def paint(painter: QPainter) -> None:
        ScenePainter().paint(painter, PICTURE, scene)
        paint_panel(painter, QRectF(PICTURE.right(), 0, SIZE[0] - PICTURE.right(), SIZE[1]), presenter, shown)

    panel = drawn(SIZE, paint)[:, int(PICTURE.right()) :]
    # Of the last 40 rows with a person's color those are the two halves of the action's stripe.
    halves = [np.flatnonzero((panel == theme.person_color(n)).all(axis=2).any(axis=1)).max() for n in (1, 2)]
    assert 10 < halves[1] - halves[0] < 40


def test_the_table_has_the_second_body_in_a_column_of_its_own(tmp_path: Path) -> None:
    write_events(tmp_path / "e.csv", [event(3, start_s=0.5, end_s=1.0), both_event(end_s=2.0)])
    with (tmp_path / "e.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["body"], row["other_body"], row["label"]) for row in rows] == [
        ("103", "", "deep_squat"),
        ("101", "102", "side_lunge"),
    ]


def test_the_hint_says_that_a_model_knows_what_two_people_do() -> None:
    assert "4 classes, 2 of them of two people together" in model_hint(pair_view())
