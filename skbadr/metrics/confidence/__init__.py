"""How far a metric may be off on other rows: limits, standard errors, numbers of rows."""
