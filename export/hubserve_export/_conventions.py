"""Conventions of TensorFlow Hub and Kaggle Models, by the handles of modules, without TensorFlow.

The hub's common image interface has pixels from 0 to 1. The pages of some publishers define other values (assets/docs
of the repository tensorflow/tfhub.dev). The pages of others say nothing, although their models are ports of networks
with another convention: for those, nothing is assumed.
"""

from __future__ import annotations

import re

from .hub import module_table

_EXCEPTIONS: tuple[tuple[str, str | None], ...] = (
    (r"sayakpaul/(models/)?(vit|mixer|mlp-mixer|bit|distill_bit)[_/-]", "tf"),
    (r"sayakpaul/(models/)?convnext[_/-]", "torch"),
    (r"sayakpaul/(models/)?(swin|deit|cait)[_/-]", None),
    (r"sayannath/(models/)?mobilevit[_/-]", None),
    (r"adityakane2001/(models/)?regnety", "raw"),
    (r"emilutz/(models/)?vgg19-", "raw"),
    (r"rishit-dagli/(models/)?tnt[_/-]", "tf"),
    # The page's text says -1 to 1, and its code subtracts ImageNet's mean and divides by its deviation.
    (r"rishit-dagli/(models/)?(xcit|convmixer|swin-transformer)[_/-]", None),
    (r"bohemian-visual-recognition-alliance/(models/)?mushroom-identification", "tf"),
)
_HUB = re.compile(r"https?://(www\.)?(tfhub\.dev|kaggle\.com)/")
_KAGGLE = re.compile(r"https?://(www\.)?kaggle\.com/")


def preset(handle: str, kind: str) -> tuple[str, str] | None:
    """Return the preset of a hub module and its source, or None if the handle shows nothing.

    Args:
        handle: The module's URL.
        kind: The kind of the source; only "hub" and URLs of the hub have a convention.
    """
    if kind == "builtin":
        return "unit", "it is the model that comes with hubserve"
    if kind != "hub" and not _HUB.match(handle):
        return None
    if _KAGGLE.match(handle):
        # Everyone can publish there: only modules that come from TensorFlow Hub follow its conventions.
        module = module_table.find(handle)
        if module is None:
            return None
        handle = module.newest.url
    for pattern, name in _EXCEPTIONS:
        if re.search(pattern, handle):
            return None if name is None else (name, "its page on the hub")
    return "unit", "the hub's convention"
