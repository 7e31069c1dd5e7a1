"""The order of the gallery: what most people start with comes first."""

FIRST = (
    "quickstart",
    "boosting",
    "front",
    "fairlearn",
    "grid_search",
    "intersections",
    "regression",
)


class GalleryOrder:
    """Sort key of scripts: `FIRST`, then the others by name."""

    def __init__(self, folder):
        pass

    def __call__(self, filename):
        """Return the key of plot_NAME.py."""
        name = str(filename).removeprefix("plot_").removesuffix(".py")
        return (FIRST.index(name) if name in FIRST else len(FIRST), name)
