"""Formulas as MathML, which browsers draw by themselves: no script, no network."""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)


def _visit(as_block):
    def visit(translator, node):
        try:
            formula = tex2mathml(node.astext(), as_block=as_block)
            translator.body.append(f'<div class="formula">{formula}</div>' if as_block else formula)
        except MathError as error:
            logger.warning("%s: %s", node.astext(), error, location=node)
        raise nodes.SkipNode

    return visit


def setup(app):
    """Make it the renderer of formulas."""
    app.add_html_math_renderer("mathml", (_visit(False), None), (_visit(True), None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
