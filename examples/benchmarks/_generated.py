"""Tables whose law is known: P(group), P(x | group) and P(y | x, group) in closed form.

A table has signals, proxies of the group, noise columns and, in some problems, categories and
columns with missing values. The target is drawn given the row as it is seen (a missing value is a
fact about the row, not something hidden), so that every posterior is exact.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import expit, log_softmax, logsumexp, softmax

# Rows on which intercepts and scales are set, once per problem.
CALIBRATION_ROWS = 20_000


@dataclass(frozen=True)
class Factors:
    """What sets one problem apart from another.

    Attributes
    ----------
    task : {"binary", "multiclass", "regression"}
    rows : int
        Rows of a training sample, 500 to 50,000.
    n_groups : int
        2 to 6.
    shares : {"equal", "unequal"}
        Of the groups; unequal ones fall by a third from each to the next.
    told : {"none", "weak", "some", "strong", "column"}
        How far X tells the group: not at all, little, well in some rows only, well in all rows,
        or fully, as a column.
    base_rate : float
        P(y = 1) of a binary target, over all groups.
    gap : float
        Spread of the groups' own effects on the log odds (on the mean, in standard deviations).
    signal : float
        Standard deviation of the log odds (of the mean) over the rows of a group.
    linear : bool
        Whether the log odds (the mean) are linear in the columns, given the group.
    slopes : bool
        Whether the effects of two columns differ between groups.
    noise : float
        Share of the labels replaced by a random one; of regression, the residual's standard
        deviation over that of the mean.
    columns : {"numbers", "codes", "text"}
        "codes" adds two columns of integer codes, "text" the same as strings in a DataFrame.
    missing : bool
        Whether two columns have missing values, more in some groups.
    n_noise : int
        Columns that tell nothing.
    """

    task: str
    rows: int
    n_groups: int
    shares: str
    told: str
    base_rate: float
    gap: float
    signal: float
    linear: bool
    slopes: bool
    noise: float
    columns: str
    missing: bool
    n_noise: int


@dataclass
class Rows:
    """Rows before they become a table: what the law is a function of."""

    z: np.ndarray  # (n, d) signals and proxies, independent given the group
    u: np.ndarray  # (n, 2 or 0) columns with missing values, NaN
    codes: np.ndarray  # (n, 2 or 0) categories; with told="some", the first says where


@dataclass
class Posterior:
    """Exact conditional laws of given rows.

    Attributes
    ----------
    group : ndarray of shape (n, G)
        P(group | x).
    label_given_group : ndarray of shape (n, G, C), or None
        P(y | x, group); None for regression.
    mean_given_group : ndarray of shape (n, G), or None
        E[y | x, group]; None for classification.
    scale : float
        Standard deviation of y around that mean.
    """

    group: np.ndarray
    label_given_group: np.ndarray | None = None
    mean_given_group: np.ndarray | None = None
    scale: float = 0.0

    @cached_property
    def joint(self):
        """P(group, y | x), of shape (n, G, C)."""
        return self.group[:, :, None] * self.label_given_group

    @cached_property
    def label(self):
        """P(y | x), of shape (n, C)."""
        return self.joint.sum(axis=1)

    @property
    def log_odds(self):
        """log P(y = 1 | x) / P(y = 0 | x) of a binary target, of shape (n,)."""
        return np.log(self.label[:, 1]) - np.log(self.label[:, 0])

    @property
    def group_given_label(self):
        """q_y(a | x) = P(group a | x, y), of shape (n, G, C)."""
        return self.joint / self.label[:, None, :]

    @property
    def mean(self):
        """E[y | x] of regression, of shape (n,)."""
        return (self.group * self.mean_given_group).sum(axis=1)

    def group_given_target(self, y):
        """P(group | x, y) of regression at real targets, of shape (n, G)."""
        distance = (np.asarray(y)[:, None] - self.mean_given_group) / self.scale
        with np.errstate(divide="ignore"):
            return softmax(np.log(self.group) - 0.5 * distance**2, axis=1)


class Law:
    """The law of one problem, its parameters drawn from a generator.

    Parameters
    ----------
    factors : Factors
    rng : numpy.random.Generator
    """

    def __init__(self, factors, rng):
        f, g = factors, factors.n_groups
        self.factors = f
        self.shares = np.full(g, 1 / g) if f.shares == "equal" else 1.5 ** -np.arange(g)
        self.shares = rng.permutation(self.shares / self.shares.sum())
        n_signals, n_proxies = int(rng.integers(3, 7)), int(rng.integers(1, 4))
        d = n_signals + n_proxies
        distance = {"none": 0.0, "weak": 0.6, "some": 2.5, "strong": 1.6, "column": 0.8}[f.told]
        # Proxies tell the group, and the first signals do by half as much.
        direction = rng.normal(size=(g, d))
        direction[:, :n_signals] *= 0.5 * (np.arange(n_signals) < 2)
        direction -= direction.mean(axis=0)
        spread = np.sqrt(np.square(direction).sum(axis=1).mean())
        self.means = distance * direction / spread
        self.mixing = np.eye(d) + 0.3 * np.tril(rng.normal(size=(d, d)), -1)
        self.skewed = np.zeros(d, bool) if f.linear else rng.random(d) < 0.3
        has_codes = f.columns != "numbers" or f.told == "some"
        self.levels = (3, 5) if has_codes else ()
        tell = 0.0 if f.told in ("none", "some") else 0.3 * distance
        self.code_logits = [tell * rng.normal(size=(g, m)) for m in self.levels]
        self.missing_rate = rng.uniform(0.05, 0.3, g if f.told != "none" else 1)
        self.missing_rate = np.broadcast_to(self.missing_rate, g)
        self._draw_effects(rng, d, n_signals)
        self._calibrate(rng)

    def _draw_effects(self, rng, d, n_signals):
        f, g = self.factors, self.factors.n_groups
        m = self.n_scores = {"binary": 1, "multiclass": 3, "regression": 1}[f.task]
        self.slope = rng.normal(size=(d, m))
        self.slope[n_signals:] *= 0.3
        self.u_slope, self.u_absent = 0.5 * rng.normal(size=(2, m)), 0.5 * rng.normal(size=(2, m))
        self.code_effects = [0.6 * rng.normal(size=(k, m)) for k in self.levels]
        self.bend = rng.normal(size=(4, m)) * (not f.linear)
        self.scale, self.intercept = np.ones(m), np.zeros(m)
        offsets = rng.normal(size=(g, m))
        offsets -= self.shares @ offsets
        spread = np.sqrt(self.shares @ np.square(offsets))
        self.offset = f.gap * offsets / np.where(spread > 0, spread, 1.0)
        self.own_slope = (0.5 * f.slopes) * rng.normal(size=(g, 2, m))

    def _calibrate(self, rng):
        """Set the scale of the scores, and the intercept that gives the base rate."""
        f = self.factors
        codes = rng.choice(f.n_groups, CALIBRATION_ROWS, p=self.shares)
        rows = self.draw_rows(codes, rng)
        shared = self._shared(rows)
        self.intercept, self.scale = -shared.mean(axis=0), f.signal / shared.std(axis=0)
        self.intercept = self.intercept * self.scale
        self.residual = f.noise * f.signal
        if f.task == "binary":
            own = np.arange(len(codes)), codes
            low, high = -15.0, 15.0
            start = self.intercept
            for _ in range(50):
                middle = (low + high) / 2
                self.intercept = start + middle
                rate = self.label_given_group(rows)[..., 1][own].mean()
                low, high = (middle, high) if rate < self._reachable_rate() else (low, middle)

    def _reachable_rate(self):
        # Random labels pull the rate towards one half.
        noise = self.factors.noise
        return np.clip(self.factors.base_rate, 0.5 * noise + 0.03, 1 - 0.5 * noise - 0.03)

    def draw_rows(self, groups, rng):
        """Draw rows given their groups' codes."""
        n, d = len(groups), self.means.shape[1]
        codes = np.empty((n, len(self.levels)), dtype=int)
        for j, logits in enumerate(self.code_logits):
            cumulative = np.cumsum(softmax(logits, axis=1), axis=1)[groups]
            cumulative[:, -1] = 1.0
            codes[:, j] = (rng.random(n)[:, None] > cumulative).sum(axis=1)
        told = self._where_told(codes)[:, None]
        z = rng.normal(size=(n, d)) + self.means[groups] * told
        u = rng.normal(size=(n, 2 * self.factors.missing))
        absent = rng.random(u.shape) < self.missing_rate[groups][:, None]
        return Rows(z, np.where(absent, np.nan, u), codes)

    def _where_told(self, codes):
        """Return where the numbers tell the group: everywhere but with told="some"."""
        return codes[:, 0] == 0 if self.factors.told == "some" else np.ones(len(codes), bool)

    def log_group(self, rows, own=None):
        """Return log P(group | x), of shape (n, G); `own` are the codes where X holds them."""
        n, g = len(rows.z), len(self.shares)
        if own is not None:
            with np.errstate(divide="ignore"):
                return np.log(np.eye(g)[own])
        log = np.tile(np.log(self.shares), (n, 1))
        told = self._where_told(rows.codes)[:, None]
        log += told * (rows.z @ self.means.T - 0.5 * np.square(self.means).sum(axis=1))
        for j, logits in enumerate(self.code_logits):
            log += log_softmax(logits, axis=1).T[rows.codes[:, j]]
        for absent in np.isnan(rows.u).T:
            log += np.log(np.where(absent[:, None], self.missing_rate, 1 - self.missing_rate))
        return log - logsumexp(log, axis=1, keepdims=True)

    def _shared(self, rows):
        z = rows.z
        bends = np.column_stack(
            [z[:, 0] * z[:, 1], np.sin(2.5 * z[:, 2]), np.abs(z[:, 0]) > 1, z[:, 1] > 0.5]
        )
        score = z @ self.slope + 1.5 * bends @ self.bend
        for j, column in enumerate(rows.u.T):
            absent = np.isnan(column)[:, None]
            seen = np.nan_to_num(column)[:, None] * self.u_slope[j]
            score = score + np.where(absent, self.u_absent[j], seen)
        for j, effects in enumerate(self.code_effects):
            score = score + effects[rows.codes[:, j]]
        return score

    def scores(self, rows):
        """Return log odds, scores of the classes or means given each group: (n, G, m)."""
        score = (self.scale * self._shared(rows) + self.intercept)[:, None, :] + self.offset
        return score + np.einsum("nd,gdm->ngm", rows.z[:, :2], self.own_slope)

    def label_given_group(self, rows):
        """Return P(y | x, group), of shape (n, G, C)."""
        scores, noise = self.scores(rows), self.factors.noise
        if self.factors.task == "binary":
            positive = expit(scores[..., 0])
            clean = np.stack([1 - positive, positive], axis=-1)
        else:
            clean = softmax(scores, axis=-1)
        return (1 - noise) * clean + noise / clean.shape[-1]

    def posterior(self, rows, own=None):
        """Return the `Posterior` of some rows."""
        group = np.exp(self.log_group(rows, own))
        if self.factors.task == "regression":
            mean = self.scores(rows)[..., 0]
            return Posterior(group, mean_given_group=mean, scale=self.residual)
        return Posterior(group, self.label_given_group(rows))

    def draw_target(self, rows, groups, rng):
        """Draw targets given rows and groups."""
        own = np.arange(len(groups)), groups
        if self.factors.task == "regression":
            return self.scores(rows)[own][:, 0] + self.residual * rng.normal(size=len(groups))
        cumulative = np.cumsum(self.label_given_group(rows)[own], axis=1)
        cumulative[:, -1] = 1.0
        return (rng.random(len(groups))[:, None] > cumulative).sum(axis=1)

    def table(self, rows, groups, rng):
        """Return X: an array of floats, or a DataFrame where it has text."""
        f, n = self.factors, len(rows.z)
        mixed = rows.z @ self.mixing
        shown = np.where(self.skewed, np.exp(np.clip(mixed, -20, 20)), mixed)
        blocks = [shown, rows.u, rng.normal(size=(n, f.n_noise)), rows.codes]
        if f.told == "column":
            blocks.append(groups[:, None])
        X = np.column_stack(blocks)
        if f.columns != "text":
            return X
        n_text = rows.codes.shape[1] + (f.told == "column")
        n_numbers = X.shape[1] - n_text
        frame = pd.DataFrame(X[:, :n_numbers], columns=[f"x{j}" for j in range(n_numbers)])
        for j in range(n_numbers, X.shape[1]):
            letters = np.array(list("abcdef"), dtype=object)
            frame[f"c{j - n_numbers}"] = letters[X[:, j].astype(int)]
        return frame

    def rows_of(self, X):
        """Return the `Rows` that a table shows, and the groups' codes where it shows them."""
        f = self.factors
        if hasattr(X, "columns"):
            text = [c for c in X.columns if c.startswith("c")]
            codes = [X[c].map("abcdef".index).to_numpy(float) for c in text]
            X = np.column_stack([X.drop(columns=text).to_numpy(float), *codes])
        X = np.asarray(X, dtype=float)
        own, d = None, self.means.shape[1]
        if f.told == "column":
            X, own = X[:, :-1], X[:, -1].astype(int)
        mixed = np.where(self.skewed, np.log(np.where(self.skewed, X[:, :d], 1.0)), X[:, :d])
        z = np.linalg.solve(self.mixing.T, mixed.T).T
        codes = X[:, X.shape[1] - len(self.levels) :].astype(int)
        return Rows(z, X[:, d : d + 2 * f.missing], codes), own
