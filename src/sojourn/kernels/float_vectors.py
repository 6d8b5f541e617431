"""Sixteen float32 or eight float64 side by side: Numba types for LLVM's ``<16 x float>`` and ``<8 x double>``.

Written with explicit vectors a loop body is one AVX-512 instruction per operation on machines that have it, two AVX or
four NEON instructions elsewhere. (LLVM's own vectoriser stops at 256 bits on most AVX-512 processors.) There is no
remainder of a row to treat otherwise: rows are padded, so all cells get the same instructions. An operand that is a
scalar is rounded to the lanes' precision and spread over them.
"""

import operator

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

BYTES = 64


class Floats(types.Type):
    """The Numba type of 64 bytes of one floating-point type."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.lanes = BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Floats({dtype})")


@register_model(Floats)
class _FloatsModel(models.PrimitiveModel):
    def __init__(self, manager, numba_type):
        super().__init__(manager, numba_type, _vector(numba_type))


def _vector(numba_type):
    return ir.VectorType(ir.FloatType() if numba_type.dtype == types.float32 else ir.DoubleType(), numba_type.lanes)


def _address(context, builder, array_type, array, offset):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _vector(Floats(array_type.dtype)).as_pointer())


@intrinsic
def load(typing, array, offset):
    """The values of ``array`` (1-D, contiguous) from ``offset`` on, which need not be aligned."""

    def generate(context, builder, signature, arguments):
        array_type = signature.args[0]
        return builder.load(_address(context, builder, array_type, *arguments), align=array_type.dtype.bitwidth // 8)

    return Floats(array.dtype)(array, types.intp), generate


@intrinsic
def store(typing, array, offset, value):
    """Put a vector into ``array`` at ``offset``, which need not be aligned."""

    def generate(context, builder, signature, arguments):
        array_type = signature.args[0]
        target = _address(context, builder, array_type, *arguments[:2])
        builder.store(arguments[2], target, align=array_type.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, Floats(array.dtype)), generate


def _signature(*operands):
    result = next(operand for operand in operands if isinstance(operand, Floats))
    return result(*map(types.unliteral, operands))


def _spread(context, builder, signature, arguments):
    """The arguments as vectors of the result's type."""
    vector_type = signature.return_type
    i32 = ir.IntType(32)
    vectors = []
    for numba_type, value in zip(signature.args, arguments, strict=True):
        if numba_type != vector_type:
            scalar = context.cast(builder, value, numba_type, vector_type.dtype)
            first = builder.insert_element(ir.Constant(_vector(vector_type), ir.Undefined), scalar, ir.Constant(i32, 0))
            lanes = ir.Constant(ir.VectorType(i32, vector_type.lanes), [0] * vector_type.lanes)
            value = builder.shuffle_vector(first, first, lanes)
        vectors.append(value)
    return vectors


@intrinsic
def fma(typing, a, b, c):
    """a b + c, rounded once on machines that can do so."""

    def generate(context, builder, signature, arguments):
        vectors = _spread(context, builder, signature, arguments)
        vector = vectors[0].type
        kind = f"v{vector.count}f{signature.return_type.dtype.bitwidth}"
        function_type = ir.FunctionType(vector, [vector] * 3)
        function = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.fmuladd.{kind}")
        return builder.call(function, vectors)

    return _signature(a, b, c), generate


def _binary(python_operator, instruction):
    @intrinsic
    def apply(typing, a, b):
        def generate(context, builder, signature, arguments):
            return getattr(builder, instruction)(*_spread(context, builder, signature, arguments))

        return _signature(a, b), generate

    @overload(python_operator)
    def resolve(a, b):
        if isinstance(a, Floats) or isinstance(b, Floats):
            return lambda a, b: apply(a, b)


_binary(operator.add, "fadd")
_binary(operator.sub, "fsub")
_binary(operator.mul, "fmul")


@intrinsic
def _negate(typing, a):
    def generate(context, builder, signature, arguments):
        return builder.fneg(arguments[0])

    return a(a), generate


@overload(operator.neg)
def _resolve_negation(a):
    if isinstance(a, Floats):
        return lambda a: _negate(a)


# ------------------------------------------------------------------------------ numbers too small for full precision

_TINY_IS_ZERO = 0x8040  # of MXCSR: results flush to zero, operands count as zero


@intrinsic
def _exchange_mode(typing, bits, keep):
    """Set this thread's MXCSR to (old & keep) | bits; the old one. Does nothing on machines that have none."""

    def generate(context, builder, signature, arguments):
        i32 = ir.IntType(32)
        if not builder.module.triple.startswith(("x86", "i")):
            return ir.Constant(i32, 0)
        cell = cgutils.alloca_once(builder, i32)
        pointer = builder.bitcast(cell, ir.IntType(8).as_pointer())
        function_type = ir.FunctionType(ir.VoidType(), [pointer.type])
        builder.call(cgutils.get_or_insert_function(builder.module, function_type, "llvm.x86.sse.stmxcsr"), [pointer])
        old = builder.load(cell)
        builder.store(builder.or_(builder.and_(old, arguments[1]), arguments[0]), cell)
        builder.call(cgutils.get_or_insert_function(builder.module, function_type, "llvm.x86.sse.ldmxcsr"), [pointer])
        return old

    return types.uint32(types.uint32, types.uint32), generate


@njit(cache=True)
def count_tiny_as_zero():
    """In this thread, subnormal numbers are zero from now on; returns the mode to go back to."""
    return _exchange_mode(_TINY_IS_ZERO, 0xFFFFFFFF)


@njit(cache=True)
def restore_mode(mode):
    _exchange_mode(mode & _TINY_IS_ZERO, 0xFFFFFFFF ^ _TINY_IS_ZERO)
