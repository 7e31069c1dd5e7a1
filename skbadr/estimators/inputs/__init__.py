"""What users give an estimator: read, coded, and refused in a sentence if it is wrong."""
