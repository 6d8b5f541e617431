"""Products of matrices in float32, a block of eight rows at a time in registers.

    c[i][j] (+)= sum_k a[i][k] b[k][j]        i < 8,   j < 16 or 32,   k < depth

product_1 and product_2 set c in one or two vectors of 16 columns, add_product_1 and add_product_2 add to it. Arguments:
a, where it starts, the distances of its rows and of its k; b, where it starts, the distances of its k and of its
vectors; c, where it starts, the distance of its rows; depth, at least 1.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
ROWS = 8


def _product(vectors, add):
    """c[i][j] (+)= sum_k a[i][k] b[k][j] for eight rows i and `vectors` vectors j, all in registers."""

    @intrinsic
    def product(typing, a, a_at, a_row, a_step, b, b_at, b_step, b_vector, c, c_at, c_row, depth):
        def generate(context, builder, signature, arguments):
            i32, i64, number = ir.IntType(32), ir.IntType(64), ir.FloatType()
            vector = ir.VectorType(number, LANES)
            arrays = [context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 4, 8)]
            _, a_at, a_row, a_step, _, b_at, b_step, b_vector, _, c_at, c_row, depth = arguments
            kind = ir.FunctionType(vector, [vector] * 3)
            multiply_add = cgutils.get_or_insert_function(builder.module, kind, "llvm.fmuladd.v16f32")

            def whole(array, offset):
                return builder.bitcast(builder.gep(array, [offset]), vector.as_pointer())

            def plus(base, count, stride):
                return builder.add(base, builder.mul(ir.Constant(i64, count), stride))

            places = [
                [
                    whole(arrays[2], builder.add(plus(c_at, i, c_row), ir.Constant(i64, j * LANES)))
                    for j in range(vectors)
                ]
                for i in range(ROWS)
            ]
            if add:
                starts = [[builder.load(place, align=4) for place in row] for row in places]
            else:
                starts = [[ir.Constant(vector, [0.0] * LANES)] * vectors] * ROWS
            before = builder.block
            loop, done = builder.append_basic_block("depth"), builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(i64)
            k.add_incoming(ir.Constant(i64, 0), before)
            sums = [[builder.phi(vector) for _ in row] for row in starts]
            b_now = builder.add(b_at, builder.mul(k, b_step))
            a_now = builder.add(a_at, builder.mul(k, a_step))
            right = [builder.load(whole(arrays[1], plus(b_now, j, b_vector)), align=4) for j in range(vectors)]
            zeros = ir.Constant(ir.VectorType(i32, LANES), [0] * LANES)
            after = []
            for i in range(ROWS):
                left = builder.load(builder.gep(arrays[0], [plus(a_now, i, a_row)]))
                left = builder.insert_element(ir.Constant(vector, ir.Undefined), left, ir.Constant(i32, 0))
                left = builder.shuffle_vector(left, left, zeros)
                after.append([builder.call(multiply_add, [left, right[j], sums[i][j]]) for j in range(vectors)])
            following = builder.add(k, ir.Constant(i64, 1))
            k.add_incoming(following, builder.block)
            for i in range(ROWS):
                for j in range(vectors):
                    sums[i][j].add_incoming(starts[i][j], before)
                    sums[i][j].add_incoming(after[i][j], builder.block)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, done)
            builder.position_at_end(done)
            for i in range(ROWS):
                for j in range(vectors):
                    builder.store(after[i][j], places[i][j], align=4)
            return context.get_dummy_value()

        whole_number = types.intp
        at = (whole_number,) * 3
        return types.void(a, *at, b, *at, c, whole_number, whole_number, whole_number), generate

    return product


product_1, product_2 = _product(1, False), _product(2, False)
add_product_1, add_product_2 = _product(1, True), _product(2, True)
