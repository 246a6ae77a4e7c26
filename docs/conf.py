"""The documentation site: `.ci/docs` builds it, and a warning is an error."""

import trampoline

project = "ctrampoline"
author = "The ctrampoline authors"
copyright = author
version = release = trampoline.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"ctrampoline {version}"
default_role = "code"
nitpicky = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "inherited-members": True, "undoc-members": True}
add_module_names = False
