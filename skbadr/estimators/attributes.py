"""What a fit sets, declared so that editors and type checkers know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from sklearn.utils import Bunch

from skbadr._typing import Array, FloatArray, Partition


class FittedAttributes:
    """The attributes of a fitted model; `BADRClassifier` says what they are."""

    estimator_: Any
    cell_weights_: FloatArray
    cells_: Array
    partition_: Partition
    cell_losses_: FloatArray
    loss_name_: str
    metric_name_: str
    metric_value_: float
    bound_met_: bool
    baseline_metric_value_: float
    metric_standard_error_: float
    baseline_metric_standard_error_: float
    scoring_value_: float
    baseline_scoring_value_: float
    constant_scoring_value_: float
    evaluated_on_: Literal["training data", "held-out data"]
    n_iter_: int
    converged_: bool
    n_refits_: int
    results_: dict[str, Array]
    weight_response_: float
    weights_move_: bool
    small_groups_: dict[Any, int]
    n_features_in_: int
    # Where X has names.
    feature_names_in_: Array
    # With several bounds.
    metric_values_: dict[str, float]
    baseline_metric_values_: dict[str, float]
    # Where the metric compares with the baseline model.
    baseline_estimator_: Any
    # With `confidence`.
    metric_upper_: float
    # With `cv`.
    training_metric_value_: float
    # For linear models with a smooth objective.
    pareto_residual_: float
    # With ``init="nash"``.
    bargaining_: Bunch

    if TYPE_CHECKING:  # scikit-learn makes these as the program runs

        def set_fit_request(
            self,
            *,
            sensitive_features: bool | str | None = ...,
            control_features: bool | str | None = ...,
            sample_weight: bool | str | None = ...,
        ) -> Self:
            """Say which metadata `fit` gets."""
            ...

        def set_score_request(self, *, sample_weight: bool | str | None = ...) -> Self:
            """Say which metadata `score` gets."""
            ...
