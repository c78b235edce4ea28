"""How Sphinx makes the site; `make docs` runs it, on the repository as the source."""

import inspect

import hubserve
import hubserve.testing

project = "hubserve"
author = "the authors of hubserve"
copyright = author  # noqa: A001 - Sphinx' name for it
version = release = hubserve.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
include_patterns = ["docs/**.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "k8s/README.md"]
# Folders that are not even walked through.
exclude_patterns = [".*", "build", "demo", "dist", "models"]
root_doc = "docs/index"

html_theme = "furo"
html_title = f"hubserve {version}"
html_extra_path = ["site"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}

myst_heading_anchors = 3
# A comment is a mark for the tests, or a word to the next author.
myst_enable_extensions = []

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# The attributes of a dataclass are told once, by its docstring.
napoleon_use_ivar = True
# What is not hubserve's own is not on this site, and the site asks no other.
nitpick_ignore_regex = [("py:.*", r"(?!hubserve\b).*")]

# Users import these names from the package, so the reference calls them by it.
for _package in (hubserve, hubserve.testing):
    for _name in _package.__all__:
        _public = getattr(_package, _name)
        if inspect.isclass(_public):
            _public.__module__ = _package.__name__
