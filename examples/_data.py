"""What several examples share: an encoder of the applicants of `skbadr.datasets`."""

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler


def loan_encoder():
    """Return a transformer for linear models; it leaves the sensitive columns out."""
    numbers = ["income", "debt", "savings", "experience", "part_time"]
    scale = make_pipeline(
        SimpleImputer(strategy="median"), FunctionTransformer(np.log1p), StandardScaler()
    )
    return make_column_transformer((scale, numbers), (OneHotEncoder(), ["purpose", "region"]))
