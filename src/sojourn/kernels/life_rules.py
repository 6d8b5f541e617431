"""One generation of one column of words: the cell rules, and the walk down a column that applies them.

A walk reads three columns of a block (the words to the west, the words themselves, the words to the east), keeps what
it needs of three successive rows in registers, and so visits every row once.
"""

from llvmlite import ir
from numba import njit
from numba.core import cgutils
from numba.extending import intrinsic

from sojourn.kernels.life_words import (
    _VECTOR,
    emit_select,
    fill,
    from_lane_after,
    from_lane_before,
    load,
    majority,
    select,
    store,
    ternary,
    words,
    xor3,
)

CONWAY, OUTER_TOTALISTIC, TABLE = 0, 1, 2
FRAME = 32  # words at the start of a workspace: see `above_first`
SCRATCH = 64 * 8  # words after them: see `_look_up`, and `_transpose` in `life_stripes`


@njit
def sweep(kind, rule, space, first, columns, height, rightward):
    """Advance the columns from ``first`` on (an offset into ``space``) by one generation.

    The columns before the first and after the last are given. Rightward, a column's successor is put one place left of
    it, over a column no longer needed; leftward, one place right.
    """
    if kind == CONWAY:
        _sweep_conway(rule, space, first, columns, height, rightward)
    elif kind == OUTER_TOTALISTIC:
        _sweep_totalistic(rule, space, first, columns, height, rightward)
    else:
        _sweep_table(rule, space, first, columns, height, rightward)


@njit(forceinline=True)
def _sweep(summary, cell, rule, space, first, columns, height, rightward):
    stride = 8 * height
    here, move = (first, stride) if rightward else (first + (columns - 1) * stride, -stride)
    for _ in range(columns):
        _walk(summary, cell, rule, space, here, here - move, stride)
        here += move


@njit(forceinline=True)
def _walk(summary, cell, rule, space, here, target, stride):
    west, east, last = here - stride, here + stride, stride - 8
    row = summary(load(space, west + last), load(space, here + last), load(space, east + last))
    above = (above_first(space, row[0]), above_first(space, row[1]), above_first(space, row[2]))
    row = summary(load(space, west), load(space, here), load(space, east))
    foot = (below_last(space, row[0]), below_last(space, row[1]), below_last(space, row[2]))
    for y in range(8, stride, 8):
        below = summary(load(space, west + y), load(space, here + y), load(space, east + y))
        store(space, target + y - 8, cell(rule, space, above, row, below))
        above = row
        row = below
    store(space, target + last, cell(rule, space, above, row, foot))


@njit(forceinline=True)
def above_first(space, value):
    """The row above the first: the last row of the lane before, or of the same lane, or dead cells."""
    return (from_lane_before(value) & load(space, 0)) | (value & load(space, 16))


@njit(forceinline=True)
def below_last(space, value):
    return (from_lane_after(value) & load(space, 8)) | (value & load(space, 16))


# ---------------------------------------------------------------------------- a row's part in the counts


@njit(forceinline=True)
def _row_sum(west, here, east):
    """W + C + E as two bits, and C."""
    return xor3(west, here, east), majority(west, here, east), here


@njit(forceinline=True)
def _row_cells(west, here, east):
    return west, here, east


# ------------------------------------------------------------------------------------------ cell rules

# Nine cells hold x + 2 (k + y + 2 z) live ones: low bits of the three row sums add to x + 2k, high bits to y + 2z.
_exactly_one = ternary(0b00010110, lambda b, x, y, z: b.and_(b.xor(b.xor(x, y), z), b.not_(b.and_(b.and_(x, y), z))))
# Of the sums that leave the total 3 or 4: none of y and z with x + 2k in {0, 3}, y alone with {1, 2}, z alone with 0.
_three_or_four = ternary(0b01100001, lambda b, one, z, y: b.and_(b.not_(b.xor(b.xor(y, z), one)), b.not_(b.and_(y, z))))
_and_either = ternary(0b11100000, lambda b, candidate, x, y: b.and_(candidate, b.or_(x, y)))


@njit(forceinline=True)
def _conway(rule, space, above, row, below):
    """B3/S23: the nine cells hold three live ones, or four and the centre is one of them."""
    x, k = xor3(above[0], row[0], below[0]), majority(above[0], row[0], below[0])
    y, z = xor3(above[1], row[1], below[1]), majority(above[1], row[1], below[1])
    candidate = _three_or_four(_exactly_one(x, k, z), z, y)  # nine cells hold 3 or 4, or none
    return _and_either(candidate, x, row[2])  # 3 is odd


@njit(forceinline=True)
def _totalistic(rule, space, above, row, below):
    """next = C ? survival[T - 1] : birth[T], where T counts all nine cells; a tree of selections over T's bits."""
    x, k = xor3(above[0], row[0], below[0]), majority(above[0], row[0], below[0])
    y, z = xor3(above[1], row[1], below[1]), majority(above[1], row[1], below[1])
    c = row[2]
    t01 = select(x, select(c, fill(rule[9]), fill(rule[1])), fill(rule[0]))
    t23 = select(x, select(c, fill(rule[11]), fill(rule[3])), select(c, fill(rule[10]), fill(rule[2])))
    t45 = select(x, select(c, fill(rule[13]), fill(rule[5])), select(c, fill(rule[12]), fill(rule[4])))
    t67 = select(x, select(c, fill(rule[15]), fill(rule[7])), select(c, fill(rule[14]), fill(rule[6])))
    t89 = select(x, fill(rule[17]), select(c, fill(rule[16]), fill(rule[8])))
    even = select(z ^ k, t45, select(k, t89, t01))
    odd = select(z, t67, t23)
    return select(k ^ y, odd, even)


@njit(forceinline=True)
def _table(rule, space, above, row, below):
    return _look_up(space, rule, (above[0], above[1], above[2], row[0], row[1], row[2], below[0]), below[1], below[2])


@intrinsic
def _look_up(typing, space, rule, upper, s, se):
    """The table's entry at 256 NW + ... + SE.

    All sixteen functions of (S, SE) go into a small scratch table; ``rule[i]`` is the place in it of the function
    that the upper seven bits i select, and a binary tree of 127 selections selects it.
    """

    def generate(context, builder, signature, arguments):
        space_type, rule_type = signature.args[:2]
        data = context.make_array(space_type)(context, builder, arguments[0]).data
        places = context.make_array(rule_type)(context, builder, arguments[1]).data
        bits = cgutils.unpack_tuple(builder, arguments[2])
        s, se = arguments[3:]
        i64 = ir.IntType(64)

        def at(place):
            return builder.bitcast(builder.gep(data, [place]), _VECTOR.as_pointer())

        minterms = [builder.and_(p, q) for p in (builder.not_(s), s) for q in (builder.not_(se), se)]
        functions = [ir.Constant(_VECTOR, [0] * 8)]
        for function in range(1, 16):
            lowest = (function & -function).bit_length() - 1
            functions.append(builder.or_(functions[function & (function - 1)], minterms[lowest]))
        for number, function in enumerate(functions):
            builder.store(function, at(ir.Constant(i64, FRAME + 8 * number)), align=64)

        def tree(level, index):
            if level == 7:
                place = builder.load(builder.gep(places, [ir.Constant(i64, index)]))
                return builder.load(at(place), align=64)
            no = tree(level + 1, 2 * index)
            yes = tree(level + 1, 2 * index + 1)
            return emit_select(context, builder, bits[level], yes, no)

        return tree(0, 0)

    return words(space, rule, upper, s, se), generate


# ----------------------------------------------------------------------- one compiled walk for each family


@njit
def _sweep_conway(rule, space, first, columns, height, rightward):
    _sweep(_row_sum, _conway, rule, space, first, columns, height, rightward)


@njit
def _sweep_totalistic(rule, space, first, columns, height, rightward):
    _sweep(_row_sum, _totalistic, rule, space, first, columns, height, rightward)


@njit
def _sweep_table(rule, space, first, columns, height, rightward):
    _sweep(_row_cells, _table, rule, space, first, columns, height, rightward)
