"""Opening another recording or model: what is there stays until the new one works."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from app.session import NO_KINECT, Choice, Session
from live.sources.base import Position, SourceStatus, Transport
from live.sources.table import SourceOptions
from live.view import Banner, PipelineView, Severity
from models.card import ModelCard
from skeleton.errors import ModelLoadError
from tests.app.fakes import CARD, FakePipeline, event, person, view

FAILED = PipelineView(status=SourceStatus.FAILED, banners=(Banner(Severity.ERROR, "No such recording."),))


class Opened:
    """A session over fake pipelines, and what it made."""

    def __init__(self, *shown: PipelineView, kind: str = "replay", can_fall_back: bool = False) -> None:
        self.pipelines = [FakePipeline(one) for one in shown]
        self.choices: list[Choice] = []
        self.card: ModelCard | Exception = CARD
        choice = Choice(kind, SourceOptions(), Path("first.onnx"), can_fall_back=can_fall_back)
        self.session = Session(self._make, self._load, choice)
        self.session.start()

    def _make(self, choice: Choice) -> FakePipeline:
        self.choices.append(choice)
        return self.pipelines[len(self.choices) - 1]

    def _load(self, path: Path, provider: str) -> ModelCard:
        if isinstance(self.card, Exception):
            raise self.card
        return self.card

    def wait_for_model(self) -> PipelineView:
        assert self.session._loading is not None
        self.session._loading.join()
        return self.session.poll()


def test_a_new_recording_takes_over_when_it_delivers() -> None:
    first, second = view(person(1)), view(person(1), person(2), events=(event(),))
    opened = Opened(first, PipelineView())
    opened.session.open_recording(Path("next.csv"))
    assert opened.session.poll().people == first.people and opened.session.revision == 0
    opened.pipelines[1].shown = second
    shown = opened.session.poll()
    assert (shown.people, shown.events) == (second.people, second.events)
    assert opened.session.poll().events == ()
    assert opened.session.revision == 1 and opened.choices[1].source.recording == Path("next.csv")
    opened.session.close()
    assert [one.stops for one in opened.pipelines] == [1, 1]


def test_evidence_is_asked_of_what_is_open_and_of_what_is_opened_later() -> None:
    opened = Opened(view(person(1)), PipelineView())
    first, second = opened.pipelines
    opened.session.explain(True)
    assert first.explains
    opened.session.open_demo()
    assert second.explains
    opened.session.explain(False)
    assert not first.explains and not second.explains


def test_a_recording_that_fails_changes_nothing_and_is_said_once() -> None:
    opened = Opened(view(person(1)), FAILED)
    opened.session.open_recording(Path("next.csv"))
    assert opened.session.poll().status is SourceStatus.STREAMING
    assert opened.session.take_problems() == ["No such recording."]
    assert opened.session.take_problems() == []
    opened.session.close()
    assert [one.stops for one in opened.pipelines] == [1, 1]


def test_the_last_of_two_quick_choices_wins() -> None:
    opened = Opened(view(person(1)), PipelineView(), view(person(1), person(2)))
    opened.session.open_recording(Path("a.csv"))
    opened.session.open_recording(Path("b.csv"))
    opened.session.poll()
    assert opened.session._choice.source.recording == Path("b.csv")
    opened.session.close()
    assert [one.stops for one in opened.pipelines] == [1, 1, 1]


def test_a_new_model_goes_on_where_the_recording_was() -> None:
    second = view(person(1), person(2))
    opened = Opened(view(person(1), position=Position(3.2, 96, speed=2.0, is_looping=True)), second)
    opened.session.open_model(Path("second.onnx"))
    assert opened.wait_for_model().people == second.people and opened.session.revision == 1
    assert opened.choices[1].model == Path("second.onnx")
    assert opened.pipelines[1].commands == [
        Transport(seek_s=3.2), Transport(speed=2.0), Transport(loop=True), Transport(play=True),
    ]  # fmt: skip
    opened.session.close()


@pytest.mark.parametrize("is_model_first", [False, True])
def test_the_last_model_chosen_is_kept_by_a_recording_that_is_still_opening(is_model_first: bool) -> None:
    opened = Opened(view(person(1)), PipelineView(), view(person(1), person(2)))
    if is_model_first:
        opened.session.open_model(Path("second.onnx"))
    opened.session.open_recording(Path("next.csv"))
    if not is_model_first:
        opened.session.open_model(Path("second.onnx"))
    opened.wait_for_model()
    opened.pipelines[1].shown = view(person(1))
    assert len(opened.session.poll().people) == 2
    assert opened.session.choice == opened.choices[-1]
    assert opened.session.choice.model == Path("second.onnx")
    assert opened.session.choice.source.recording == Path("next.csv")
    opened.session.close()


def test_a_model_is_taken_into_use_though_the_recording_that_was_opening_fails() -> None:
    opened = Opened(view(person(1)), PipelineView(), view(person(1), person(2)))
    opened.session.open_recording(Path("next.csv"))
    opened.session.open_model(Path("second.onnx"))
    opened.wait_for_model()
    opened.pipelines[1].shown = FAILED
    assert len(opened.session.poll().people) == 2
    assert opened.session.choice.model == Path("second.onnx") and opened.session.choice.source.recording is None
    opened.session.close()


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (ModelLoadError("'second.onnx' is not an ONNX file."), "is not an ONNX file"),
        (dataclasses.replace(CARD, joints=("HipCenter", "Spine")), "does not measure: HipCenter, Spine"),
    ],
    ids=["not a model", "other joints"],
)
def test_a_model_that_does_not_fit_changes_nothing(card: ModelCard | Exception, words: str) -> None:
    opened = Opened(view(person(1)))
    opened.card = card
    opened.session.open_model(Path("second.onnx"))
    opened.wait_for_model()
    assert words in opened.session.take_problems()[0]
    assert len(opened.choices) == 1
    opened.session.close()


def test_a_sensor_is_closed_before_it_is_opened_again() -> None:
    opened = Opened(view(person(1), position=None), view(person(1)), kind="kinect")
    opened.session.open_model(Path("second.onnx"))
    stops_when_made: list[int] = []
    make = opened.session._make

    def watching(choice: Choice) -> FakePipeline:
        stops_when_made.append(opened.pipelines[0].stops)
        return make(choice)  # type: ignore[return-value]

    opened.session._make = watching
    opened.wait_for_model()
    assert stops_when_made == [1]
    opened.session.close()


def test_a_recording_goes_on_with_the_demo_that_takes_the_kinects_place() -> None:
    opened = Opened(PipelineView(), PipelineView(), kind="kinect", can_fall_back=True)
    kinect, demo = opened.pipelines
    opened.session.record(Path("a.mcap"), with_video=True)
    kinect.shown = dataclasses.replace(FAILED, recording=kinect.shown.recording)
    shown = opened.session.poll()
    assert demo.recordings == [(Path("a.mcap"), True)]
    assert shown.recording is not None and shown.recording.is_running
    opened.session.close()


@pytest.mark.parametrize("is_failing_at_once", [False, True])
def test_the_demo_takes_the_kinects_place_though_a_model_was_chosen_meanwhile(is_failing_at_once: bool) -> None:
    opened = Opened(PipelineView(), PipelineView(), view(person(1)), kind="kinect", can_fall_back=True)
    kinect, again, demo = opened.pipelines
    opened.session.record(Path("a.mcap"), with_video=True)
    opened.session.open_model(Path("second.onnx"))
    if is_failing_at_once:
        kinect.shown = dataclasses.replace(FAILED, recording=kinect.shown.recording)
    shown = opened.wait_for_model()
    assert again.recordings == [(Path("a.mcap"), True)]
    assert shown.recording is not None and shown.recording.is_running
    again.shown = dataclasses.replace(FAILED, recording=again.shown.recording)
    opened.session.poll()
    assert [(choice.kind, choice.model.name) for choice in opened.choices] == [
        ("kinect", "first.onnx"), ("kinect", "second.onnx"), ("demo", "second.onnx"),
    ]  # fmt: skip
    assert demo.recordings == [(Path("a.mcap"), True)]
    assert opened.session.take_problems() == ["No such recording.", NO_KINECT]
    opened.session.close()


def test_a_kinect_that_has_sent_frames_is_waited_for_when_a_model_is_chosen() -> None:
    opened = Opened(view(person(1), position=None), FAILED, kind="kinect", can_fall_back=True)
    opened.session.record(Path("a.mcap"))
    opened.session.open_model(Path("second.onnx"))
    assert opened.wait_for_model().status is SourceStatus.FAILED
    opened.session.poll()
    assert [choice.kind for choice in opened.choices] == ["kinect", "kinect"]
    assert opened.pipelines[1].recordings == []  # it has frames, and ends as with anything else that is opened
    opened.session.close()


@pytest.mark.parametrize("why", ["stopped before", "has frames"])
def test_a_recording_does_not_go_on_with_the_demo_where_it(why: str) -> None:
    opened = Opened(PipelineView(), PipelineView(), kind="kinect", can_fall_back=True)
    kinect, demo = opened.pipelines
    opened.session.record(Path("a.mcap"))
    if why == "stopped before":
        opened.session.stop_recording()
    assert kinect.shown.recording is not None
    frames = 0 if why == "stopped before" else 75
    kinect.shown = dataclasses.replace(
        FAILED, recording=dataclasses.replace(kinect.shown.recording, frames=frames, is_closed=False)
    )
    opened.session.poll()
    assert demo.recordings == []
    opened.session.close()


def test_the_kinect_can_be_used_again_once_the_demo_took_its_place() -> None:
    opened = Opened(FAILED, view(person(1)), FAILED, PipelineView(), kind="kinect", can_fall_back=True)
    opened.session.poll()
    opened.session.take_problems()
    opened.session.open_kinect()
    assert opened.session.poll().people and opened.session.choice.kind == "demo"
    assert opened.session.take_problems() == ["No such recording."]
    opened.session.open_kinect()
    opened.session.open_kinect()  # it is being opened: a sensor is never opened twice
    assert [choice.kind for choice in opened.choices] == ["kinect", "demo", "kinect", "kinect"]
    opened.pipelines[3].shown = view(person(1), person(2))
    assert len(opened.session.poll().people) == 2 and opened.session.choice.kind == "kinect"
    opened.session.open_kinect()
    assert len(opened.choices) == 4  # it is open
    opened.session.close()
    assert [one.stops for one in opened.pipelines] == [1, 1, 1, 1]


def test_the_kinect_that_is_open_is_a_choice_too_and_the_last_one_wins() -> None:
    opened = Opened(view(person(1), position=None), PipelineView(), kind="kinect")
    opened.session.open_recording(Path("next.csv"))
    opened.session.open_kinect()
    opened.pipelines[1].shown = view(person(1), person(2))
    assert len(opened.session.poll().people) == 1 and opened.session.choice.kind == "kinect"
    opened.session.close()
    assert [one.stops for one in opened.pipelines] == [1, 1]


def test_without_a_sensor_auto_shows_the_demo_and_says_why() -> None:
    opened = Opened(FAILED, view(person(1)), kind="kinect", can_fall_back=True)
    opened.session.poll()
    assert opened.choices[1].kind == "demo"
    assert opened.session.poll().status is SourceStatus.STREAMING
    assert opened.session.take_problems() == ["No such recording.", NO_KINECT]
    opened.session.close()
