"""What is proved, what only holds, what is refused: small derivations of one or a few lines."""

import sys
from pathlib import Path

import pytest

from sojourn import cli
from sojourn.derivations import check, typeset
from sojourn.errors import InputError


def derivation(tmp_path: Path, given: list[str], steps: list[str]) -> Path:
    path = tmp_path / "mine.md"
    lines = ["# Mine", "", *(f"- {item}" for item in given), "", "$$", *steps, "$$", ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def outcome(tmp_path, given, step):
    """The status of a single step, or the counterexample."""
    checked = check(derivation(tmp_path, given, [step]))
    return checked.counterexample or checked.verdicts[-1].status


@pytest.mark.parametrize(
    ("given", "step", "status"),
    [
        ([], r"(a + b)^2 = a^2 + 2 a b + b^2", "proved"),
        ([r"$x > 0$"], r"\log x^2 = 2 \log x", "proved"),
        ([r"$x \in \mathbb{R}^d$"], r"\nabla_x \|x\|^2 = 2 x", "proved"),
        ([r"$x \in \mathbb{R}^d$"], r"\nabla_x \cdot x = d", "proved"),
        ([r"$u(r) = \log r$", "$r > 0$"], r"\frac{1}{r} \frac{d}{dr} \left(r \frac{du}{dr}\right) = 0", "proved"),
        ([r"$u(x, t) = e^{-t} \sin x$"], r"\frac{\partial u}{\partial t} = \partial_x^2 u", "proved"),
        ([r"$x \in \mathbb{R}^d$", r"$f(x) = \|x\|^2$"], r"\nabla f = 2 x", "proved"),
        ([r"$f: \mathbb{R} \to \mathbb{R}$"], r"\frac{d}{dx} f(x)^2 = 2 f(x) f'(x)", "proved"),
        ([r"$Z \sim \mathcal{N}(m, s^2)$", "$s > 0$"], r"\mathbb{E}[e^{u Z}] = e^{u m + u^2 s^2 / 2}", "proved"),
        ([r"$Z \sim \mathcal{N}(0, 1)$"], r"\mathbb{E}[\tanh(Z)] = 0", "holds"),
        ([r"$X \sim \mathrm{Exp}(\lambda)$", r"$\lambda > 0$"], r"\mathbb{E}[X^3] = 6 / \lambda^3", "proved"),
        ([r"$X \sim \mathrm{Poisson}(\lambda)$", r"$0 < \lambda < 2$"], r"\operatorname{Var}[X] = \lambda", "holds"),
        ([r"$X \sim U(a, b)$", "$a < b$"], r"\operatorname{Var}[X] = \frac{(b - a)^2}{12}", "proved"),
        ([r"$X \sim \mathcal{N}(0, 1)$", "$t > 0$"], r"P(|X| \ge t) \le 2 e^{-t^2 / 2}", "holds"),
        ([r"$p: \mathbb{R} \to \mathbb{R}$", r"$x \sim p$"], r"\mathbb{E}[\partial_x \log p(x)] = 0", "holds"),
        (["$n = 3$", r"$1 \le i \le n$"], r"\sum_{i=1}^{n} i = \frac{n (n + 1)}{2}", "proved"),
        ([r"$dX = \mu X\,dt + \sigma X\,dW$"], r"(dX)^2 = \sigma^2 X^2\,dt", "proved"),
        ([r"$\frac{du}{dt} = -k u$"], r"\frac{d}{dt} u^2 = -2 k u^2", "proved"),
        ([r"$\epsilon \sim \mathcal{N}(0, 1)$", r"$\eta \sim \mathcal{N}(0, 1)$"],
         r"3 \epsilon + 4 \eta \overset{d}{=} 5 \epsilon", "holds"),
    ],
)  # fmt: skip
def test_true_lines(tmp_path, given, step, status):
    assert outcome(tmp_path, given, step) == status


@pytest.mark.parametrize(
    ("given", "step"),
    [
        ([], r"(a + b)^2 = a^2 + b^2"),
        ([r"$Z \sim \mathcal{N}(0, 1)$"], r"\mathbb{E}[Z^4] = 2"),
        ([r"$x \in \mathbb{R}^d$"], r"\nabla_x \|x\|^2 = x"),
        ([r"$u(r) = r^2$"], r"\frac{du}{dr} = r"),
        ([r"$dX = \mu X\,dt + \sigma X\,dW$"], r"d(X^2) = 2 X\,dX"),
        ([r"$X \sim \mathcal{N}(0, 1)$", "$t > 0$"], r"P(X \ge t) \le \frac{1}{4} e^{-t^2 / 2}"),
        ([r"$\epsilon \sim \mathcal{N}(0, 1)$", r"$\eta \sim \mathcal{N}(0, 1)$"],
         r"3 \epsilon + 4 \eta \overset{d}{=} 7 \epsilon"),
    ],
)  # fmt: skip
def test_false_lines_have_a_counterexample(tmp_path, given, step):
    found = outcome(tmp_path, given, step)
    assert found.line == 5 + len(given)
    assert abs(found.left - found.right) > 1e-6
    assert "does not follow" in str(found)


def test_equality_in_law_is_offered_for_equality(tmp_path):
    given = [r"$\epsilon \sim \mathcal{N}(0, 1)$", r"$\eta \sim \mathcal{N}(0, 1)$"]
    assert r"\overset{d}{=}" in str(outcome(tmp_path, given, r"3 \epsilon + 4 \eta = 5 \epsilon"))


def test_a_line_may_say_that_it_is_not_checked(tmp_path):
    path = derivation(tmp_path, [], [r"a = b \quad \text{unchecked: by a theorem}"])
    assert [verdict.status for verdict in check(path).verdicts] == ["not checked"]


@pytest.mark.parametrize(
    ("given", "step", "said"),
    [
        ([], r"a \approx b", "cannot be checked"),
        ([], r"g(x \mid y) = 1", "is not known; define it"),
        ([], r"\mathbb{E}_{x}[x] = 0", "x is not random; give its law"),
        ([r"$x \in \mathbb{R}^d$"], r"x = 1", "the left side is a vector of 2 and the right side a number"),
        ([r"$x < 0$"], r"\log x = y", "is not a real number at the points tried"),
        ([r"$X \sim \mathrm{any}$"], r"\mathbb{E}[X] = 0", "X has any law, but no range"),
        ([r"$u(x, t) = x t$"], r"u = x t", "the function u stands without its argument; write u(x, t)"),
        ([r"$f(x) = x^2$"], r"\frac{df}{dm} = 2 x", "the function f stands without its argument; write f(x)"),
        ([r"$m \in \mathbb{R}^d$, $q(x) = \mathcal{N}(x; m, I)$"], r"\mathbb{E}_{q}[\|x\|^2] = d", "the vector's size"),
        ([r"$X \sim \mathcal{N}(0, 1)$"], r"\operatorname{Cov}[X] = 1", "E and Var are of one, Cov of two"),
        ([r"$a > 1$", r"$a < 0$"], r"a = a + 0 b", "no numbers were found that satisfy all bounds"),
        ([], r"\frac{1}{0} = a", "a denominator is 0"),
    ],
)
def test_what_cannot_be_checked_is_one_line(tmp_path, given, step, said):
    with pytest.raises(InputError) as caught:
        check(derivation(tmp_path, given, [step]))
    message = str(caught.value)
    assert said in message
    assert message.startswith(f"{tmp_path / 'mine.md'}:{5 + len(given)}: ")
    assert "\n" not in message


def test_the_command_line(tmp_path, monkeypatch, capsys):
    path = derivation(tmp_path, [], ["a + a = 2 a", "= 3 a"])
    monkeypatch.setattr(sys, "argv", ["sojourn", "derive", "check", str(path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    shown = next(line for line in out.splitlines() if "a + a" in line)
    assert shown.split()[:3] == ["5", "✓", "proved"]
    assert f"{path}:6: does not follow" in " ".join(err.split())


def test_a_wrong_derivation_is_not_typeset_and_a_right_one_is_checked_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SOJOURN_CHECKED", str(tmp_path / "checked"))
    with pytest.raises(InputError, match="does not follow"):
        typeset(derivation(tmp_path, [], ["a = a + 1"]), "en")
    path = derivation(tmp_path, [], ["a + a = 2 a"])
    first = typeset(path, "en")
    monkeypatch.setattr("sojourn.derivations.checking.check", None)  # not needed again
    assert typeset(path, "en") == first
    assert typeset(path, "zh") != first
