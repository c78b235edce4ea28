"""One self-contained HTML page about a few classified photographs: it needs no network and no other file."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import Classification
from .._version import __version__

_THUMBNAIL = (560, 420)
_QUALITY = 82

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b6470; --paper: #f6f7f9; --card: #fff; --line: #e1e5ea;
--bar: #2f6fde; --rest: #a9c1ef; } @media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #a3acb8; --paper: #14171b; --card: #1d2126; --line: #30363d; --bar: #6ea0ff; --rest:
  #3d5482; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 82rem; padding: 2rem clamp(1rem, 4vw, 3rem); background: var(--paper); color:
var(--ink); font: 1rem/1.5 system-ui, sans-serif; } h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .4rem; }
p { margin: 0; color: var(--soft); }
main { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); margin:
1.75rem 0; } article { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; overflow: hidden;
display: flex; flex-direction: column; } img { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain;
background: var(--line); } article > div { padding: .9rem 1rem 1rem; }
h2 { font-size: 1.1rem; line-height: 1.3; margin: 0; }
article p { font-size: .85rem; margin-bottom: .8rem; overflow-wrap: anywhere; }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: .45rem; font-size: .9rem; }
li { display: grid; grid-template-columns: 1fr auto; column-gap: .75rem; }
li span:last-of-type { font-variant-numeric: tabular-nums; color: var(--soft); }
meter { grid-column: 1 / -1; appearance: none; width: 100%; height: .4rem; border: 0; border-radius: .2rem; background:
var(--line); overflow: hidden; } meter::-webkit-meter-bar { background: var(--line); border: 0; border-radius: .2rem;
height: .4rem; } meter::-webkit-meter-optimum-value { background: var(--rest); }
meter::-moz-meter-bar { background: var(--rest); }
li:first-child { font-weight: 600; }
li:first-child meter::-webkit-meter-optimum-value { background: var(--bar); }
li:first-child meter::-moz-meter-bar { background: var(--bar); }
"""


@dataclass(frozen=True)
class Shot:
    """A photograph, what the model said of it, and how long the answer took.

    Attributes:
        photograph: The file.
        result: Its classification, ok.
        milliseconds: From the call to the answer, with reading the file and the way over gRPC.
    """

    photograph: Path
    result: Classification
    milliseconds: float


def render(model: str, version: int, shots: Sequence[Shot]) -> str:
    """The page as HTML. Needs Pillow, for the thumbnails."""
    slowest = max(shot.milliseconds for shot in shots)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(model)}: {len(shots)} photographs</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{len(shots)} photographs, as {html.escape(model)} sees them</h1>
<p>Each was sent over gRPC as the file it is, and decoded on the server by version {version} of the model.
The slowest answer took {slowest:.0f} ms. Written by hubserve {__version__}.</p>
</header>
<main>
{"".join(map(_card, shots))}</main>
</body>
</html>
"""


def _card(shot: Shot) -> str:
    thumbnail, size = _thumbnail(shot.photograph)
    best = shot.result.classes[0]
    classes = "".join(_class_row(found.label, found.score) for found in shot.result.classes)
    name = html.escape(shot.photograph.name)
    return f"""<article>
<img src="{thumbnail}" alt="{name}, called {html.escape(best.label)}">
<div>
<h2>{html.escape(best.label)}</h2>
<p>{name} · {size[0]}&nbsp;×&nbsp;{size[1]} · {shot.milliseconds:.0f}&nbsp;ms</p>
<ol>
{classes}</ol>
</div>
</article>
"""


def _class_row(label: str, score: float) -> str:
    share = f"{score:.1%}"
    return f"""<li><span>{html.escape(label)}</span><span>{share}</span>
<meter min="0" max="1" value="{score:.4f}">{share}</meter></li>
"""


def _thumbnail(photograph: Path) -> tuple[str, tuple[int, int]]:
    """A small JPEG as a data URL, upright, and the photograph's own width and height."""
    from PIL import Image, ImageOps

    with Image.open(photograph) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    size = image.size
    image.thumbnail(_THUMBNAIL)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii"), size
