"""A package that offers metrics, a solver and a smooth linear estimator to skbadr."""
