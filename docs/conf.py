"""How `make docs` builds the site. Its source is the project, so that all Markdown files can link to each other."""

from typing import Any

from sphinx.application import Sphinx

from warpcore.bus.vocabulary import Word
from warpcore.services.process.versions import warpcore_version

project = "warpcore"
author = "the warpcore developers"
project_copyright = "2026, the warpcore developers"
release = warpcore_version()

extensions = ["myst_parser", "sphinx.ext.autodoc"]
include_patterns = ["*.md", "docs/*.md", "docs/*.rst", "deploy/*.md"]
exclude_patterns = [".?*", "build", "tests", "bus", "cli", "kernels", "services"]
root_doc = "docs/index"
html_theme = "furo"
html_title = "warpcore"
html_extra_path = ["site"]  # index.html of the whole site, which leads to docs/index.html

# Links to a heading, `page.md#heading`, as GitHub makes them.
myst_heading_anchors = 4

# The reference shows what a package's face names; docstrings write code in single backticks.
default_role = "code"
autodoc_default_options = {"members": True, "exclude-members": "model_config"}
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
add_module_names = False
python_maximum_signature_line_length = 100


def tell_words(app: Sphinx, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Add the words of a vocabulary and their meanings to its docstring."""
    if what == "class" and issubclass(documented, Word):
        lines += ["", *(f"- ``{word.value}``: {word.meaning}" for word in documented)]


def setup(app: Sphinx) -> None:
    """Sphinx calls this when the build begins."""
    app.connect("autodoc-process-docstring", tell_words)
