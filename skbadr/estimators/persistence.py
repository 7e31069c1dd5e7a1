"""What a fitted model writes to a file, and what it makes of files of earlier versions."""

import inspect


def state_to_save(state):
    """Return the state of a model in types that every format takes.

    Parameters
    ----------
    state : dict
        Attributes by name; not modified.

    Returns
    -------
    state : dict
        skops takes no tuples as keys, which labels of crossed groups are.
    """
    small = state.get("small_groups_")
    if small is None:
        return state
    return state | {"small_groups_": [list(small), list(small.values())]}


def restored_state(kind, state):
    """Return the attributes that a saved state stands for.

    Parameters
    ----------
    kind : type
        The model's class: parameters that it has come to have since get their defaults.
    state : dict
        As `state_to_save` returned it, in this version or an earlier one.

    Returns
    -------
    state : dict
    """
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if parameter.default is not parameter.empty
    }
    state = defaults | state
    small = state.get("small_groups_")
    if isinstance(small, list):
        state["small_groups_"] = dict(zip(*small, strict=True))
    return state
