"""Single backticks of docstrings: a link where they name something public, else code.

They name parameters and attributes as well, which have no page of their own. A name that starts
with ``skbadr.`` must resolve, so that a misspelt one fails the build.
"""

from docutils import nodes


def resolve(app, env, node, contnode):
    """Find what a bare name means in the package, or show it as code."""
    if node.get("refdomain") != "py" or node.get("reftype") != "obj":
        return None
    target = node["reftarget"].removesuffix("()")
    if target.startswith("skbadr."):
        return None
    domain = env.domains["py"]
    found = {name for name in domain.objects if name.endswith("." + target)}
    # Parameters are lower-case words, too: only a name that is capitalised or dotted, or that of a
    # function, is sought outside its own page.
    kinds = {name: domain.objects[name].objtype for name in found}
    found = {name for name in found if kinds[name] in {"class", "function", "method"}}
    if len(found) != 1:
        return nodes.literal(contnode.astext(), contnode.astext())
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found.pop(), node, contnode)


def setup(app):
    """Make single backticks such names."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
