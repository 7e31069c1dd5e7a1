"""A fit up to its search: its arguments become a problem and a solver, and refits are told of."""
