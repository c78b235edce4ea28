"""The preprocessing of a model: said, carried by the model, a convention, or evidence; never a guess without a word.

The order: what the person says; a file beside the model; the type of its input; its first operations; the network of
keras.applications that it is; the hub's convention. Photographs whose class is known are asked in any case: the
convention that was found must win, and where none was found the winner is taken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _architectures, _conventions, _first_operations, _input_range, _model_kind, _trial
from ._errors import PreprocessingError
from ._image_model import LoadedModel
from ._preprocessing import DEFAULT_MAX_PIXELS, PRESETS, Preprocessing
from ._sidecars import Sidecar
from ._sources import Source
from ._trial import Outcome, Photographs

Warn = Callable[[str], None]

_SAY = (
    "say it with `preprocessing` (unit is 0 to 1, tf is -1 to 1, raw is 0 to 255, caffe and torch are those of "
    "keras.applications), or give photographs of each class with `examples`"
)
# Mean logarithms of probabilities. With efficientnet-lite0, the nearest wrong convention (red and blue exchanged) is
# 0.04 below the true one, and the nearest of another range 0.1.
_BETTER = 0.02
_FAR_BETTER = 0.5
# Of how many photographs the winner must know the class, where nothing else speaks for it.
_WINS = 0.5
# As many right would be luck for an untrained model of ImageNet's classes.
_LUCK = 1


@dataclass(frozen=True)
class Found:
    """A preprocessing and what it is known from.

    Attributes:
        preprocessing: What is done to an image.
        evidence: Where the numbers are known from, then what photographs say, in words for a person.
    """

    preprocessing: Preprocessing
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class _Claim:
    """One thing that speaks for a convention: `_Claim({"scale": (1.0,), ...}, "its input is uint8")`."""

    fields: Mapping[str, Any]
    evidence: str
    #: The model's own graph shows it.
    shown: bool = False
    #: It cannot be otherwise, unless the model was made wrongly.
    sure: bool = True


def find(
    source: Source,
    model: LoadedModel,
    said: Mapping[str, Any],
    sidecar: Sidecar | None,
    photographs: Photographs | None,
    warn: Warn,
) -> Found:
    """Find the preprocessing of a model.

    Args:
        source: Where the model is from.
        model: The model.
        said: Fields of `Preprocessing` that the person gives.
        sidecar: What a file beside the model says.
        photographs: To try conventions on; with classes where those are known. None for feature vectors.
        warn: Called with each warning.

    Raises:
        PreprocessingError: What speaks for one convention contradicts what speaks for another, or nothing speaks for
            any.
    """
    picture = _picture(model, said, sidecar)
    claims = _claims(source, model, said, sidecar)
    if not claims:
        if model.kind == _model_kind.FEATURE_VECTOR or photographs is None:
            raise PreprocessingError(f"nothing tells which numbers {model.handle} takes for pixels; {_SAY}")
        return _by_trial(model, picture, photographs)
    chosen = claims[0]
    _check_claims(model, picture, claims, "scale" in said, warn)
    preprocessing = dataclasses.replace(picture, **chosen.fields)
    evidence: tuple[str, ...] = (chosen.evidence,)
    if photographs is not None and preprocessing.dtype != "uint8":
        evidence += _confirmed(model, preprocessing, chosen, photographs, "scale" in said, warn)
    return Found(preprocessing, evidence)


def _picture(model: LoadedModel, said: Mapping[str, Any], sidecar: Sidecar | None) -> Preprocessing:
    """Return everything but the numbers: size, crop, resize, channels, type and layout."""
    entry = model.entry
    dtype = "uint8" if entry.dtype.is_integer else "float16" if entry.dtype.name == "float16" else "float32"
    carried = {} if sidecar is None else sidecar.fields
    if model.resize is not None:
        carried = {"interpolation": model.resize.interpolation, "antialias": model.resize.antialias, **carried}
    fields = {"max_pixels": DEFAULT_MAX_PIXELS, **carried, **said}
    fields = {key: value for key, value in fields.items() if key not in ("scale", "offset", "height", "width")}
    if entry.channels == 1:
        # The same number for red, green and blue, as unit, tf and raw have it, is said of one channel as well.
        alike = all(len(said.get(name, ())) == 1 for name in ("scale", "offset"))
        if fields.get("channels", "luminance") not in ("luminance", *(["rgb"] if alike else [])):
            raise PreprocessingError(f"`channels` is {fields['channels']}, and {model.handle} takes one channel")
        fields["channels"] = "luminance"
    elif fields.get("channels") == "luminance":
        raise PreprocessingError(f"`channels` is luminance, and {model.handle} takes three channels")
    for name, found in (("dtype", dtype), ("layout", entry.layout)):
        if fields.get(name, found) != found:
            raise PreprocessingError(f"`{name}` is {fields[name]}, and the input of {model.handle} is {found}")
        fields[name] = found
    size = tuple(said.get(side, own) for side, own in (("height", model.height), ("width", model.width)))
    if size != (model.height, model.width):
        raise PreprocessingError(
            f"the preprocessing says {size[0]} x {size[1]}, and {model.handle} takes {model.height} x {model.width}"
        )
    # Until the numbers are known, those that fit every type.
    return Preprocessing(model.height, model.width, **{**fields, "scale": (1.0,), "offset": (0.0,)})


def _claims(source: Source, model: LoadedModel, said: Mapping[str, Any], sidecar: Sidecar | None) -> list[_Claim]:
    """List what speaks for a convention, strongest first."""
    claims = []
    channels = {"channels": "luminance"} if model.entry.channels == 1 else {}

    def numbers(fields: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: fields[key] for key in ("scale", "offset", "channels") if key in fields}
        order = {"channels": said["channels"]} if "channels" in said else {}
        return {**kept, **order, **channels}

    if "scale" in said:
        claims.append(_Claim(numbers(said), "said"))
    if sidecar is not None:
        claims.append(_Claim(numbers(sidecar.fields), sidecar.name))
    if model.entry.dtype.is_integer:
        claims.append(_Claim(numbers(PRESETS["raw"]), f"its input is {model.entry.dtype.name}", shown=True))
    first = _first_operations.read(model.numbers, model.entry.channels, model.entry.layout)
    if first.affine is not None:
        for name, fields, range_ in _input_range.presets(first.affine)[:1]:
            what = f"its first operations bring {name} pixels to {range_}"
            claims.append(_Claim(numbers(fields), what, shown=True))
        if first.affine.nothing() and (architecture := _architectures.recognize(model.numbers)) is not None:
            what = f"it is a {architecture.name} of keras.applications"
            claims.append(_Claim(numbers(PRESETS[architecture.preset]), what, sure=False))
    convention = _conventions.preset(source.handle, source.kind)
    if convention is not None:
        claims.append(_Claim(numbers(PRESETS[convention[0]]), convention[1]))
    return claims


def _check_claims(model: LoadedModel, picture: Preprocessing, claims: Sequence[_Claim], said: bool, warn: Warn) -> None:
    """Hold the strongest claim to what the model itself shows; conventions and architectures yield silently."""
    chosen, *others = claims
    for other in others:
        one, two = (dataclasses.replace(picture, **claim.fields) for claim in (chosen, other))
        if not other.shown or _same_numbers(one, two):
            continue
        names = _trial.name_of(one), _trial.name_of(two)
        if said:
            warn(f"{names[0]} was said, and {names[1]} is what {model.handle} takes, as {other.evidence}")
        else:
            raise PreprocessingError(
                f"{names[0]} is what {chosen.evidence} says of {model.handle}, and {names[1]} is what it takes, as "
                f"{other.evidence}; {_SAY}"
            )


def _same_numbers(one: Preprocessing, other: Preprocessing) -> bool:
    return _trial.name_of(one) == _trial.name_of(other)


def _by_trial(model: LoadedModel, picture: Preprocessing, photographs: Photographs) -> Found:
    """Take the convention that wins on photographs whose class is known.

    Raises:
        PreprocessingError: None wins.
        ProofError: The model's answers depend on chance or on neighbours, so that photographs cannot tell.
    """
    outcomes = _tried(model, _trial.candidates(picture), photographs)
    table = _table(outcomes, photographs)
    first, *others = outcomes
    won = (
        first.right is not None
        and first.right >= max(_WINS * first.images, _LUCK + 1)
        and all((first.evidence or 0) - (other.evidence or 0) > _BETTER for other in others)
    )
    if not won:
        for outcome in outcomes:
            if (unsteady := _trial.unsteady(model, outcome.preprocessing, photographs)) is not None:
                raise unsteady
        why = (
            "the photographs do not tell" if first.right is not None else "no photographs of its classes are known here"
        )
        raise PreprocessingError(
            f"nothing in {model.handle} tells which numbers it takes for pixels, and {why}:\n{table}\n{_SAY}"
        )
    return Found(
        first.preprocessing,
        (f"trial: {first.line(photographs.what)}", f"next best: {others[0].line(photographs.what)}"),
    )


def _confirmed(
    model: LoadedModel,
    preprocessing: Preprocessing,
    claim: _Claim,
    photographs: Photographs,
    said: bool,
    warn: Warn,
) -> tuple[str, ...]:
    """Hold a convention to photographs: it must win, or the export stops, or warns of what was said."""
    if said and photographs.classes is None:
        # What was said is only held to photographs whose class is known.
        return ()
    others = [one for one in _trial.candidates(preprocessing) if not _same_numbers(one, preprocessing)]
    chosen, *_ = outcomes = _tried(model, [preprocessing, *others], photographs, first=preprocessing)
    if chosen.evidence is None:
        _compare_confidence(model, outcomes, claim, photographs, warn)
        return ()
    best = max(outcomes, key=lambda outcome: outcome.evidence or 0)
    if (best.right or 0) <= _LUCK:
        warn(
            f"{model.handle} knows none of the {photographs.what} by any convention, so that they cannot confirm "
            f"{_trial.name_of(preprocessing)}; are its weights trained, and its labels the right ones?"
        )
        return ()
    ahead = (best.evidence or 0) - chosen.evidence
    if ahead > _BETTER:
        name = _trial.name_of(preprocessing)
        text = f"{name} ({claim.evidence}) is not what {model.handle} answers best to"
        outcomes.sort(key=lambda outcome: -(outcome.evidence or 0))
        if ahead > _FAR_BETTER and not said:
            raise PreprocessingError(f"{text}:\n{_table(outcomes, photographs)}\n{_SAY}")
        warn(f"{text}: {_row(outcomes, photographs)}")
    return (chosen.line(photographs.what),)


def _compare_confidence(
    model: LoadedModel, outcomes: Sequence[Outcome], claim: _Claim, photographs: Photographs, warn: Warn
) -> None:
    """Warn where all photographs look the same by this convention, and not by another."""
    chosen, *others = outcomes
    livelier = [other for other in others if other.best_classes > chosen.best_classes and other.score >= chosen.score]
    if chosen.images > 1 and chosen.best_classes == 1 and livelier:
        warn(
            f"{_trial.name_of(chosen.preprocessing)} ({claim.evidence}) makes all {photographs.what} look the same "
            f"to {model.handle}: {_row(outcomes, photographs)}; if it was trained otherwise, say `preprocessing`"
        )
    elif not claim.sure:
        warn(
            f"{_trial.name_of(chosen.preprocessing)} is taken because {claim.evidence}; whether it was fine-tuned on "
            "other numbers cannot be seen: check it with `examples`, or say it with `preprocessing`"
        )


def _tried(
    model: LoadedModel, tried: Sequence[Preprocessing], photographs: Photographs, first: Preprocessing | None = None
) -> list[Outcome]:
    """Run the conventions, and the best one with red and blue exchanged: best first, or `first` first."""
    outcomes = _trial.run(model, tried, photographs)
    if photographs.classes is not None:
        best = max(outcomes, key=lambda outcome: outcome.evidence or 0)
        turned = _trial.swapped(best.preprocessing)
        names = {_trial.name_of(outcome.preprocessing) for outcome in outcomes}
        if turned is not None and _trial.name_of(turned) not in names:
            outcomes += _trial.run(model, [turned], photographs)
    if first is not None:
        return outcomes
    return sorted(outcomes, key=lambda outcome: -(outcome.score if outcome.evidence is None else outcome.evidence))


def _row(outcomes: Sequence[Outcome], photographs: Photographs) -> str:
    """Return the table in one line, as a warning is."""
    return "; ".join(outcome.line(photographs.what) for outcome in outcomes)


def _table(outcomes: Sequence[Outcome], photographs: Photographs) -> str:
    return "\n".join(f"  {outcome.line(photographs.what)}" for outcome in outcomes)
