"""Local steps, the searches made of them, and the estimator's own fits at their end."""
