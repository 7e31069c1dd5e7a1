"""Signs of life: a bar on a terminal, a line per method elsewhere."""

import sys

from skbadr.estimators.fit.monitor import listen


class Progress:
    """What the command shows while methods run; `compare` calls it.

    Parameters
    ----------
    n_runs : int
        Comparisons, of several splits or bounds.
    """

    def __init__(self, n_runs=1):
        self._n_runs, self._run = n_runs, 0
        self._bar = self._make_bar()
        self._listening = None

    def __enter__(self):
        self._listening = listen(self._hear_refit if self._bar is not None else None)
        self._listening.__enter__()
        return self

    def __exit__(self, *error):
        self._listening.__exit__(*error)
        if self._bar is not None:
            self._bar.close()

    def __call__(self, method, done, total, row):
        """Show that a method begins (no row, nothing more done) or has ended."""
        ended = done > self._done
        self._done = 0 if ended and done == total else done
        if self._bar is None:
            if ended:
                self._print(method, row)
        else:
            self._bar.total = total * self._n_runs
            self._bar.n = self._run * total + done
            self._bar.set_description_str(method)
            self._bar.set_postfix_str("")
        if ended and done == total:
            self._run += 1

    _done = 0

    def _print(self, method, row):
        run = f"[{self._run + 1} of {self._n_runs}] " if self._n_runs > 1 else ""
        ended = "failed" if row is None else f"{row['seconds']:.1f} s, {row['refits']} fits"
        print(f"{run}{method}: {ended.replace(' 1 fits', ' 1 fit')}", flush=True)

    def _hear_refit(self, n_refits, budget):
        self._bar.set_postfix_str(f"fit {n_refits}" + (f" of at most {budget}" if budget else ""))

    @staticmethod
    def _make_bar():
        """Return a bar on the terminal, or None where there is none to show it."""
        if not sys.stderr.isatty():
            return None
        try:
            from tqdm import tqdm
        except ImportError:
            return None
        shape = "{desc}: {n_fmt} of {total_fmt} |{bar}| {elapsed} {postfix}"
        return tqdm(total=1, leave=False, bar_format=shape, dynamic_ncols=True)
