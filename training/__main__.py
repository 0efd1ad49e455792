"""The command line that makes models: ``python -m training COMMAND``; ``--help`` lists the commands.

How the commands follow each other, from an archive to a recognized action in the window, is in docs/training.md.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from skeleton import command_line
from skeleton.command_line import natural, positive
from skeleton.errors import ConfigError, TrainingDataError
from training import result_commands, stream_commands

# What needs torch is imported by the command that needs it: --help answers at once, and Ctrl-C during the seconds of
# an import ends like any other.


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    options = _parser().parse_args(arguments)
    typed = shlex.join(["python", "-m", "training", *(sys.argv[1:] if arguments is None else arguments)])
    # It goes into files; a name on Linux may be no text at all.
    options.typed = typed.encode("utf-8", errors="backslashreplace").decode("utf-8")
    return command_line.run(lambda: options.command(options), is_verbose=options.verbose)


def _prepare(options: argparse.Namespace) -> None:
    from skeleton import config
    from training.datasets.table import DATASETS
    from training.findings import counted
    from training.prepare import prepare

    if options.name not in DATASETS:
        raise ConfigError(f"There is no data set '{options.name}'.", remedy=f"Known: {', '.join(DATASETS)}.")
    data_set = DATASETS[options.name]
    choices = config.load(data_set.options, assignments=options.set)
    done = prepare(data_set, options.source, options.output, options=choices, workers=options.workers)
    resumed = f", {counted(done.resumed, 'file')} of them read before the interruption" if done.resumed else ""
    print(f"{options.output}: {counted(done.clips, 'clip')} of {len(done.description.labels)} classes{resumed}")
    if done.refused:
        print(f"{counted(done.refused, 'file')} left out; {options.output / 'refused.csv'} says why")


def _train(options: argparse.Namespace) -> None:
    from training import config
    from training.findings import counted
    from training.seeds import is_seeds, resume_seeds, train_seeds
    from training.train import resumable, resume, train

    if options.resume:
        given = (options.config, options.set, options.seeds, options.protocol, options.background)
        if any(given) or options.seed is not None:
            raise ConfigError(
                "A resumed run keeps its settings: --config, --set, --seed, --seeds, --protocol, --background do not "
                "apply."
            )
        if options.output and options.output.resolve() != options.resume.resolve():
            raise ConfigError(f"A resumed run stays in its folder {options.resume}: --output cannot name another.")
        go_on = resume_seeds if is_seeds(options.resume) else resume
        with resumable(options.resume):
            runs = go_on(options.resume, data=options.data)
    else:
        missing = [name for name in ("data", "protocol", "output") if not getattr(options, name)]
        if missing:
            raise ConfigError(f"Training needs --{', --'.join(missing)}.", remedy="Or --resume RUN.")
        given = {name: getattr(options, name) for name in ("data", "protocol", "output")}
        settings = config.load(file=options.config, assignments=options.set)
        if options.background:
            settings = config.with_background(settings)
        given |= {"settings": settings, "command": options.typed, "background": options.background}
        first = options.seed or 0
        with resumable(options.output):
            if options.seeds:
                runs = train_seeds(**given, seeds=range(first, first + options.seeds))
            else:
                runs = train(**given, seed=first)
    if os.environ.get("RANK", "0") == "0":  # torchrun numbers the processes it starts
        for run in runs if isinstance(runs, list) else [runs]:
            epochs = counted(run.load("last")["epoch"], "epoch")
            print(f"{run.path}: {epochs}; the model is {run.path / 'model.onnx'}")


def _export(options: argparse.Namespace) -> None:
    from training.export import export

    print(
        export(
            options.run,
            options.output,
            data=options.data,
            name=options.name,
            results=options.results,
            note=options.note,
        )
    )


def _clip(options: argparse.Namespace) -> None:
    from training import clip
    from training.cache import open_cache

    if options.index and (options.label or options.subject is not None or options.repetition is not None):
        raise ConfigError("Clips are named by --index, or by --label, --subject and --repetition, not by both.")
    cache = open_cache(options.data)
    if options.index:
        indices = options.index
    elif options.label and options.subject is not None:
        indices = clip.find(cache, labels=options.label, subject=options.subject, repetition=options.repetition)
    else:
        raise ConfigError("Say which clips: --index N, or --label L --subject S.")
    recording = clip.write(cache, indices, options.output, repeat=options.repeat)
    print(f"{options.output}: {recording.info.labels['label']}, {recording.duration_s:.1f} s")


def _doctor(options: argparse.Namespace) -> None:
    import json

    from training.cache import open_cache
    from training.doctor import examine
    from training.doctor_text import as_text
    from training.findings import SPOILS

    report = examine(open_cache(options.data), options.protocol)
    print(json.dumps(report) if options.json else as_text(report))
    spoilers = [finding["sentence"] for finding in report["findings"] if finding["severity"] == SPOILS]
    if spoilers:
        more = f" (and {len(spoilers) - 1} more)" if len(spoilers) > 1 else ""
        raise TrainingDataError(f"{options.data} would spoil training{more}: {spoilers[0]}")


def _list(options: argparse.Namespace) -> None:
    import dataclasses
    import textwrap

    from models.table import NETWORKS
    from skeleton import config as settings
    from training import config
    from training.datasets.table import DATASETS
    from training.protocol_table import FOLDED, PROTOCOLS
    from training.streams import StreamConfig

    print("Data sets")
    for data_set in DATASETS.values():
        known = data_set.description
        what = f"; {len(known.labels)} classes, {known.layout.name}" if known else ""
        print(f"  {data_set.name}: {data_set.title}{what}; give {data_set.source}")
        if known:
            print(f"    protocols: {', '.join(known.protocols)}")
        if dataclasses.fields(data_set.options):
            print(textwrap.indent(settings.describe(data_set.options), "    "))
    print("Protocols")
    for name, protocol in PROTOCOLS.items():
        print(f"  {name}: {protocol.meaning}")
    for name, divisions in FOLDED.items():
        print(f"  {name}: the mean over {' and '.join(divisions)}")
    print(f"Networks\n  {', '.join(NETWORKS)}")
    print("Settings (--set name=value, or a recipe file)")
    print(config.describe())
    print("Streams (--set of evaluate-stream and calibrate)")
    print(settings.describe(StreamConfig))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Makes models from recorded skeletons.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--verbose", action="store_true", help="show where in the program an error arose")

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        result = commands.add_parser(name, help=text, description=text, parents=[common])
        result.set_defaults(command=run)
        return result

    prepare = command("prepare", _prepare, "Reads a data set into a cache; interrupted, the same command goes on.")
    prepare.add_argument("name", metavar="NAME", help="data set; see list")
    prepare.add_argument("source", metavar="SOURCE", type=Path, help="its folder, or the zip file as downloaded")
    prepare.add_argument("--output", metavar="CACHE", type=Path, required=True, help="folder to make")
    prepare.add_argument("--workers", metavar="N", type=positive, help="processes that read (default: every core)")
    prepare.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="see list")

    doctor = command("doctor", _doctor, "Looks a cache over: counts, bad joints, copies, leaks of the split.")
    doctor.add_argument("--data", metavar="CACHE", type=Path, required=True, help="folder made by prepare")
    doctor.add_argument("--protocol", metavar="NAME", help="judge this split (default: all that the data set has)")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")

    train = command("train", _train, "Trains a network.")
    train.add_argument("--data", metavar="CACHE", type=Path, help="folder made by prepare")
    train.add_argument("--protocol", metavar="NAME", help="who trains; see list")
    train.add_argument("--output", metavar="RUN", type=Path, help="folder to make")
    train.add_argument("--config", metavar="FILE", type=Path, help="recipe, such as training/recipes/ui-prmd.toml")
    train.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="see list")
    train.add_argument("--seed", metavar="N", type=natural, help="what all randomness follows from (default 0)")
    train.add_argument("--seeds", metavar="N", type=positive, help="so many runs, with seeds counted up from --seed")
    train.add_argument(
        "--background",
        metavar="CACHE",
        type=Path,
        nargs="+",
        default=[],
        help="caches whose clips show no trained action: a class 'nothing' learns them (see background_share)",
    )
    train.add_argument("--resume", metavar="RUN", type=Path, help="continue an interrupted run, or runs of --seeds")

    result_commands.add_to(command)
    stream_commands.add_to(command)

    export = command("export", _export, "Writes the model file of a run.")
    export.add_argument("run", metavar="RUN", type=Path)
    export.add_argument("--output", metavar="FILE.onnx", type=Path, required=True)
    export.add_argument("--data", metavar="CACHE", type=Path, help="the cache, if it was moved")
    export.add_argument("--name", default="", help="name of the model")
    export.add_argument(
        "--results", metavar="FILE", type=Path, nargs="+", default=[], help="outputs of evaluate --json, for the card"
    )

    export.add_argument("--note", default="", help="what a reader of the results has to know, for the card")

    clip = command("clip", _clip, "Writes clips of a cache as a recording that the app replays.")
    clip.add_argument("--data", metavar="CACHE", type=Path, required=True)
    clip.add_argument("--index", metavar="N", type=natural, nargs="+", help="clips by number")
    clip.add_argument("--label", metavar="L", nargs="+", help="clips by label, one after another; with --subject")
    clip.add_argument("--subject", metavar="S", type=int, help="whose, by number")
    clip.add_argument("--repetition", metavar="R", type=int, help="which take, by number (default: the first)")
    clip.add_argument("--repeat", metavar="N", type=positive, default=1, help="show each clip so often")
    clip.add_argument("--output", metavar="FILE", type=Path, required=True, help=".mcap, .npz, .csv or .skeleton")

    command("list", _list, "Lists data sets, protocols, networks and settings.")
    return parser


if __name__ == "__main__":
    sys.exit(main())
