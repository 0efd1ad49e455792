"""Runs a source through a recognizer frame by frame, without threads: for rendering, evaluation and tests.

for view in run(ReplaySource(path, speed=math.inf), Recognizer(model)):
    ...
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator

from live.decision import DecisionConfig
from live.engine import Decided, Engine, Recognizes, leveler_for
from live.evidence import evidence, questions
from live.evidence_rota import EVERY_S
from live.sources.base import Source, SourceInfo, SourceStatus
from live.view import Banner, JointEvidence, PairView, PersonView, PipelineView, Severity, Statistics

READ_TIMEOUT_S = 1.0


def run(
    source: Source,
    recognizer: Recognizes,
    *,
    config: DecisionConfig | None = None,
    with_color: bool = True,
    with_evidence: bool = False,
) -> Generator[PipelineView, None, None]:
    """Yields one view a frame, no frame left out, until the source ends or the caller stops.

    The views and events are the same on every run of the same recording. Actions that still go on at the end are
    ended in the last view. The source is opened here, and closed when the iteration is over.

    Args:
        source: Not yet open; a replay should play with speed ``math.inf``.
        recognizer: The model.
        config: When actions start and end.
        with_color: Whether to fetch the color pictures, which cost most of the time.
        with_evidence: Whether to look for evidence of everybody's action, five times a second.

    Raises:
        SourceError: The source cannot be opened, or is lost.
        RecordingError: The recording cannot be read.
        ModelContractError: The source lacks joints that the model needs.
    """
    newest: PipelineView | None = None
    try:
        info = source.open()
        engine = Engine(recognizer, info.layout, config=config, leveler=leveler_for(recognizer.card, info))
        views = _views(source, info, recognizer, engine, with_color, _Explainer() if with_evidence else None)
        for view in views:
            if newest is not None:
                yield newest
            newest = view
        if newest is not None:
            yield dataclasses.replace(newest, events=newest.events + engine.finish())
    finally:
        source.close()


class _Explainer:
    """Keeps everybody's evidence as new as the window does for one person, on the recording's time."""

    def __init__(self) -> None:
        self._found: dict[int, JointEvidence] = {}

    def look(self, recognizer: Recognizes, engine: Engine, decided: Decided) -> tuple[JointEvidence, ...]:
        known, self._found = self._found, {}
        for asked in questions(decided, recognizer.card.labels):
            found, time_s = known.get(asked.body_id), asked.window.end_s
            is_new = found is not None and found.label == asked.name and 0 <= time_s - found.time_s < EVERY_S
            if found is None or not is_new:
                falls = evidence(
                    recognizer, asked.window, asked.label, probability=asked.probability, person=asked.person
                )
                found = JointEvidence(asked.body_id, asked.name, time_s, engine.on_source_joints(falls))
            self._found[asked.body_id] = found
        return tuple(self._found.values())


def _views(
    source: Source,
    info: SourceInfo,
    recognizer: Recognizes,
    engine: Engine,
    with_color: bool,
    explainer: _Explainer | None,
) -> Iterator[PipelineView]:
    lasting = tuple(Banner(Severity.WARNING, text) for text in (info.warning, recognizer.warning) if text)
    banners = lasting
    people: tuple[PersonView, ...] = ()
    pairs: tuple[PairView, ...] = ()
    found: tuple[JointEvidence, ...] = ()
    count = 0
    while True:
        frame = source.read(READ_TIMEOUT_S)
        if frame is None:
            if source.status is SourceStatus.ENDED:  # without a single frame
                return
            continue
        count += 1
        observation = engine.observe(frame)
        decided = engine.decide(observation) if observation else None
        if decided is not None:
            people, pairs = decided.people, decided.pairs
            found = explainer.look(recognizer, engine, decided) if explainer is not None else ()
            banners = (*lasting, Banner(Severity.WARNING, decided.trouble)) if decided.trouble else lasting
        yield PipelineView(
            source=info,
            status=source.status,
            model=recognizer.info,
            frame=frame,
            image=source.color() if with_color else None,
            people=people,
            events=decided.events if decided else (),
            position=source.position,
            banners=banners,
            statistics=Statistics(frames_read=count),
            evidence=found,
            pairs=pairs,
        )
        if source.status is SourceStatus.ENDED:  # another read would wait for nothing
            return
