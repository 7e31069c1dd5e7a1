"""What a bound on the gap of mean predictions costs a ridge regression, on many splits.

For a bound at a share of ridge's own training gap: weights of groups x target bins, weights of
groups x the sign of ridge's residual (a callable partition), and, to know what is possible, ridge's
own predictions shifted by a constant per group, which needs the group to predict. On a small test
set the gap is mostly chance, whatever the model: besides its mean absolute value the table has the
mean of the signed gap, whose chance averages out.
"""

import warnings

import numpy as np
from _tables import encode
from papers_strategies import REGRESSION_CASES, read_case
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from skbadr import BADRRegressor

BOUNDED_CASES = ("parkinsons, sex", "student, sex")
SHARES = (0.2, 0.35)
METHODS = ("ridge", "group_target", "group x residual", "shift, knows the group")


def signed_gap(predicted, group):
    """Return the mean prediction of group 1 minus that of group 0."""
    return float(predicted[group == 1].mean() - predicted[group == 0].mean())


def residual_cells(above):
    """Return a partition by group and by whether a row lies above the baseline prediction."""
    return lambda y, groups: np.array(
        [f"{g} {a}" for g, a in zip(groups, above, strict=True)], dtype=object
    )


def run_split(X, y, group, seed, share):
    """Return RMSE and signed test gap of each method on one split."""
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.3, stratify=group, random_state=seed
    )
    baseline = Ridge().fit(X[train], y[train])
    fitted = baseline.predict(X[train])
    gap = signed_gap(fitted, group[train])
    found = {"ridge": baseline.predict(X[test])}
    cells = {
        "group_target": "group_target",
        "group x residual": residual_cells(y[train] > fitted),
    }
    for name, partition in cells.items():
        model = BADRRegressor(Ridge(), partition=partition, bound=share * abs(gap))
        model.fit(X[train], y[train], sensitive_features=group[train])
        found[name] = model.predict(X[test])
    # Both groups move towards each other, the smaller one further: least squares.
    rate = group[train].mean()
    move = (1.0 - share) * gap * np.where(group[test] == 1, rate - 1.0, rate)
    found["shift, knows the group"] = found["ridge"] + move
    return {
        name: [root_mean_squared_error(y[test], predicted), signed_gap(predicted, group[test])]
        for name, predicted in found.items()
    }


def run_bounded(folder, splits):
    """Return one row per case, share and method: means over splits."""
    rows = []
    for name in BOUNDED_CASES:
        case = REGRESSION_CASES[name]
        frame = read_case(folder, case)
        group = np.unique(frame[case.sensitive].to_numpy(), return_inverse=True)[1]
        X, y = scale(encode(frame, case.target)), frame[case.target].to_numpy(float)
        for share in SHARES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                runs = [run_split(X, y, group, seed, share) for seed in range(splits)]
            rows += [row | {"case": name, "share": share} for row in summarise(runs)]
    return rows


def summarise(runs):
    """Return one row per method, gaps as shares of ridge's."""
    baseline, rows = np.array([run["ridge"] for run in runs]), []
    for method in METHODS:
        values = np.array([run[method] for run in runs])
        more = 100.0 * (values[:, 0] / baseline[:, 0] - 1.0)
        rows.append({
            "method": method,
            "rmse": float(values[:, 0].mean()),
            "more": float(more.mean()),
            "more_error": float(more.std(ddof=1) / np.sqrt(len(more))),
            "signed": float(values[:, 1].mean()),
            "signed_share": float(values[:, 1].mean() / baseline[:, 1].mean()),
            "absolute": float(np.abs(values[:, 1]).mean()),
            "absolute_share": float(np.abs(values[:, 1]).mean() / np.abs(baseline[:, 1]).mean()),
            "chance": float(values[:, 1].std(ddof=1)),
        })  # fmt: skip
    return rows


def print_bounded(rows):
    """Print the table."""
    print("\na bound on the gap of mean predictions (test)")
    print(f"{'':18}{'bound':>6}  {'':24}{'RMSE':>8}{'more (error)':>17}{'signed gap':>12}{'':>7}"
          f"{'|gap|':>8}{'':>7}{'chance':>8}")  # fmt: skip
    for row in rows:
        print(f"{row['case']:18}{row['share']:>6.0%}  {row['method']:24}{row['rmse']:>8.3f}"
              f"{row['more']:>+9.2f} % ({row['more_error']:.2f}){row['signed']:>11.3f}"
              f"{row['signed_share']:>7.0%}{row['absolute']:>9.3f}{row['absolute_share']:>7.0%}"
              f"{row['chance']:>8.3f}")  # fmt: skip
