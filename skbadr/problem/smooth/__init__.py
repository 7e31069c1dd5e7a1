"""The bilevel problem of linear models with smooth losses, whose derivatives are known."""
