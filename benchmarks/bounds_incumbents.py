"""Bounds and intervals of other packages on inputs where the right answer is known.

python benchmarks/bounds_incumbents.py [--output table.md]

Takes those of confseq, expectation, concentration-lib, qmcpy, statsmodels and scipy that are installed and skips the
rest. confseq needs NumPy 1 (Python 3.10) and the others a newer one, so run it in two environments. Coverage of counts
is exact, summed over all outcomes; simulated coverage has a fixed seed and is called a failure only where chance would
give as many misses with probability 1e-6 at most.
"""

import argparse
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from math import comb
from pathlib import Path
from platform import python_version

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import binom

CONFIDENCE = 0.95
COUNTS = ((20, 1e-4), (20, 0.1), (1000, 0.5))
MEMORY = 6 << 30


@dataclass(frozen=True)
class Row:
    """What was tested, what should come, what came; `holds` is None where the package promises nothing of the kind."""

    test: str
    expected: str
    got: str
    holds: bool | None

    @property
    def verdict(self):
        return {True: "holds", False: "fails", None: "not promised"}[self.holds]


def statsmodels_rows():
    from statsmodels.stats.proportion import proportion_confint

    for method in ("beta", "binom_test", "wilson", "agresti_coull", "jeffreys", "normal"):
        promised = method in ("beta", "binom_test")

        def interval(k, n, method=method):
            return proportion_confint(k, n, alpha=1 - CONFIDENCE, method=method)

        for n, p in COUNTS if method != "binom_test" else COUNTS[:2]:
            yield exact_coverage(f"proportion_confint, {method}", interval, n, p, promised)
    yield last_bit(
        "proportion_confint, beta", lambda k, n: proportion_confint(k, n, alpha=0.05, method="beta"), Fraction(0.05)
    )
    yield looking(
        "proportion_confint, beta",
        lambda k, n: proportion_confint(k, np.full_like(k, n), alpha=1 - CONFIDENCE, method="beta"),
    )


def scipy_rows():
    from scipy.stats import binomtest, bootstrap

    for method in ("exact", "wilson", "wilsoncc"):

        def interval(k, n, method=method):
            return binomtest(int(k), n).proportion_ci(CONFIDENCE, method=method)

        for n, p in COUNTS:
            yield exact_coverage(f"binomtest, {method}", interval, n, p, method == "exact")
    yield last_bit("binomtest, exact", lambda k, n: binomtest(k, n).proportion_ci(CONFIDENCE), 1 - Fraction(CONFIDENCE))
    for method in ("percentile", "BCa"):

        def resampled(values, method=method):
            drawn = bootstrap((values,), np.mean, n_resamples=999, method=method, rng=np.random.default_rng(1))
            return drawn.confidence_interval

        yield simulated_coverage(f"bootstrap, {method}", resampled, 20, 500, rare, 1e-4, None)
        yield simulated_coverage(f"bootstrap, {method}", resampled, 30, 500, arcsine, 0.5, None)


def confseq_rows():
    from confseq import boundaries
    from confseq.betting import betting_ci, betting_cs
    from confseq.predmix import predmix_empbern_twosided_cs

    yield simulated_coverage("betting_ci", betting_ci, 20, 100, rare, 1e-4, True)
    yield simulated_coverage("betting_ci", betting_ci, 30, 200, arcsine, 0.5, True)
    yield simulated_coverage("betting_ci", betting_ci, 1000, 100, fair, 0.5, True)
    yield at_all_times("predmix_empbern_twosided_cs", predmix_empbern_twosided_cs, 1000, 1000)
    yield at_all_times("betting_cs", betting_cs, 500, 50)

    yield refusal("betting_cs", lambda values: last(betting_cs(values)))
    yield refusal("predmix_empbern_twosided_cs", lambda values: last(predmix_empbern_twosided_cs(values)))
    yield contradiction("betting_ci", betting_ci)
    for sequence in (betting_cs, predmix_empbern_twosided_cs):
        yield contradiction(
            f"{sequence.__name__}, running intersection",
            lambda values, sequence=sequence: last(sequence(values, running_intersection=True)),
        )
    for value in (0.5, 0.4995):
        low, high = last(betting_cs(np.full(20_000, value)))
        test, got = f"betting_cs: 20,000 values {value:g}", f"[{low:.4g}, {high:.4g}]"
        yield Row(test, "width below 0.002", got, high - low < 0.0019 or None)

    variances = np.arange(1.0, 301.0)
    for name in ("normal", "gamma_exponential"):
        scale = () if name == "normal" else (1.0,)
        bound = getattr(boundaries, f"{name}_mixture_bound")(variances, 0.05, 10.0, *scale)
        wealth = getattr(boundaries, f"{name}_log_mixture")(bound, variances, 10.0, *scale)
        inside = int(np.sum(wealth < np.log(20) - 1e-13))
        yield inwards(f"{name}_mixture_bound, by its own mixture", inside, len(bound))
    yield from memory()


def expectation_rows():
    from expectation.confseq.confidenceconfig import EmpiricalBernsteinConfig
    from expectation.confseq.confidencesequence import EmpiricalBernsteinConfidenceSequence

    def sequence(low=0.0, high=1.0):
        config = EmpiricalBernsteinConfig(lower_bound=low, upper_bound=high, alpha=1 - CONFIDENCE)
        return EmpiricalBernsteinConfidenceSequence(config=config)

    def at_end(values):
        result = sequence().update(values)
        return result.lower, result.upper

    def path(values):
        running = sequence()
        results = [running.update([value]) for value in values]
        return [result.lower for result in results], [result.upper for result in results]

    name = "EmpiricalBernsteinConfidenceSequence"
    yield simulated_coverage(name, at_end, 20, 2000, rare, 1e-4, True)
    yield simulated_coverage(name, at_end, 30, 2000, arcsine, 0.5, True)
    yield simulated_coverage(name, at_end, 1000, 1000, fair, 0.5, True)
    yield at_all_times(name, path, 200, 200)
    yield refusal(name, at_end)
    uniform = np.random.default_rng(1).random(1000)
    for low, high, mean in ((0.0, 10.0, 5.0), (0.0, 0.5, 0.25), (2.0, 3.0, 2.5)):
        result = sequence(low, high).update(low + (high - low) * uniform)
        got = f"[{result.lower:.3g}, {result.upper:.3g}]"
        test = f"{name}: 1000 uniform values in [{low:g}, {high:g}]"
        yield Row(test, f"an interval about {mean:g}", got, result.lower <= mean <= result.upper)
    yield contradiction(f"{name}, its intersection", lambda values: crossed(path(values)))


def concentration_rows():
    from concentration_lib.concentration_bounds import hoeffding_bound
    from concentration_lib.empirical_concentration_bounds import (
        empirical_bernstein_bound,
        empirical_hedged_capital_bound,
    )

    def maurer_pontil(values):
        below, above = empirical_bernstein_bound(values, 1 - CONFIDENCE, 1.0, 0.0, side="both")
        return values.mean() - below, values.mean() + above

    def hedged(values):
        below, above = empirical_hedged_capital_bound(values, 1 - CONFIDENCE, 1.0, 0.0, side="both")
        return values.mean() - below, values.mean() + above

    for name, interval in (("empirical_bernstein_bound", maurer_pontil), ("empirical_hedged_capital_bound", hedged)):
        yield simulated_coverage(name, interval, 20, 500, rare, 1e-4, True)
        yield simulated_coverage(name, interval, 30, 500, arcsine, 0.5, True)
        yield simulated_coverage(name, interval, 1000, 100, fair, 0.5, True)
        yield refusal(name, interval)
    yield contradiction("empirical_hedged_capital_bound", hedged)

    values = np.repeat([0.0, 1.0], 500)
    radius = float(empirical_bernstein_bound(values, 0.05, 1.0, 0.0))
    logarithm = np.log(2 / 0.05)
    theorem = np.sqrt(2 * values.var(ddof=1) * logarithm / 1000) + 7 * logarithm / (3 * 999)
    test = "empirical_bernstein_bound: radius for 500 zeros and 500 ones"
    yield Row(test, f"{theorem:.6f} or more (Maurer-Pontil, theorem 4)", f"{radius:.6f}", radius >= theorem)

    numbers = range(1, 301)
    with localcontext() as context:
        context.prec = 60
        logarithm = -Decimal.from_float(0.05).ln()
        inside = sum(Decimal(float(hoeffding_bound(n, 0.05, 1.0, 0.0))) < (logarithm / (2 * n)).sqrt() for n in numbers)
    yield inwards("hoeffding_bound, n = 1 ... 300", inside, len(numbers))


def qmcpy_rows():
    import qmcpy

    def integrand(seed, values):
        return qmcpy.CustomFun(qmcpy.Uniform(qmcpy.IIDStdUniform(1, seed=seed)), g=values)

    def rare_event(points):
        return (points[..., 0] < 1e-4).astype(float)

    tolerance = 5e-5
    for method in (qmcpy.CubMCCLT, qmcpy.CubMCG):

        def answer(seed, method=method):
            solution, _ = method(integrand(seed, rare_event), abs_tol=tolerance, rel_tol=0, alpha=0.05).integrate()
            return np.squeeze(solution) - tolerance, np.squeeze(solution) + tolerance

        faults = [fault(answer, seed, 1e-4) for seed in range(100)]
        yield coverage(f"{method.__name__}: P(event) = 1e-4 to within 5e-5", faults, None)
    bound = float(qmcpy.CubMCG(integrand(1, rare_event), abs_tol=tolerance).kurtmax)
    test = "CubMCG: kurtosis that its promise allows by default"
    yield Row(test, "3 or more (a normal has 3)", f"{bound:.3f}", bound >= 3 or None)


PACKAGES: dict[str, tuple[str, Callable[[], Iterator[Row]]]] = {
    "statsmodels": ("statsmodels.stats.proportion", statsmodels_rows),
    "scipy": ("scipy.stats", scipy_rows),
    "confseq": ("confseq.betting", confseq_rows),
    "expectation": ("expectation.confseq.confidencesequence", expectation_rows),
    "concentration-lib": ("concentration_lib.concentration_bounds", concentration_rows),
    "qmcpy": ("qmcpy", qmcpy_rows),
}


def rare(generator, size):
    return (generator.random(size) < 1e-4).astype(float)


def fair(generator, size):
    return (generator.random(size) < 0.5).astype(float)


def arcsine(generator, size):
    return generator.beta(0.1, 0.1, size)


LAWS = {rare: "Bernoulli(1e-4)", fair: "Bernoulli(0.5)", arcsine: "Beta(0.1, 0.1)"}


def exact_coverage(name, interval, n, p, promised):
    """The probability of all counts whose interval has p, counts of probability below 1e-12 left out as covered."""
    missed = 0.0
    for k in range(n + 1):
        weight = binom.pmf(k, n, p)
        if weight > 1e-12:
            low, high = interval(k, n)
            missed += 0.0 if low <= p <= high else weight
    holds = missed <= 1 - CONFIDENCE + 1e-9 or (False if promised else None)
    return Row(f"{name}: Bernoulli({p:g}), n = {n}", "95% or more", f"{100 * (1 - missed):.2f}%", holds)


def simulated_coverage(name, interval, n, repeats, law, mean, promised):
    """How many of the intervals of `repeats` samples have the mean; NaN and an error count as a miss."""
    generator = np.random.default_rng(20_240_501)
    faults = [fault(interval, law(generator, n), mean) for _ in range(repeats)]
    return coverage(f"{name}: {LAWS[law]}, n = {n}", faults, promised)


def at_all_times(name, sequence, n, repeats):
    """How many sequences have the mean at every number of observations up to n."""
    generator = np.random.default_rng(20_240_502)
    faults = [fault(sequence, fair(generator, n), 0.5) for _ in range(repeats)]
    return coverage(f"{name}: Bernoulli(0.5), looked at for n = 1 ... {n}", faults, True)


def fault(interval, values, mean):
    """Why the interval, or one of the sequence, does not have the mean; "" where it has."""
    try:
        low, high = map(np.asarray, interval(values))
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    if np.any(np.isnan(low) | np.isnan(high)):
        return "NaN"
    return "" if np.all((low <= mean) & (mean <= high)) else "off"


def coverage(test, faults, promised):
    misses = [why for why in faults if why]
    holds = bool(len(misses) <= binom.isf(1e-6, len(faults), 1 - CONFIDENCE)) or (False if promised else None)
    special = [why for why in misses if why != "off"]
    why = f"; {len(special)} by {special[-1]}" if special else ""
    return Row(test, "95% or more", f"{100 * (1 - len(misses) / len(faults)):.1f}% of {len(faults)}{why}", holds)


def looking(name, interval, n=1000, p=0.5):
    """The exact probability that an interval for one n has p at every n up to `n`: paths die where it has not."""
    alive = np.array([1.0])
    for size in range(1, n + 1):
        alive = np.append(alive * (1 - p), 0.0) + np.append(0.0, alive * p)
        low, high = interval(np.arange(size + 1), size)
        alive[(low > p) | (high < p)] = 0.0
    got = f"{100 * alive.sum():.1f}%"
    return Row(f"{name}: Bernoulli({p:g}), looked at for n = 1 ... {n}", "95% or more", got, None)


def last_bit(name, interval, alpha, largest=30):
    """How many ends, taken as exact rationals, cut off more than alpha / 2: the tail is summed in rationals."""
    inside = total = 0
    for n in range(1, largest + 1):
        for k in range(n + 1):
            low, high = (Fraction(float(end)) for end in interval(k, n))
            inside += k > 0 and upper_tail(n, k, low) > alpha / 2
            inside += k < n and upper_tail(n, n - k, 1 - high) > alpha / 2
            total += (k > 0) + (k < n)
    return inwards(f"{name}, all counts up to n = {largest}", inside, total)


def upper_tail(n, k, p):
    return sum(comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1))


def inwards(name, inside, total):
    return Row(f"{name}: rounding", "no end on the wrong side", f"{inside} of {total}", inside == 0 or None)


def refusal(name, interval):
    """Values up to 10 given to a method for [0, 1]."""
    values = 10 * np.random.default_rng(3).random(100)
    expected = "an error that names the value"
    try:
        low, high = interval(values)
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else "no message"
        return Row(f"{name}: values off [0, 1]", expected, f"{type(error).__name__}: {said}", said != "no message")
    return Row(f"{name}: values off [0, 1]", expected, f"[{low:.3g}, {high:.3g}], mean {values.mean():.3g}", False)


def contradiction(name, interval):
    """200 zeros, then 200 ones: an interval says that a mean fits; where none does, that should be said."""
    test, expected = f"{name}: 200 zeros, then 200 ones", "an interval, or word that it is empty"
    try:
        low, high = interval(np.r_[np.zeros(200), np.ones(200)])
    except Exception as error:
        return Row(test, expected, f"{type(error).__name__}: {error}".splitlines()[0], False)
    return Row(test, expected, f"[{low:.4f}, {high:.4f}]", bool(low <= high))


def last(ends):
    return float(ends[0][-1]), float(ends[1][-1])


def crossed(ends):
    return max(ends[0]), min(ends[1])


def memory():
    """Seconds and peak memory of a betting sequence, in a process of its own with at most MEMORY bytes."""
    program = (
        "import numpy as np, resource, time; from confseq.betting import betting_cs;"
        f"resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}));"
        "values = np.random.default_rng(1).random({n}); start = time.perf_counter(); betting_cs(values);"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20;"
        "print(f'{{time.perf_counter() - start:.0f}} s, {{peak:.1f}} GiB')"
    )
    for n in (100_000, 1_000_000):
        command = [sys.executable, "-W", "ignore", "-c", program.format(n=n)]
        done = subprocess.run(command, capture_output=True, text=True)
        got = done.stdout.strip() or done.stderr.strip().splitlines()[-1]
        yield Row(f"betting_cs: n = {n:,}", f"below {MEMORY >> 30} GiB", got, done.returncode == 0)


def rows(name):
    """(version, rows) of a package; one row where it cannot be imported, none where it is not installed."""
    module, tests = PACKAGES[name]
    try:
        found = version(name)
    except PackageNotFoundError:
        return "", []
    try:
        import_module(module)
    except Exception as error:
        return found, [Row(f"import {module}", "imports", f"{type(error).__name__}: {error}".splitlines()[0], False)]
    return found, list(tests())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="also writes the table here, as Markdown")
    output = parser.parse_args().output
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    console = Console()
    lines = [f"Python {python_version()}, NumPy {np.__version__}", "", "| package | test | expected | got | verdict |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for name in PACKAGES:
        found, tested = rows(name)
        if not tested:
            console.print(f"{name} is not installed: skipped")
            continue
        table = Table("test", "expected", "got", "verdict", title=f"{name} {found}", title_justify="left")
        for row in tested:
            table.add_row(row.test, row.expected, row.got, row.verdict)
            lines.append(f"| {name} {found} | {row.test} | {row.expected} | {row.got} | {row.verdict} |")
        console.print(table)
    if output:
        output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
