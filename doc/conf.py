"""How Sphinx builds the site. It needs no network: no link leads to another site's inventory."""

import sys
from pathlib import Path

import skbadr

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "skbadr"
author = "the skbadr developers"
copyright = "the skbadr developers, BSD-3-Clause"
version = release = skbadr.__version__

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "public_names",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# Every link within the site leads somewhere, or the build fails (-W).
nitpicky = True
# What the gallery says of other packages is shown as code: their inventories are not here.
nitpick_ignore_regex = [
    ("py:.*", r"(dask|fairlearn|joblib|matplotlib|numpy|pandas|polars|scipy|sklearn)\..*")
]

default_role = "obj"
# Quotes within types are code.
smartquotes = False

# Pages.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# The reference.
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
# What a user calls has every parameter described; the rest are matters of house style.
numpydoc_validation_checks = {
    "GL02",
    "GL06",
    "GL08",
    "GL09",
    "SS01",
    "PR01",
    "PR02",
    "PR07",
    "RT01",
}
# Within extension points a line often says all, shapes included.
numpydoc_validation_exclude = {
    r"skbadr\.(losses|problem|result|lower_level|partition)\.",
    r"skbadr\.metrics\.(FairnessMetric\.|EvaluationSet)",
    r"skbadr\.solvers\.UpperSolver\.",
    r"skbadr\.bargaining\.Bargain",
    r"skbadr\.guides\.Guide(\.|$)",
    r"skbadr\.AuditResult$",  # made by `audit` alone
    r"skbadr\.ParetoPath$",  # its arguments are those of a Bunch
}

# The gallery.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(^|/)_\w+\.py$",
    "within_subsection_order": "gallery_order.GalleryOrder",
    "capture_repr": ("_repr_html_",),
    "copyfile_regex": r"_data\.py",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "doc_module": ("skbadr",),
    "reference_url": {"skbadr": None},
    "backreferences_dir": "api/generated/backreferences",
    "min_reported_time": 5,
    "plot_gallery": True,
}

# The looks.
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_math_renderer = "mathml"
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_title = "skbadr"
html_show_sourcelink = False
toc_object_entries_show_parents = "hide"
# Pages without others below them need no list of these.
html_sidebars = {page: [] for page in ("index", "quickstart", "changelog")}
html_theme_options = {
    "logo": {"text": "skbadr"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": False,
}
