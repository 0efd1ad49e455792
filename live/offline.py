"""Runs a source through a recognizer frame by frame, without threads: for rendering, evaluation and tests.

for view in run(ReplaySource(path, speed=math.inf), Recognizer(model)):
    ...
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from live.decision import DecisionConfig
from live.engine import Engine, Recognizes, leveler_for
from live.sources.base import Source, SourceInfo, SourceStatus
from live.view import Banner, PersonView, PipelineView, Severity, Statistics

READ_TIMEOUT_S = 1.0


def run(
    source: Source, recognizer: Recognizes, *, config: DecisionConfig | None = None, with_color: bool = True
) -> Iterator[PipelineView]:
    """Yields one view a frame, no frame left out, until the source ends or the caller stops.

    The views and events are the same on every run of the same recording. Actions that still go on at the end are
    ended in the last view. The source is opened here, and closed when the iteration is over.

    Args:
        source: Not yet open; a replay should play with speed ``math.inf``.
        recognizer: The model.
        config: When actions start and end.
        with_color: Whether to fetch the color pictures, which cost most of the time.

    Raises:
        SourceError: The source cannot be opened, or is lost.
        RecordingError: The recording cannot be read.
        ModelContractError: The source lacks joints that the model needs.
    """
    newest: PipelineView | None = None
    try:
        info = source.open()
        engine = Engine(recognizer, info.layout, config=config, leveler=leveler_for(recognizer.card, info))
        for view in _views(source, info, recognizer, engine, with_color):
            if newest is not None:
                yield newest
            newest = view
        if newest is not None:
            yield dataclasses.replace(newest, events=newest.events + engine.finish())
    finally:
        source.close()


def _views(
    source: Source, info: SourceInfo, recognizer: Recognizes, engine: Engine, with_color: bool
) -> Iterator[PipelineView]:
    lasting = (Banner(Severity.WARNING, recognizer.warning),) if recognizer.warning else ()
    banners = lasting
    people: tuple[PersonView, ...] = ()
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
            people = decided.people
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
        )
        if source.status is SourceStatus.ENDED:  # another read would wait for nothing
            return
