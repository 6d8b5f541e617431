"""What generated code may do with `Floats` beyond sums and products: quotients, comparisons, choices and functions.

Every operation is the same instructions in every lane, and an operand that is a scalar is spread over the lanes.
"""

import operator
from inspect import signature

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model

from sojourn.kernels import elementary
from sojourn.kernels.float_vectors import Floats, _binary, _signature, _spread
from sojourn.kernels.lanes import Lanes

__all__ = ["absolute", "choose", "maximum", "minimum", "power", "sign", "spread", "sqrt", "whole_power"]
__all__ += ["atan", "cos", "cosh", "erf", "exp", "log", "sin", "sinh", "tan", "tanh"]

_binary(operator.truediv, "fdiv")


@intrinsic
def spread(typing, like, scalar):
    """A vector of the type of the array `like` with one number, rounded, in all lanes; a vector stays."""
    kind = Floats(like.dtype)
    if isinstance(scalar, Floats):
        return kind(like, scalar), lambda context, builder, signature, arguments: arguments[1]

    def generate(context, builder, signature, arguments):
        value = ir.Constant(ir.VectorType(context.get_value_type(kind.dtype), kind.lanes), ir.Undefined)
        return _spread(context, builder, kind(kind, signature.args[1]), [value, arguments[1]])[1]

    return kind(like, types.unliteral(scalar)), generate


# ------------------------------------------------------------------------------------------------- truth values


class Truths(types.Type):
    """The Numba type of a truth value in every lane of a `Floats`."""

    def __init__(self, lanes):
        self.lanes = lanes
        super().__init__(name=f"Truths({lanes})")


@register_model(Truths)
class _TruthsModel(models.PrimitiveModel):
    def __init__(self, manager, numba_type):
        super().__init__(manager, numba_type, ir.VectorType(ir.IntType(1), numba_type.lanes))


def _comparison(python_operator, sign):
    @intrinsic
    def apply(typing, a, b):
        floats = _signature(a, b)

        def generate(context, builder, signature, arguments):
            a, b = (Lanes(builder, value) for value in _spread(context, builder, floats, arguments))
            return a.compare(sign, b).value

        return Truths(floats.return_type.lanes)(*floats.args), generate

    @overload(python_operator)
    def resolve(a, b):
        if isinstance(a, Floats) or isinstance(b, Floats):
            return lambda a, b: apply(a, b)


for _operator, _sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="), ("eq", "=="), ("ne", "!=")):
    _comparison(getattr(operator, _operator), _sign)


def _logical(python_operator, instruction):
    @intrinsic
    def apply(typing, a, b):
        def generate(context, builder, signature, arguments):
            return getattr(builder, instruction)(*arguments)

        return a(a, b), generate

    @overload(python_operator)
    def resolve(a, b):
        if isinstance(a, Truths) and isinstance(b, Truths):
            return lambda a, b: apply(a, b)


_logical(operator.and_, "and_")
_logical(operator.or_, "or_")
_logical(operator.xor, "xor")


@intrinsic
def choose(typing, truths, yes, no):
    """yes where True, no elsewhere; at least one of them is a vector."""
    floats = _signature(yes, no)

    def generate(context, builder, signature, arguments):
        return builder.select(arguments[0], *_spread(context, builder, floats, arguments[1:]))

    return floats.return_type(truths, *floats.args), generate


# ------------------------------------------------------------------------------------------------- functions


def _function(formula):
    """The Numba form of a formula on `Lanes` of one argument or two."""

    def code(floats):
        def generate(context, builder, signature, arguments):
            return formula(*(Lanes(builder, value) for value in _spread(context, builder, floats, arguments))).value

        return floats, generate

    if len(signature(formula).parameters) == 1:

        @intrinsic
        def apply(typing, x):
            return code(_signature(x))

    else:

        @intrinsic
        def apply(typing, x, y):
            return code(_signature(x, y))

    return apply


@intrinsic(prefer_literal=True)
def whole_power(typing, x, exponent):
    """x to a whole number that is known beforehand, by squaring."""
    if isinstance(exponent, types.IntegerLiteral):

        def generate(context, builder, signature, arguments):
            return elementary.whole_power(Lanes(builder, arguments[0]), exponent.literal_value).value

        return x(x, exponent), generate


sqrt, absolute, sign = _function(elementary.sqrt), _function(elementary.absolute), _function(elementary.sign)
maximum, minimum = _function(elementary.maximum), _function(elementary.minimum)
exp, log, power = _function(elementary.exp), _function(elementary.log), _function(elementary.power)
sin, cos, tan = _function(elementary.sin), _function(elementary.cos), _function(elementary.tan)
sinh, cosh, tanh = _function(elementary.sinh), _function(elementary.cosh), _function(elementary.tanh)
atan, erf = _function(elementary.atan), _function(elementary.erf)
