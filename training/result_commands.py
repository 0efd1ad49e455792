"""The commands about results: ``evaluate | report | attention | faithfulness | ablate | compare``, with their flags.

What needs torch or draws is imported by the command that needs it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skeleton.command_line import HTML, natural, positive, require_folder
from skeleton.errors import ConfigError

AddCommand = Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser]
"""(name, function, one sentence) -> the parser to add flags to."""


def add_to(command: AddCommand) -> None:
    """Adds the commands to the command line."""
    _add_evaluate(command("evaluate", _evaluate, "Measures a model file on people it was not trained on."))
    _add_report(command("report", _report, "Writes all about a model as one HTML file."))
    _add_attention(command("attention", _attention, "Draws which joints and frames a model weighs, as in figure 4."))
    _add_faithfulness(command("faithfulness", _faithfulness, "Measures whether the heat tells the truth."))
    _add_ablate(command("ablate", _ablate, "Trains a network with and without attention, as in table 3."))
    _add_compare(command("compare", _compare, "Prints results beside published and measured ones."))


def _evaluate(options: argparse.Namespace) -> None:
    from training.divisions import evaluate_divisions
    from training.evaluate import SHARES, WHOLE_ONLY, evaluate
    from training.protocols import FOLDED

    how: dict[str, Any] = {"provider": options.provider, "shares": WHOLE_ONLY if options.quick else SHARES}
    if options.protocol in FOLDED:
        result = evaluate_divisions(options.model, options.data, options.protocol, **how)
        text = _described_divisions(result)
    elif len(options.model) > 1:
        raise ConfigError(
            f"The protocol {options.protocol} takes one model, found {len(options.model)}.",
            remedy=f"Means over divisions with a model each: {', '.join(FOLDED)}.",
        )
    else:
        result = evaluate(options.model[0], options.data, options.protocol, **how)
        text = _described(result)
    print(json.dumps(result) if options.json else text)


def _described_divisions(result: dict[str, Any]) -> str:
    head = f"{result['dataset']} {result['protocol']}, mean over {len(result['divisions'])} divisions"
    lines = []
    for name, row in [(head, result), *((row["protocol"], row) for row in result["divisions"])]:
        lines.append(
            f"{name}: top-1 {row['top1']:.4f}   macro F1 {row['macro_f1']:.4f}   live windows {row['top1_live']:.4f}"
            f"   {row['samples']} clips" + (f"   {row['model']}" if "model" in row else "")
        )
        if "model" in row:
            lines += _warned(row)
    return "\n  ".join(lines)


def _warned(result: dict[str, Any]) -> list[str]:
    people = result["trained_on_tested"]
    return [f"  the model was TRAINED on people who test here: {people}"] if people else []


def _described(result: dict[str, Any]) -> str:
    top5 = f"top-5 {result['top5']:.4f}   " if len(result["per_class"]) > 5 else ""  # of fewer classes always 1
    lines = [
        f"{result['model']} on {result['dataset']} {result['protocol']}, {result['samples']} clips",
        f"  whole clips             top-1 {result['top1']:.4f}   macro F1 {result['macro_f1']:.4f}   {top5}"
        f"calibration error {result['ece']:.4f}",
        f"  windows of {result['span_s']:4.2f} s        top-1 {result['top1_live']:.4f}",
    ]
    lines += _warned(result)
    if "left_out" in result:
        left_out = result["left_out"]
        lines.append(
            f"  not counted: {left_out['clips']} clips of labels that the model was not taught "
            f"({', '.join(left_out['labels'])}); evaluate-stream --unknown shows them"
        )
    for row in result["observed"][:-1]:
        lines.append(
            f"  after {100 * row['share']:3.0f} % ({row['frames']:5.1f} frames)  top-1 {row['top1']:.4f}"
            f"   of live windows {row['top1_live']:.4f}"
        )
    for column, name in (("subject", "person"), ("camera", "camera"), ("setup", "set-up")):
        groups = result[f"per_{column}"]
        lines += [
            f"  {name} {row[column]:<3} {row['samples']:6} clips    top-1 {row['top1']:.4f}"
            f"   of live windows {row['top1_live']:.4f}"
            for row in groups
            if len(groups) > 1
        ]
    for label, row in result["per_class"].items():
        lines.append(f"  {label:48} recall {row['recall']:.3f}   precision {row['precision']:.3f}")
    for row in result["confusions"]:
        lines.append(f"  {row['count']:4} x {row['truth']} taken for {row['answer']}")
    for row in result["wrong"][:1]:
        lines += [
            f"  {len(result['wrong'])} wrong clips (--json lists them); the most certain one:",
            f"  {row['source']}: {row['truth']} taken for {row['answer']} ({row['probability']:.2f})",
            *row["open"],
        ]
    return "\n".join(lines)


def _report(options: argparse.Namespace) -> None:
    from training import report

    require_folder(options.output, endings=HTML)
    result = report.write(
        options.source,
        options.output,
        data=options.data,
        protocol=options.protocol,
        twin=options.twin,
        provider=options.provider,
        command=options.typed,
    )
    told = f"{options.output}: {result['samples']} clips, top-1 {result['top1']:.4f}, {len(result['wrong'])} wrong"
    print("\n".join([told, *_warned(result)]))


def _attention(options: argparse.Namespace) -> None:
    from training import attention_figure

    if options.index and not options.data:
        raise ConfigError("Clips by --index need the cache they are in: --data CACHE.")
    if not options.index and not options.recording:
        raise ConfigError("Say which clips: --data CACHE --index N, or --recording FILE.")
    if options.data and not options.index:
        raise ConfigError("Say which clips of the cache: --data goes with --index N.")
    if not options.recording and (options.start is not None or options.end is not None):
        raise ConfigError("--start and --end take a part of a recording: they go with --recording FILE.")
    require_folder(options.output)
    count = attention_figure.write(
        options.model,
        options.output,
        data=options.data,
        indices=options.index or (),
        recordings=options.recording or (),
        start_s=options.start,
        end_s=options.end,
        frames=options.frames,
    )
    print(f"{options.output}: {count} {'clip' if count == 1 else 'clips'}")


def _faithfulness(options: argparse.Namespace) -> None:
    from training import faithfulness, faithfulness_figure

    if options.output is not None:
        faithfulness_figure.check_name(options.output)
        require_folder(options.output)
    result = faithfulness.faithfulness(
        options.model,
        options.data,
        options.protocol,
        hiding=options.hiding,
        clips=options.clips,
        draws=options.draws,
        seed=options.seed,
        provider=options.provider,
    )
    if options.output is not None:
        faithfulness_figure.write(result, options.output)
    print(json.dumps(result) if options.json else faithfulness.described(result))


def _ablate(options: argparse.Namespace) -> None:
    from training import ablate, config

    table = ablate.run(
        data=options.data,
        protocol=options.protocol,
        output=options.output,
        settings=config.load(file=options.config, assignments=options.set),
        table=options.table,
        modes=options.modes,
        seeds=range(options.first_seed, options.first_seed + options.seeds),
        command=options.typed,
    )
    print(table)


def _compare(options: argparse.Namespace) -> None:
    from training import compare

    print(compare.compare(options.results))


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="FILE.onnx",
        type=Path,
        nargs="+",
        required=True,
        help="one; for the mean over divisions (cv2, cv1, loso) one for each",
    )
    parser.add_argument("--data", metavar="CACHE", type=Path, required=True)
    parser.add_argument("--protocol", metavar="NAME", required=True)
    parser.add_argument("--quick", action="store_true", help="leave out how the answer grows with the frames seen")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    _add_provider(parser)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="MODEL|RUN", type=Path, help="ONNX file, or run folder")
    parser.add_argument("--data", metavar="CACHE", type=Path, help="by default the run's")
    parser.add_argument("--protocol", metavar="NAME", default="", help="by default as the model was trained")
    parser.add_argument(
        "--twin", metavar="MODEL|RUN", type=Path, help="show it beside, such as one without attention"
    )
    parser.add_argument("--output", metavar="FILE.html", type=Path, required=True)
    _add_provider(parser)


def _add_attention(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="FILE.onnx", type=Path)
    parser.add_argument("--data", metavar="CACHE", type=Path)
    parser.add_argument("--index", metavar="N", type=int, nargs="+", help="clips of the cache by number")
    parser.add_argument("--recording", metavar="FILE", type=Path, nargs="+", help="recordings in any format")
    parser.add_argument("--start", metavar="S", type=float, help="begin so many seconds into a recording")
    parser.add_argument("--end", metavar="S", type=float, help="end so many seconds into a recording")
    parser.add_argument("--frames", metavar="N", type=int, default=6, help="key frames of a clip (default 6)")
    parser.add_argument("--output", metavar="FILE", type=Path, required=True, help=".png, .svg or .pdf")


def _add_faithfulness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="FILE.onnx", type=Path, required=True)
    parser.add_argument("--data", metavar="CACHE", type=Path, required=True)
    parser.add_argument("--protocol", metavar="NAME", required=True)
    parser.add_argument(
        "--hiding", choices=("unseen", "still"), default="unseen", help="never seen, or seen where they were first"
    )
    parser.add_argument("--clips", metavar="N", type=positive, help="only so many, drawn from the test side")
    parser.add_argument("--draws", metavar="N", type=positive, default=5, help="random orders of a clip (default 5)")
    parser.add_argument("--seed", metavar="N", type=natural, default=0, help="of the random orders, and of the clips")
    parser.add_argument("--output", metavar="FILE", type=Path, help="draw the curves: .png, .svg or .pdf")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    _add_provider(parser)


def _add_ablate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="CACHE", type=Path, required=True)
    parser.add_argument("--protocol", metavar="NAME", required=True, help="loso, cv1 and cv2 train every division")
    parser.add_argument("--output", metavar="FOLDER", type=Path, required=True, help="runs and tables; resumes there")
    parser.add_argument("--config", metavar="FILE", type=Path, help="recipe, such as training/recipes/ui-prmd.toml")
    parser.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="see list")
    parser.add_argument("--table", choices=("attention", "activation"), default="attention")
    parser.add_argument("--modes", metavar="M,M", type=_names, help="rows of the table (default: all)")
    parser.add_argument("--seeds", metavar="N", type=positive, default=5, help="runs of a row (default 5)")
    parser.add_argument("--first-seed", metavar="N", type=natural, default=0, help="the seeds count from here")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results",
        metavar="RESULT",
        type=Path,
        nargs="*",
        help="files of evaluate --json, or tables of ablate (.json)",
    )


def _add_provider(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--provider", choices=("auto", "cuda", "cpu"), default="cpu")


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
