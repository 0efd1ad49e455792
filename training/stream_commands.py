"""The commands about streams: ``evaluate-stream | calibrate``, and ``card`` for what they find, with their flags.

What computes is imported by the command that needs it, so that --help answers at once.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from skeleton.command_line import HTML, natural, require_folder
from skeleton.errors import ConfigError
from training.result_commands import AddCommand


def add_to(command: AddCommand) -> None:
    """Adds the commands to the command line."""
    _add_evaluate(command("evaluate-stream", _evaluate, "Measures a model on long streams, beside plain arg-max."))
    _add_calibrate(command("calibrate", _calibrate, "Fits temperature and thresholds on validation people."))
    _add_card(command("card", _card, "Shows what a model file says of itself, or adds what was measured."))


def _evaluate(options: argparse.Namespace) -> None:
    from training import evaluate_stream, stream_page

    if (options.data is None) == (options.recording is None):
        raise ConfigError("Say what to measure on: --data CACHE --protocol NAME, or --recording FILE --truth TABLE.")
    if options.report:
        require_folder(options.report, endings=HTML)
    if options.recording is not None:
        if options.truth is None:
            raise ConfigError("--recording needs --truth TABLE.csv.")
        for flag in ("background", "unknown", "protocol", "side", "set", "seed"):
            if getattr(options, flag):
                raise ConfigError(f"--recording is measured as it is, so it takes no --{flag}.")
        result = evaluate_stream.on_recording(
            options.model, options.recording, options.truth, provider=options.provider
        )
    else:
        if not options.protocol or options.truth:
            raise ConfigError("--data needs --protocol NAME, and takes no --truth.")
        result = evaluate_stream.on_cache(
            options.model,
            options.data,
            options.protocol,
            side=options.side or "test",
            config=_stream_config(options.set),
            seed=options.seed,
            unknown=options.unknown,
            background=options.background,
            provider=options.provider,
        )
    if options.report:
        stream_page.write(result, options.report, command=options.typed)
    print(json.dumps(result) if options.json else described(result))


def _calibrate(options: argparse.Namespace) -> None:
    from training.calibrate import calibrate

    if not options.data or not options.protocol:
        raise ConfigError("Calibration needs --data CACHE and --protocol NAME.")
    require_folder(options.output, endings=(".onnx",))
    result = calibrate(
        options.model,
        options.data,
        options.protocol,
        options.output,
        subjects=options.subjects,
        false_alarms=options.false_alarms,
        background=options.background,
        folds=options.folds,
        config=_stream_config(options.set),
        seed=options.seed,
    )
    print(json.dumps(result) if options.json else _fitted(result))


def _card(options: argparse.Namespace) -> None:
    from training.described import as_text, describe

    changes = {"name": options.name, "results": options.results, "streams": options.streams, "note": options.note}
    if any(changes.values()) != (options.output is not None):
        raise ConfigError("--output FILE goes with what is to be changed: --name, --results, --streams or --note.")
    if options.output:
        require_folder(options.output, endings=(".onnx",))
    print(as_text(describe(options.model, options.output, **changes)))


def _fitted(result: dict[str, Any]) -> str:
    lines = [f"{result['model']}: fitted on {result['clips']} clips of people {result['subjects']}"]
    if result.get("never_left_out"):
        lines.append(f"  no fold left out these people, who trained the model: {result['never_left_out']}")
    for name, values in (
        ("temperature", result["temperature"]),
        ("negative log-likelihood", result["nll"]),
        ("calibration error, whole clips", result["ece"]["whole"]),
        ("calibration error, live windows", result["ece"]["live"]),
        ("false alarms a minute", result["false_alarms_per_minute"]),
        ("event F1, mean of both overlaps", result["event_f1"]),
    ):
        lines.append(f"  {name:34} {values['before']:8.4f} -> {values['after']:8.4f}")
    lines.append(f"  thresholds {result['enter_threshold']:g} and {result['exit_threshold']:g}")
    for label, enter in result["enter_thresholds"].items():
        lines.append(f"    {label}: {enter:g} and {result['exit_thresholds'][label]:g}")
    for name in ("unknown_score", "unknown_distance"):
        if result[name]:
            lines.append(f"  {name.replace('_', ' ')} {result[name]:g}")
    if result["false_alarms_per_minute"]["after"] > result["false_alarms_asked"]:
        lines.append(f"  no thresholds keep to {result['false_alarms_asked']:g} false alarms a minute")
    return "\n".join(lines)


def described(result: dict[str, Any]) -> str:
    """Returns a result of ``evaluate-stream`` in words."""
    from training.stream_page import lines_of

    what = result.get("recording") or f"{result['dataset']} {result['protocol']}, {result['side']} side"
    lines = [f"{result['model']} on {what}: {result['engine']['minutes']} minutes"]
    if result.get("trained_on_tested"):
        lines.append(f"  the model was TRAINED on people of these streams: {result['trained_on_tested']}")
    lines.append(f"  {'':40} {'the app':>32} {'plain arg-max':>32}")
    for (name, ours), (_, plain) in zip(lines_of(result["engine"]), lines_of(result["argmax"])):
        lines.append(f"  {name:40} {ours:>32} {plain:>32}")
    if "background" in result["engine"]:
        ours, plain = (result[way]["background"] for way in ("engine", "argmax"))
        text = f"false alarms a minute of {ours['minutes']} min of scenes"
        rates = (f"{scene['false_alarms_per_minute']}" for scene in (ours, plain))
        lines.append("  {:40} {:>32} {:>32}".format(text, *rates))
    if "unknown" in result:
        for key in ("score", "distance"):
            if key in result["unknown"]:
                row = result["unknown"][key]
                lines.append(
                    f"  unknown by {key:29} AUROC {row['auroc']:.4f}   FPR at 95 % TPR {row['fpr_at_95']:.4f}"
                )
    return "\n".join(lines)


def _stream_config(assignments: list[str]) -> Any:
    from skeleton import config
    from training.streams import StreamConfig

    return config.load(StreamConfig, assignments=assignments)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="FILE.onnx", type=Path, required=True)
    _add_streams(parser)
    parser.add_argument("--side", choices=("test", "validation"), help="whose clips (default test)")
    parser.add_argument(
        "--unknown", metavar="LABEL", nargs="+", default=[], help="labels that the model does not know, shown as well"
    )
    parser.add_argument("--recording", metavar="FILE", type=Path, help="measure on this instead")
    parser.add_argument("--truth", metavar="TABLE.csv", type=Path, help="its actions: start_s,end_s,label[,body]")
    parser.add_argument("--report", metavar="FILE.html", type=Path, help="write a page with timelines")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--provider", choices=("auto", "cuda", "cpu"), default="cpu")


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="FILE.onnx", type=Path, required=True)
    _add_streams(parser)
    parser.add_argument("--output", metavar="FILE.onnx", type=Path, required=True, help="the new model file")
    parser.add_argument(
        "--subjects", metavar="N", type=int, nargs="+", default=[], help="validation people (default: the card's)"
    )
    parser.add_argument(
        "--folds",
        metavar="FILE.onnx",
        type=Path,
        nargs="+",
        default=[],
        help="models of the same recipe to ask instead, each about its own validation people",
    )
    parser.add_argument(
        "--false-alarms", metavar="N", type=_rate, default=1.0, help="how many a minute are bearable (default 1)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_card(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="FILE.onnx", type=Path)
    parser.add_argument("--output", metavar="FILE.onnx", type=Path, help="the file with the changed card")
    parser.add_argument("--name", metavar="NAME", default="", help="for people")
    parser.add_argument(
        "--results",
        metavar="FILE",
        type=Path,
        nargs="+",
        default=[],
        help="what evaluate --json printed of it",
    )
    parser.add_argument("--streams", metavar="FILE", type=Path, help="what evaluate-stream --json printed")
    parser.add_argument("--note", metavar="TEXT", default="", help="what a reader of the results has to know")


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"must be a number from 0, found '{text}'")
    return value


def _add_streams(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="CACHE", type=Path, help="folder made by prepare")
    parser.add_argument("--protocol", metavar="NAME", help="who tests; see list")
    parser.add_argument(
        "--background", metavar="PATH", type=Path, nargs="+", default=[], help="scenes of nothing: recordings, caches"
    )
    parser.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="see list")
    parser.add_argument("--seed", metavar="N", type=natural, default=0, help="what the order follows from")
