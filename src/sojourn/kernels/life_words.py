"""Eight 64-bit words side by side: a Numba type for LLVM's ``<8 x i64>``.

Written with explicit vectors a loop body is one AVX-512 instruction per line on machines that have it, two AVX2 or
four NEON instructions elsewhere. (LLVM's own vectoriser stops at 256 bits on most AVX-512 processors.)
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 8
ALIGNMENT = 64  # bytes

_I64 = ir.IntType(64)
_VECTOR = ir.VectorType(_I64, LANES)


class Words(types.Type):
    """The Numba type of eight words."""

    def __init__(self):
        super().__init__(name="Words")


words = Words()


@register_model(Words)
class _WordsModel(models.PrimitiveModel):
    def __init__(self, manager, numba_type):
        super().__init__(manager, numba_type, _VECTOR)


def _address(context, builder, array_type, array, offset):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


@intrinsic
def load(typing, array, offset):
    """Eight words of ``array`` (1-D, uint64) from ``offset``, which must lie on a 64-byte boundary."""

    def generate(context, builder, signature, arguments):
        return builder.load(_address(context, builder, signature.args[0], *arguments), align=ALIGNMENT)

    return words(array, types.intp), generate


@intrinsic
def store(typing, array, offset, value):
    """Put eight words into ``array`` at ``offset``, which must lie on a 64-byte boundary."""

    def generate(context, builder, signature, arguments):
        target = _address(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], target, align=ALIGNMENT)
        return context.get_dummy_value()

    return types.void(array, types.intp, words), generate


def _broadcast(builder, scalar):
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, first, lanes)


@intrinsic
def fill(typing, word):
    """Eight copies of one word."""

    def generate(context, builder, signature, arguments):
        return _broadcast(builder, arguments[0])

    return words(types.uint64), generate


def _binary(python_operator, instruction):
    @intrinsic
    def apply(typing, a, b):
        def generate(context, builder, signature, arguments):
            return getattr(builder, instruction)(*arguments)

        return words(words, words), generate

    @overload(python_operator)
    def resolve(a, b):
        if isinstance(a, Words) and isinstance(b, Words):
            return lambda a, b: apply(a, b)


_binary(operator.xor, "xor")
_binary(operator.and_, "and_")
_binary(operator.or_, "or_")


def _shift(instruction):
    @intrinsic
    def shift(typing, value, count):
        def generate(context, builder, signature, arguments):
            return getattr(builder, instruction)(arguments[0], _broadcast(builder, arguments[1]))

        return words(words, types.uint64), generate

    return shift


shift_left = _shift("shl")
shift_right = _shift("lshr")


def _rotate(llvm_name):
    @intrinsic
    def rotate(typing, value):
        def generate(context, builder, signature, arguments):
            function_type = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
            function = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.{llvm_name}.v8i64")
            return builder.call(function, [arguments[0], arguments[0], ir.Constant(_VECTOR, [1] * LANES)])

        return words(words), generate

    return rotate


rotate_left = _rotate("fshl")  # by one bit
rotate_right = _rotate("fshr")


def _permute(source):
    @intrinsic
    def permute(typing, value):
        def generate(context, builder, signature, arguments):
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), source)
            return builder.shuffle_vector(arguments[0], arguments[0], lanes)

        return words(words), generate

    return permute


from_lane_before = _permute([7, 0, 1, 2, 3, 4, 5, 6])
from_lane_after = _permute([1, 2, 3, 4, 5, 6, 7, 0])


def ternary(table, formula):
    """A Boolean function of three vectors, bit by bit.

    ``table`` has bit 4a + 2b + c set where f(a, b, c) = 1: AVX-512 evaluates it as one instruction. ``formula`` is
    the same function in plain operations, ``formula(builder, a, b, c)``, for other machines.
    """

    @intrinsic
    def function(typing, a, b, c):
        def generate(context, builder, signature, arguments):
            return emit_ternary(context, builder, table, formula, arguments)

        return words(words, words, words), generate

    return function


def emit_ternary(context, builder, table, formula, arguments):
    """The instructions of `ternary`, for code that writes its own."""
    if "+avx512f" not in context.codegen().magic_tuple()[2].split(","):
        return formula(builder, *arguments)
    i32 = ir.IntType(32)
    function_type = ir.FunctionType(_VECTOR, [_VECTOR] * 3 + [i32])
    instruction = cgutils.get_or_insert_function(builder.module, function_type, "llvm.x86.avx512.pternlog.q.512")
    return builder.call(instruction, [*arguments, ir.Constant(i32, table)])


def emit_select(context, builder, mask, yes, no):
    """The instructions of `select`."""
    return emit_ternary(context, builder, 0b11001010, _select, [mask, yes, no])


def _xor3(b, x, y, z):
    return b.xor(b.xor(x, y), z)


def _majority(b, x, y, z):
    return b.xor(x, b.and_(b.xor(x, y), b.xor(x, z)))


def _select(b, mask, yes, no):
    return b.xor(no, b.and_(mask, b.xor(yes, no)))


xor3 = ternary(0b10010110, _xor3)
majority = ternary(0b11101000, _majority)
select = ternary(0b11001010, _select)  # mask ? yes : no


# ---------------------------------------------------------------------------- words shared between threads


def _element(context, builder, array_type, array, index):
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


@intrinsic
def read_shared(typing, array, index):
    """``array[index]`` (int64), and with it all that its writer wrote before."""

    def generate(context, builder, signature, arguments):
        return builder.load_atomic(_element(context, builder, signature.args[0], *arguments), "acquire", 8)

    return types.int64(array, types.intp), generate


@intrinsic
def write_shared(typing, array, index, value):
    def generate(context, builder, signature, arguments):
        target = _element(context, builder, signature.args[0], *arguments[:2])
        builder.store_atomic(arguments[2], target, "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), generate


@intrinsic
def claim(typing, array, index, expected, value):
    """Put ``value`` where ``expected`` stands; False where another thread was faster."""

    def generate(context, builder, signature, arguments):
        target = _element(context, builder, signature.args[0], *arguments[:2])
        outcome = builder.cmpxchg(target, arguments[2], arguments[3], "acq_rel", "acquire")
        return builder.extract_value(outcome, 1)

    return types.boolean(array, types.intp, types.int64, types.int64), generate
