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
from decimal import Decimal, localcontext
from fractions import Fraction
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version

import numpy as np
from rich.console import Console
from rich.table import Table

from known_answers import (
    CONFIDENCE,
    Row,
    arcsine,
    at_all_times,
    contradiction,
    coverage,
    crossed,
    exact_coverage,
    fair,
    fault,
    inwards,
    last,
    last_bit,
    looking,
    rare,
    refusal,
    simulated_coverage,
)

COUNTS = ((20, 1e-4), (20, 0.1), (1000, 0.5))
MEMORY = 6 << 30


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
