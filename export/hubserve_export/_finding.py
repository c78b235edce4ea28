"""Find the preprocessing of a model: given, carried by the model, a convention, or by trial; never a silent guess.

The order is: what the user gives; a file beside the model; the type of its input; its first operations; the network of
keras.applications that it is; the hub's convention. If photographs with known classes are available, they check the
result: the convention that was found must win on them, and if none was found, the winner is taken.
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
    "give it with `preprocessing` (unit is 0 to 1, tf is -1 to 1, raw is 0 to 255, caffe and torch are those of "
    "keras.applications), or give photographs of each class with `examples`"
)
# Differences of mean logarithms of probabilities. With efficientnet-lite0, the nearest wrong convention (red and blue
# exchanged) is 0.04 below the right one, and the nearest with another range 0.1.
_BETTER = 0.02
_FAR_BETTER = 0.5
# The share of the photographs that the winner must classify correctly, if there is no other evidence for it.
_WINS = 0.5
# An untrained model of ImageNet's classes may be right about this many photographs by chance.
_LUCK = 1


@dataclass(frozen=True)
class Found:
    """A preprocessing and its evidence.

    Attributes:
        preprocessing: What is done to an image.
        evidence: The source of the numbers, then the result on photographs, in words for users.
    """

    preprocessing: Preprocessing
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class _Claim:
    """One piece of evidence for a convention: `_Claim({"scale": (1.0,), ...}, "its input is uint8")`."""

    fields: Mapping[str, Any]
    evidence: str
    #: The model's own graph shows it.
    shown: bool = False
    #: It is certain, unless the model was made wrongly.
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
        source: The model's source.
        model: The model.
        said: Fields of `Preprocessing` that the user gives.
        sidecar: The description in a file beside the model.
        photographs: For trying conventions, with classes if they are known. None for feature vectors.
        warn: Called with each warning.

    Raises:
        PreprocessingError: There is evidence for different conventions, or for none.
    """
    picture = _picture(model, said, sidecar)
    claims = _claims(source, model, said, sidecar)
    if not claims:
        if model.kind == _model_kind.FEATURE_VECTOR or photographs is None:
            raise PreprocessingError(f"it is not known which numbers {model.handle} takes for pixels; {_SAY}")
        return _by_trial(model, picture, photographs)
    chosen = claims[0]
    _check_claims(model, picture, claims, "scale" in said, warn)
    preprocessing = dataclasses.replace(picture, **chosen.fields)
    evidence: tuple[str, ...] = (chosen.evidence,)
    if photographs is not None and preprocessing.dtype != "uint8":
        evidence += _confirmed(model, preprocessing, chosen, photographs, "scale" in said, warn)
    return Found(preprocessing, evidence)


def _picture(model: LoadedModel, said: Mapping[str, Any], sidecar: Sidecar | None) -> Preprocessing:
    """Return all fields except the numbers: size, crop, resize, channels, type and layout."""
    entry = model.entry
    dtype = "uint8" if entry.dtype.is_integer else "float16" if entry.dtype.name == "float16" else "float32"
    carried = {} if sidecar is None else sidecar.fields
    if model.resize is not None:
        carried = {"interpolation": model.resize.interpolation, "antialias": model.resize.antialias, **carried}
    fields = {"max_pixels": DEFAULT_MAX_PIXELS, **carried, **said}
    fields = {key: value for key, value in fields.items() if key not in ("scale", "offset", "height", "width")}
    if entry.channels == 1:
        # Numbers that are the same for red, green and blue, as in unit, tf and raw, also fit one channel.
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
    # Placeholders until the numbers are known; they fit every type.
    return Preprocessing(model.height, model.width, **{**fields, "scale": (1.0,), "offset": (0.0,)})


def _claims(source: Source, model: LoadedModel, said: Mapping[str, Any], sidecar: Sidecar | None) -> list[_Claim]:
    """List the evidence for conventions, strongest first."""
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
    """Compare the strongest claim with what the model itself shows; conventions and architectures yield silently."""
    chosen, *others = claims
    for other in others:
        one, two = (dataclasses.replace(picture, **claim.fields) for claim in (chosen, other))
        if not other.shown or _same_numbers(one, two):
            continue
        names = _trial.name_of(one), _trial.name_of(two)
        if said:
            warn(f"{names[0]} was given, but {model.handle} takes {names[1]}, because {other.evidence}")
        else:
            raise PreprocessingError(
                f"{chosen.evidence} says that {model.handle} takes {names[0]}, but it takes {names[1]}, because "
                f"{other.evidence}; {_SAY}"
            )


def _same_numbers(one: Preprocessing, other: Preprocessing) -> bool:
    return _trial.name_of(one) == _trial.name_of(other)


def _by_trial(model: LoadedModel, picture: Preprocessing, photographs: Photographs) -> Found:
    """Take the convention that wins on photographs with known classes.

    Raises:
        PreprocessingError: No convention wins.
        ProofError: The model's answers vary by chance or with the batch, so that photographs show nothing.
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
        why = "the photographs do not show it" if first.right is not None else "there are no photographs of its classes"
        raise PreprocessingError(
            f"nothing in {model.handle} shows which numbers it takes for pixels, and {why}:\n{table}\n{_SAY}"
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
    """Check a convention on photographs: it must win, else the export stops, or warns if the user gave it."""
    if said and photographs.classes is None:
        # A convention that the user gave is only checked on photographs with known classes.
        return ()
    others = [one for one in _trial.candidates(preprocessing) if not _same_numbers(one, preprocessing)]
    chosen, *_ = outcomes = _tried(model, [preprocessing, *others], photographs, first=preprocessing)
    if chosen.evidence is None:
        _compare_confidence(model, outcomes, claim, photographs, warn)
        return ()
    best = max(outcomes, key=lambda outcome: outcome.evidence or 0)
    if (best.right or 0) <= _LUCK:
        warn(
            f"{model.handle} recognises none of the {photographs.what} with any convention, so that they cannot "
            f"confirm {_trial.name_of(preprocessing)}; are its weights trained, and its labels the right ones?"
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
    """Warn if all photographs get the same class with this convention, and not with another."""
    chosen, *others = outcomes
    livelier = [other for other in others if other.best_classes > chosen.best_classes and other.score >= chosen.score]
    if chosen.images > 1 and chosen.best_classes == 1 and livelier:
        warn(
            f"{_trial.name_of(chosen.preprocessing)} ({claim.evidence}) makes all {photographs.what} look the same "
            f"to {model.handle}: {_row(outcomes, photographs)}; if it was trained differently, give `preprocessing`"
        )
    elif not claim.sure:
        warn(
            f"{_trial.name_of(chosen.preprocessing)} is taken because {claim.evidence}; the graph does not show "
            "whether it was fine-tuned on other numbers: check it with `examples`, or give `preprocessing`"
        )


def _tried(
    model: LoadedModel, tried: Sequence[Preprocessing], photographs: Photographs, first: Preprocessing | None = None
) -> list[Outcome]:
    """Try the conventions, and the best one with red and blue exchanged; return the best first, or `first` first.

    If there is a `first`, the question is whether another one is better. One that cannot be is given up early.
    """
    beat = None
    if first is None:
        outcomes = _trial.run(model, tried, photographs)
    else:
        outcomes = _trial.run(model, [first], photographs)
        beat = outcomes[0].evidence
        outcomes += _trial.run(model, [one for one in tried if one is not first], photographs, beat)
    if photographs.classes is not None:
        best = max(outcomes, key=lambda outcome: outcome.evidence or 0)
        turned = _trial.swapped(best.preprocessing)
        names = {_trial.name_of(outcome.preprocessing) for outcome in outcomes}
        if turned is not None and _trial.name_of(turned) not in names:
            outcomes += _trial.run(model, [turned], photographs, beat)
    if first is not None:
        return outcomes
    return sorted(outcomes, key=lambda outcome: -(outcome.score if outcome.evidence is None else outcome.evidence))


def _row(outcomes: Sequence[Outcome], photographs: Photographs) -> str:
    """Return the table in one line, for a warning."""
    return "; ".join(outcome.line(photographs.what) for outcome in outcomes)


def _table(outcomes: Sequence[Outcome], photographs: Photographs) -> str:
    return "\n".join(f"  {outcome.line(photographs.what)}" for outcome in outcomes)
