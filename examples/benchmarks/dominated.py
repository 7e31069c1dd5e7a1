"""Show that a fairness penalty wastes accuracy: a model that is better for every group.

A logistic regression is trained with a penalty on the squared covariance between its scores and the
group, for one penalty after the other. `pareto_certificate` looks for a model of the same class,
trained by weights of the groups alone, under which the loss of every group is lower:

    python examples/benchmarks/dominated.py --tables DIR [--only adult ...]
"""

import json
import time

import numpy as np
from _arguments import make_parser
from _tables import load_table
from fairlearn.metrics import demographic_parity_difference
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from skbadr import pareto_certificate

CASES = {
    "adult, sex": ("adult", {"sensitive": "sex"}),
    "compas, sex": ("compas", {"sensitive": "sex"}),
    "compas, race": ("compas", {"sensitive": "race", "largest": 3}),
    "german, sex": ("german", {"sensitive": "sex"}),
    "law school, race": ("law_school", {"sensitive": "race"}),
}
STRENGTHS = (0.0, 0.1, 1.0, 10.0)


def penalised_logistic(X, y, group, strength, C=1.0):
    """Return a LogisticRegression trained with ``strength * sum_g cov(1[group = g], score)^2``.

    Its objective is the mean log loss, its own l2 regularisation, and that penalty.
    """
    model = LogisticRegression(C=C, max_iter=1000).fit(X, y)
    n = len(y)
    indicators = (group[:, None] == np.unique(group)).astype(float)
    centered = (indicators - indicators.mean(axis=0)).T @ X / n

    def objective(parameters):
        coef, intercept = parameters[:-1], parameters[-1]
        scores = X @ coef + intercept
        gap = expit(scores) - y
        covariance = centered @ coef
        value = np.mean(np.logaddexp(0.0, scores) - y * scores) + coef @ coef / (2 * C * n)
        gradient = X.T @ gap / n + coef / (C * n) + 2 * strength * covariance @ centered
        return value + strength * covariance @ covariance, np.r_[gradient, gap.mean()]

    start = np.r_[model.coef_[0], model.intercept_]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    model.coef_, model.intercept_ = found.x[None, :-1], found.x[-1:]
    return model


def row(table, strength):
    """Return the certificate of one penalised model, and measures of it and what dominates it."""
    X, y, group = table.X, table.y, table.group
    model = penalised_logistic(X, y, group, strength)
    begin = time.perf_counter()
    certificate = pareto_certificate(model, X, y, sensitive_features=group)
    result = {
        "strength": strength,
        "seconds": time.perf_counter() - begin,
        "residual": certificate.residual,
        "dominated": certificate.dominated,
        "gain": certificate.gain,
        "gain_limit": certificate.gain_limit,
        "groups": certificate.groups.tolist(),
        "losses": certificate.losses.tolist(),
    }
    found = {"penalised": model}
    if certificate.dominated:
        result["dominating_losses"] = certificate.dominating_losses.tolist()
        result["weights"] = certificate.dominating_weights.tolist()
        found["dominating"] = certificate.dominating_model
    for name, fitted in found.items():
        predicted = fitted.predict(X)
        result[name] = {
            "error": float((predicted != y).mean()),
            "demographic_parity": demographic_parity_difference(
                y, predicted, sensitive_features=group
            ),
        }
    return result


def show(case, result):
    """Print one line."""
    losses = " ".join(f"{loss:.4f}" for loss in result["losses"])
    text = f"{case:18}{result['strength']:>8g}{result['residual']:>11.2e}  {losses}"
    if result["dominated"]:
        text += "  ->  " + " ".join(f"{loss:.4f}" for loss in result["dominating_losses"])
    else:
        text += f"  not dominated (limit {result['gain_limit']:.1e})"
    gaps = [result[name]["demographic_parity"] for name in ("penalised", "dominating")
            if name in result]  # fmt: skip
    errors = [result[name]["error"] for name in ("penalised", "dominating") if name in result]
    text += "   error " + " -> ".join(f"{error:.4f}" for error in errors)
    text += ", gap " + " -> ".join(f"{gap:.4f}" for gap in gaps)
    print(text + f"   {result['seconds']:.2f} s", flush=True)


def main(arguments=None):
    """Run the benchmark from the command line."""
    parser = make_parser(__doc__, "benchmarks_dominated.json", tables=True)
    parser.add_argument("--only", nargs="*", help="beginnings of names of tables")
    options = parser.parse_args(arguments)

    print(f"{'table, groups':18}{'penalty':>8}{'residual':>11}  log loss of each group")
    results = []
    with threadpool_limits(1):
        for case, (name, choice) in CASES.items():
            if options.only and not case.startswith(tuple(options.only)):
                continue
            table = load_table(options.tables, name, **choice)
            for strength in STRENGTHS:
                result = row(table, strength)
                results.append({"case": case, **result})
                show(case, result)
    options.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
