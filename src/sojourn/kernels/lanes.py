"""Arithmetic on many numbers side by side, as formulas in Python that write LLVM's instructions.

Inside an intrinsic, `Lanes` stands for a vector of LLVM: `a * b + 1` emits a product and a sum of all lanes. A Python
number becomes the same constant in every lane.
"""

from llvmlite import ir

_FLOATS = {32: ir.FloatType(), 64: ir.DoubleType()}


class Lanes:
    """A vector of floating-point numbers, of integers (which wrap), or of truth values."""

    def __init__(self, builder, value):
        self.builder, self.value = builder, value
        self.count, self.element = value.type.count, value.type.element
        self.floating = self.element in _FLOATS.values()
        self.bits = self.element.width if isinstance(self.element, ir.IntType) else _width(self.element)

    # ------------------------------------------------------------------------------------------------- arithmetic

    def __add__(self, other):
        return self._apply("fadd" if self.floating else "add", other)

    def __sub__(self, other):
        return self._apply("fsub" if self.floating else "sub", other)

    def __mul__(self, other):
        return self._apply("fmul" if self.floating else "mul", other)

    def __truediv__(self, other):
        return self._apply("fdiv", other)

    def __rsub__(self, other):
        return self.constant(other) - self

    def __rtruediv__(self, other):
        return self.constant(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return Lanes(self.builder, self.builder.fneg(self.value)) if self.floating else self.constant(0) - self

    def __and__(self, other):
        return self._apply("and_", other)

    def __or__(self, other):
        return self._apply("or_", other)

    def __xor__(self, other):
        return self._apply("xor", other)

    def __invert__(self):
        return self ^ -1

    def __lshift__(self, count):
        return self._apply("shl", count)

    def __rshift__(self, count):
        """Zeros come in from above."""
        return self._apply("lshr", count)

    def shift_signed(self, count):
        """Shifted to the right; copies of the sign come in."""
        return self._apply("ashr", count)

    # ------------------------------------------------------------------------------------------------- comparisons

    def compare(self, operator, other):
        """Truth values; False where a number is NaN, except for !=. Integers count as unsigned."""
        other = self.constant(other)
        if not self.floating:
            return Lanes(self.builder, self.builder.icmp_unsigned(operator, self.value, other.value))
        compare = self.builder.fcmp_unordered if operator == "!=" else self.builder.fcmp_ordered
        return Lanes(self.builder, compare(operator, self.value, other.value))

    def choose(self, yes, no):
        """yes where these truth values are True, no elsewhere; one of them may be a number."""
        yes, no = (yes, yes.constant(no)) if isinstance(yes, Lanes) else (no.constant(yes), no)
        return Lanes(self.builder, self.builder.select(self.value, yes.value, no.value))

    # ------------------------------------------------------------------------------------------------- other forms

    def as_integers(self):
        """The bits of floating-point numbers."""
        return Lanes(self.builder, self.builder.bitcast(self.value, self._vector(ir.IntType(self.bits))))

    def as_floats(self):
        """The floating-point numbers that have these bits."""
        return Lanes(self.builder, self.builder.bitcast(self.value, self._vector(_FLOATS[self.bits])))

    def unsigned_to_floats(self):
        """The nearest floating-point numbers of the same width, for integers from 0 on."""
        return Lanes(self.builder, self.builder.uitofp(self.value, self._vector(_FLOATS[self.bits])))

    def signed_to_floats(self):
        """The nearest floating-point numbers of the same width."""
        return Lanes(self.builder, self.builder.sitofp(self.value, self._vector(_FLOATS[self.bits])))

    def to_integers(self):
        """Integers of the same width, for whole numbers."""
        return Lanes(self.builder, self.builder.fptosi(self.value, self._vector(ir.IntType(self.bits))))

    def resized(self, bits):
        """Floating-point numbers of another width."""
        convert = self.builder.fpext if bits > self.bits else self.builder.fptrunc
        return Lanes(self.builder, convert(self.value, self._vector(_FLOATS[bits])))

    def constant(self, number):
        """A number in all lanes; what is a vector already stays as it is."""
        if isinstance(number, Lanes):
            return number
        number = float(number) if self.floating else int(number)
        return Lanes(self.builder, ir.Constant(self.value.type, [number] * self.count))

    # ------------------------------------------------------------------------------------------------- functions

    def call(self, name, *others):
        """LLVM's function of that name for vectors, such as sqrt."""
        arguments = [self, *map(self.constant, others)]
        vector = self.value.type
        kind = f"v{self.count}{'f' if self.floating else 'i'}{self.bits}"
        function_type = ir.FunctionType(vector, [vector] * len(arguments))
        module = self.builder.module
        full_name = f"llvm.{name}.{kind}"
        function = module.globals.get(full_name) or ir.Function(module, function_type, full_name)
        return Lanes(self.builder, self.builder.call(function, [argument.value for argument in arguments]))

    def fma(self, factor, term):
        """self * factor + term, rounded once where the machine can do so in one instruction."""
        return self.call("fmuladd", factor, term)

    def sqrt(self):
        return self.call("sqrt")

    def absolute(self):
        return self.call("fabs")

    def nearest(self):
        """Rounded to whole numbers, halves to even ones."""
        return self.call("rint")

    def polynomial(self, coefficients):
        """sum_k coefficients[k] x^k by Horner's rule."""
        *rest, last = coefficients
        value = self.constant(last)
        for coefficient in reversed(rest):
            value = value.fma(self, coefficient)
        return value

    def shuffled(self, other, places):
        """Lanes of these two vectors, one after the other, in this order."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
        return Lanes(self.builder, self.builder.shuffle_vector(self.value, other.value, mask))

    def split_integers(self, bits):
        """The same bits as narrower integers, low ones first."""
        narrow = ir.VectorType(ir.IntType(bits), self.count * self.bits // bits)
        return Lanes(self.builder, self.builder.bitcast(self.value, narrow))

    def _apply(self, instruction, other):
        return Lanes(self.builder, getattr(self.builder, instruction)(self.value, self.constant(other).value))

    def _vector(self, element):
        return ir.VectorType(element, self.count)


def spread(builder, scalar, count):
    """`count` copies of a scalar."""
    vector = ir.VectorType(scalar.type, count)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    return Lanes(builder, builder.shuffle_vector(first, first, places))


def _width(element):
    return next(bits for bits, kind in _FLOATS.items() if kind == element)
