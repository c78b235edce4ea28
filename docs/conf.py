"""How Sphinx makes the site; `make docs` runs it, on the repository as the source."""

import inspect
import os
import re
import shutil
from pathlib import Path

import hubserve
import hubserve.testing
import hubserve_export

# The reference of the export imports TensorFlow, which tells much about the machine.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

project = "hubserve"
author = "the authors of hubserve"
copyright = author  # noqa: A001 - Sphinx' name for it
version = release = hubserve.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
include_patterns = ["docs/**.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "k8s/README.md"]
# Folders that are not even walked through.
exclude_patterns = [".*", "build", "demo", "dist", "models"]
root_doc = "docs/index"

html_theme = "furo"
html_title = f"hubserve {version}"
html_extra_path = ["site"]
html_static_path = ["static"]
html_css_files = ["hubserve.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}

# Dashes and quotes are what a reader types into a shell.
smartquotes = False
myst_heading_anchors = 3
# A comment is a mark for the tests, or a word to the next author.
myst_enable_extensions = []

autodoc_member_order = "bysource"
# hubserve.beam needs it, and it cannot be installed beside TensorFlow.
autodoc_mock_imports = ["apache_beam"]
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# The attributes of a dataclass are told once, by its docstring.
napoleon_use_ivar = True
# What is not hubserve's own is not on this site, and the site asks no other.
nitpick_ignore_regex = [("py:.*", r"(?!hubserve\b).*")]

# Users import these names from the package, so the reference calls them by it.
for _package in (hubserve, hubserve.testing, hubserve_export):
    for _name in _package.__all__:
        _public = getattr(_package, _name)
        if inspect.isclass(_public):
            _public.__module__ = _package.__name__

_SECTION = re.compile(r"\w+:$")
# The base class of both clients leaves the kind of token open.
_TOKENS = {
    "hubserve.Client": "str | Callable[[], str]",
    "hubserve.AsyncClient": "str | Callable[[], str] | Callable[[], Awaitable[str]]",
}


def usage_as_code(_app, _what, _name, _object, _options, lines):
    """Has the lines of usage in a docstring, which are indented, be code and not a quotation."""
    before = ""
    for number, line in enumerate(list(lines)):
        if _SECTION.match(line):
            return
        if line.startswith("    ") and not before:
            lines[number:number] = ["::", ""]
            return
        before = line


def example_as_code(_app, _context, lines):
    """Has the lines that a subcommand's help keeps as they are be code; sphinx-click makes prose of them."""
    code = []
    inside = False
    for line in lines:
        kept = line.startswith("| ")
        if kept and not inside:
            # "Example:" is told, and what follows it is code.
            code += [f"{line[2:]}:", ""] if line.endswith(":") else ["::", "", f"    {line[2:]}"]
        else:
            code.append(f"    {line[2:]}" if kept else line)
        inside = kept
    lines[:] = code


def token_of_the_client(_app, _what, name, _object, _options, signature, returns):
    """Names the kinds of token that a client takes."""
    if name in _TOKENS and signature:
        return re.sub(r"[~\w.]*\b_Token\b", _TOKENS[name], signature), returns
    return None


def setup(app):
    """Sphinx calls it."""
    # Before napoleon, which has 500.
    app.connect("autodoc-process-docstring", usage_as_code, priority=400)
    app.connect("autodoc-process-signature", token_of_the_client)
    app.connect("sphinx-click-process-description", example_as_code)
    app.connect("build-finished", with_pictures)


def with_pictures(app, error):
    """Copy the pictures to where README.md, which names them in HTML, has them."""
    if error is None:
        shutil.copytree(Path(app.confdir, "pictures"), Path(app.outdir, "docs", "pictures"), dirs_exist_ok=True)
