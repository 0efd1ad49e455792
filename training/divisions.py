"""The figure of a protocol that is a mean over divisions: a model for each, measured on its own test side.

UESTC's ``cv2`` is one from the even views to the odd ones and one the other way; ``loso`` one for each person.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from live.recognizer import Recognizer
from models.card import ModelCard
from skeleton.errors import ConfigError, ModelContractError
from training import protocols
from training.cache import Cache, open_cache
from training.evaluate import SHARES, evaluate
from training.people import of_card
from training.scores import rounded

AVERAGED = ("top1", "macro_f1", "top5", "ece", "top1_live")
"""Numbers of a result whose mean over the divisions is the protocol's."""
ALIKE = ("network", "attention", "seed")
"""What the results of one figure share."""
LEAVE_ONE_OUT = "loso-N"


def evaluate_divisions(
    models: Sequence[Path], data: Path, protocol: str, *, provider: str = "cpu", shares: Sequence[float] = SHARES
) -> dict[str, Any]:
    """Returns the mean over the divisions of a protocol, and each division's result, ready for JSON.

    Args:
        models: ONNX files in any order, one for each division: the card says which one it was trained by.
        data: The cache.
        protocol: One of several divisions, such as "cv2".
        provider: As in ``training.evaluate``, and so is ``shares``.
        shares: After which parts of a clip to ask.

    Raises:
        AppError: As ``training.evaluate``; also a division without a model, a model without a division, or models
            that were not made alike.
    """
    cache = open_cache(data)
    chosen = _by_division(models, cache, protocol, protocols.folds(cache, protocol))
    results = [evaluate(model, data, division, provider=provider, shares=shares) for division, model in chosen]
    first = results[0]
    for (_, model), result in zip(chosen, results):
        different = [what for what in ALIKE if result[what] != first[what]]
        if different:
            raise ModelContractError(
                f"All models of a figure must be made alike, but the {different[0]} of {model} is "
                f"{result[different[0]]} and that of {chosen[0][1]} {first[different[0]]}."
            )
    return {
        "dataset": cache.dataset,
        "protocol": protocol,
        "samples": sum(result["samples"] for result in results),
        **{name: rounded(fmean(result[name] for result in results)) for name in AVERAGED},
        **{name: first[name] for name in ALIKE},
        "trained_on_tested": sorted({person for result in results for person in result["trained_on_tested"]}),
        "divisions": results,
    }


def _by_division(
    models: Sequence[Path], cache: Cache, protocol: str, divisions: Sequence[str]
) -> list[tuple[str, Path]]:
    found: dict[str, Path] = {}
    for model in models:
        card = Recognizer(model, provider="cpu").card
        division = _trained_by(card, cache)
        if division not in divisions:
            raise ModelContractError(
                f"Every model must have been trained by a division of {protocol} of {cache.dataset}, but the card of "
                f"{model} names {division or 'none'}."
            )
        if division in found:
            raise ConfigError(
                f"A division counts once, but {found[division]} and {model} were both trained by {division}."
            )
        found[division] = model
    missing = [division for division in divisions if division not in found]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ConfigError(
            f"The figure of {protocol} is a mean over {len(divisions)} divisions with a model each, but none was "
            f"trained by {missing[0]}{more}.",
            remedy="Name the models of all divisions after --model, or one division as the protocol.",
        )
    return [(division, found[division]) for division in divisions]


def _trained_by(card: ModelCard, cache: Cache) -> str:
    """The division that a card names, as the cache counts people; empty where it names none of this data set.

    Folders of one's own number people anew, and the same number may be somebody else: there a model that left one
    person out is that of the only person whom its card does not list.
    """
    named = card.trained_on.get("protocol")
    if card.trained_on.get("dataset") != cache.dataset or not isinstance(named, str):
        return ""
    stem, _, number = named.rpartition("-")
    if f"{stem}-N" != LEAVE_ONE_OUT or not cache.people:
        return named
    known = of_card(card.trained_on, "subjects", cache) | of_card(card.trained_on, "validation_subjects", cache)
    strangers = [person for person in sorted(cache.people) if person not in known]
    is_other = len(strangers) == 1 and str(strangers[0]) != number
    return f"{stem}-{strangers[0]}" if is_other else named
