"""Starts the app: flags, what the machine lacks, exception hooks, window or video, exit code."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if sys.platform == "win32":
    # Before PyQt5: its wheel holds an old msvcp140.dll, and the library that comes first serves the whole process.
    # ONNX Runtime does not start on that one.
    from live.runtime import load

    with contextlib.suppress(ImportError):  # whoever needs it says so, in a sentence
        load()

from app import preflight
from app.logs import ExceptionHooks, start_logging
from app.options import DEMO_DURATION_S, PRETRAINED, Options, check, check_outputs, parse, source_kind
from skeleton.command_line import run
from skeleton.errors import ConfigError

if TYPE_CHECKING:  # at run time these come in when they are needed: flags and sentences must not wait for them
    from app.main_window import MainWindow
    from app.session import Choice, LivePipeline
    from live.recognizer import Recognizer
    from live.sources.table import SourceOptions
    from live.view import PipelineView
    from models.card import ModelCard

FIRST_PAINT_VARIABLE = "KAR_FIRST_PAINT"
"""Names a file into which the window writes the time (``time.time()``) of its first painted body frame."""
INTERRUPT_EXIT_CODE = 1
LONGEST_START_MS = 30_000
"""After this, --duration counts though no picture has come."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the app and returns its exit code."""
    options = parse(arguments)
    return run(lambda: _start(options), is_verbose=options.is_verbose)


def _start(options: Options) -> int:
    check(options)
    log_file = start_logging(is_verbose=options.is_verbose)
    hooks = ExceptionHooks(log_file, report=_print_error)
    hooks.install()  # for good: what nobody catches here still wants its traceback in the log file
    if options.is_check:
        from app.check import print_check

        return print_check(options.model or PRETRAINED, provider=options.provider)
    if options.is_headless:
        return _render(options)
    display = preflight.find_display()
    if not display.name and not display.is_open:
        print(f"No display ({display.reason}): rendering into a video instead of a window.", file=sys.stderr)
        # A window that repeats a recording can be closed; a video of it would never end.
        return _render(dataclasses.replace(options, is_looping=options.is_looping and options.duration_s is not None))
    return _open_window(options, display, hooks)


def _open_window(options: Options, display: preflight.Display, hooks: ExceptionHooks) -> int:
    _require_libraries(display.platform or "xcb")
    if not display.is_open:
        raise ConfigError(
            f"A window needs a display, but '{display.name}' cannot be opened: {display.reason}.",
            remedy="Set DISPLAY to a running X server, or add --headless to render into a video.",
        )
    if display.platform:
        os.environ["QT_QPA_PLATFORM"] = display.platform
    from PyQt5.QtCore import QSettings, QTimer

    from app.application import font_problem, make_application, platform_problem
    from app.main_window import MainWindow
    from app.session import Session
    from live.heat_kinds import HeatKind

    if problem := platform_problem():
        raise ConfigError(problem, remedy="Unset it, and the right one is found.")
    application = make_application()
    session = Session(functools.partial(_make_pipeline, hooks.file), _load_card, _first_choice(options))
    window = MainWindow(session, QSettings())
    if options.heat is not None:
        window.show_heat(HeatKind(options.heat))
    # Python sees a signal only between its own instructions; the window's timer gives it 30 chances a second.
    signal.signal(signal.SIGINT, lambda *_: window.close())
    signal.signal(signal.SIGTERM, lambda *_: window.close())
    window.show()
    _note_first_paint(window)
    if problem := font_problem(application):
        print(f"warning: {problem}", file=sys.stderr)
        window.notify(problem)
    QTimer.singleShot(0, session.start)  # the window first: opening a source and a model takes longer
    if (path := options.record) is not None:
        QTimer.singleShot(0, lambda: window.recording.start(path, with_video=options.with_record_video))
    if options.duration_s is not None:
        duration_ms = round(options.duration_s * 1000)
        _at_first_picture(window, lambda: QTimer.singleShot(duration_ms, window.close))
        QTimer.singleShot(duration_ms + LONGEST_START_MS, window.close)  # where no picture ever comes
    hooks.report = window.reported.emit  # before and after the window's loop nobody would see it there
    try:
        return application.exec_()
    finally:
        session.close()
        hooks.report = _print_error


def _print_error(sentence: str) -> None:
    print(f"error: {sentence}", file=sys.stderr)


def _render(options: Options) -> int:
    from live.offline import run as run_offline
    from live.recognizer import Recognizer
    from live.sources.table import SOURCES

    _require_libraries("offscreen")
    if sys.platform.startswith("linux"):  # elsewhere the usual platform needs no screen, and offscreen has no fonts
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from app.application import font_problem, make_application
    from app.headless import print_progress, render
    from app.recording import while_recording
    from live.heat_kinds import DEFAULT_HEAT, HeatKind

    application = make_application()
    if problem := font_problem(application):
        print(f"warning: {problem}", file=sys.stderr)
    kind = source_kind(options)
    output, events = _outputs(options, kind)
    check_outputs(_with_its_video(options, output), output, events)  # names of our own are among them
    source = SOURCES[kind](_source_options(dataclasses.replace(options, speed=math.inf)))
    recognizer = Recognizer(options.model or PRETRAINED, provider=options.provider)
    began_s = time.monotonic()
    heat = DEFAULT_HEAT if options.heat is None else HeatKind(options.heat)
    views = run_offline(source, recognizer, with_evidence=heat is HeatKind.EVIDENCE)
    views = _told(views, known=recognizer.warning)
    if options.record is not None:
        views = while_recording(views, options.record, with_video=options.with_record_video)
    result = render(
        views,
        output,
        events=events,
        duration_s=options.duration_s or (DEMO_DURATION_S if kind == "demo" else None),
        speed=1.0 if math.isinf(options.speed) else options.speed,
        progress=print_progress,
        heat=heat,
    )
    table = f", {len(result.events)} actions in {events}" if events else ""
    if options.record is not None:
        table += f", recorded in {options.record}" + _lacking(options.record, with_video=options.with_record_video)
    print(f"{output}: {result.video_s:.1f} s{table}, in {time.monotonic() - began_s:.1f} s")
    if result.is_interrupted:
        print("Interrupted; what was rendered so far is kept.", file=sys.stderr)
        return INTERRUPT_EXIT_CODE
    return 0


def _lacking(record: Path, *, with_video: bool) -> str:
    from app.recording import NO_VIDEO
    from live.picture_file import SUFFIX

    return f" ({NO_VIDEO})" if with_video and not record.with_suffix(SUFFIX).exists() else ""


def _told(views: Iterator[PipelineView], *, known: str | None) -> Iterator[PipelineView]:
    """Yields the views, and prints once what a window shows above the picture; ``known`` is in the log already."""
    told = {known}
    for view in views:
        for banner in view.banners:
            if banner.text not in told:
                told.add(banner.text)
                print(f"warning: {banner.text}", file=sys.stderr)
        yield view


def _outputs(options: Options, kind: str) -> tuple[Path, Path | None]:
    """Where the video and the table go; without --output both get a name that says what is in them."""
    if options.output is not None:
        return options.output, options.events
    stem = f"{options.recording.stem}-labeled" if kind == "replay" and options.recording else "demo"
    return Path(f"{stem}.mp4"), options.events or Path(f"{stem}-events.csv")


def _with_its_video(options: Options, output: Path) -> Options:
    """Adds the color video that the recording itself names, where ``output`` could replace it."""
    if options.recording is None or options.video is not None or not output.exists():
        return options
    from skeleton.formats.table import open_recording

    return dataclasses.replace(options, video=open_recording(options.recording).info.color_video)


def _source_options(options: Options) -> SourceOptions:
    from live.sources.table import SourceOptions

    return SourceOptions(
        recording=options.recording,
        video=options.video,
        speed=options.speed,
        is_looping=options.is_looping,
        people=options.people,
    )


def _first_choice(options: Options) -> Choice:
    from app.session import Choice

    kind = source_kind(options)
    return Choice(
        kind=kind,
        source=_source_options(options),
        model=options.model or PRETRAINED,
        provider=options.provider,
        can_fall_back=options.source == "auto" and kind == "kinect",
    )


def _make_pipeline(log_file: Path, choice: Choice) -> LivePipeline:
    from live.pipeline import Pipeline
    from live.sources.table import SOURCES

    return Pipeline(
        SOURCES[choice.kind](choice.source),
        functools.partial(_load_recognizer, choice.model, choice.provider),
        log_file=log_file,
    )


def _load_recognizer(model: Path, provider: str) -> Recognizer:
    from live.recognizer import load_for_this_thread

    return load_for_this_thread(model, provider=provider)


def _load_card(model: Path, provider: str) -> ModelCard:
    from live.recognizer import Recognizer

    return Recognizer(model, provider=provider).card


def _require_libraries(platform: str) -> None:
    packages = preflight.missing_libraries(platform)
    if packages:
        raise ConfigError(
            f"Qt needs system libraries that this machine lacks: {', '.join(packages)}.",
            remedy=f"Install them: {preflight.install_command(packages)}",
        )
    try:
        import PyQt5.QtWidgets  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"PyQt5 must be installed, but cannot be loaded: {error}.",
            remedy="Install the app's packages: pip install -r requirements-app.txt",
        ) from None


def _note_first_paint(window: MainWindow) -> None:
    path = os.environ.get(FIRST_PAINT_VARIABLE)
    if path:
        _at_first_picture(window, lambda: Path(path).write_text(f"{time.time():.6f}\n", encoding="utf-8"))


def _at_first_picture(window: MainWindow, act: Callable[[], object]) -> None:
    def check() -> None:
        if window.view.frame is not None:
            window.picture.painted.disconnect(check)
            act()

    window.picture.painted.connect(check)
