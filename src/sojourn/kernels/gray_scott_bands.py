"""How Gray-Scott fields are cut into bands, and how a band advances several steps while a cache holds it.

A member is a stack of *slabs*: rows in two dimensions, planes in three, the whole line in one. A band of slabs takes a
*turn* of several steps by a wavefront: a chunk of slabs is advanced to level 1 (the first stage of the first step),
then the chunk one stencil radius behind it to level 2, and so on; the last level is written to memory. Those between
live in rings of slabs that the second-level cache holds. Where bands meet, both compute what the other's levels need.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numba.extending import overload

from sojourn.kernels.float_vectors import BYTES
from sojourn.kernels.gray_scott_rows import Places, advance_row
from sojourn.kernels.life_words import claim, read_shared, write_shared

_PERIODIC, _NEUMANN, _DIRICHLET = range(3)
BOUNDARIES = {"periodic": _PERIODIC, "neumann": _NEUMANN, "dirichlet": _DIRICHLET}
_CACHE = 1 << 20  # bytes of a second-level cache that may be filled
_CHUNK = 40_000  # bytes of one field that a level advances at a time, about
_STRIP = 32  # vectors of a row, few enough for a first-level cache to hold what their neighbours share
_PATIENCE = 20_000  # sweeps over the tasks, of the order of 0.1 ms


class Layout(NamedTuple):
    """How members lie in the workspace and how they are cut; sizes are in numbers, not bytes.

    The workspace holds all members twice, before and after a turn, then each thread's rings. A slab holds its rows of u
    and then those of v, with the ghost cells beyond the boundaries.
    """

    slabs: int
    rows: int
    columns: int
    slab_ghosts: int  # ghosts on one side; in the slab and row directions 0 where there is no such axis
    row_ghosts: int
    column_ghosts: int
    boundary: int
    lanes: int
    pitch: int  # from row to row, the first of which begins `lanes` after its field does
    field: int  # from u to v
    slab: int  # from slab to slab
    period: int  # the slab that is slab 0 again, or 0
    rates_period: int  # the same of F and F + k, or 0 if they are numbers
    bands: int  # of a member
    tasks: int
    turn: int  # steps between meetings of the bands
    chunk: int  # slabs that a level advances at a time
    ring: int  # slabs of a level that are kept
    members: int  # size of all members
    rings: int  # where the rings begin
    rings_size: int


def choose_layout(shape, itemsize, radius, boundary, stages, steps, threads, varying):
    ensemble, lanes = shape[0], BYTES // itemsize
    slabs, rows, columns = [(1, 1), (shape[1], 1), shape[1:3]][len(shape) - 2] + shape[-1:]
    slab_ghosts, row_ghosts = radius * (len(shape) > 2), radius * (len(shape) > 3)
    pitch = lanes + -(-columns // lanes) * lanes
    field = (rows + 2 * row_ghosts) * pitch + lanes
    slab = 2 * field
    cache = _CACHE // itemsize

    bands, turn = 1, 1
    if ensemble % threads and ensemble < 4 * threads and slab_ghosts:
        bands = 2 * threads if slabs * slab > 2 * threads * cache else threads
        bands = max(1, min(bands, slabs // (8 * radius * stages)))
    chunk = max(1, min(64, slabs, _CHUNK // (field * itemsize)))
    ring = chunk + slab_ghosts * ((4 if stages == 4 else 2) + (boundary != _PERIODIC))
    if slab_ghosts and (bands > 1 or 2 * slabs * slab > cache):
        deepest = max(1, slabs // bands // (8 * radius))  # levels, for an overlap of a sixteenth on either side
        turn = max(1, min(steps, min(cache // (ring * slab), deepest) // stages))
    members = ensemble * (slabs + 2 * slab_ghosts) * slab
    rings_size = (turn * stages - 1) * ring * slab
    return Layout(
        *(slabs, rows, columns, slab_ghosts, row_ghosts, radius, boundary, lanes, pitch, field, slab),
        *(slabs if boundary == _PERIODIC else 0, slabs if varying else 0),
        *(bands, ensemble * bands, turn, chunk, ring, members, 2 * members, rings_size),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def advance_bands(
    u, v, u_result, v_result, space, rates, stencil_u, stencil_v, scheme, steps, layout, progress, worker, threads
):
    """Take turns at bands until all are done (True), or until nothing could be done for a while (False).

    `progress` counts twice the turns that a band has behind it, and one more while a thread is at it. The first turn
    copies the band into the workspace, the last copies it out. A thread begins with its own share of the bands, and
    stays with a band as long as that can go on.
    """
    turns = -(-steps // layout.turn)
    home = worker * layout.tasks // threads
    idle = 0
    while idle < _PATIENCE:
        idle += 1
        unfinished = 0
        for i in range(layout.tasks):
            task = (home + i) % layout.tasks
            member, band = divmod(task, layout.bands)
            state = read_shared(progress, task)
            unfinished += state < 2 * (turns + 2)
            while state < 2 * (turns + 2) and _ready(layout, progress, member, band, state):
                if not claim(progress, task, state, state + 1):
                    break
                turn = state // 2 - 1
                begin, end = _band(layout, band)
                if turn < 0:
                    _fill(u, v, space, layout, member, begin, end)
                elif turn < turns:
                    depth = min(layout.turn, steps - turn * layout.turn)
                    _take_turn(
                        space, rates, stencil_u, stencil_v, scheme, layout, worker, member, begin, end, turn, depth
                    )
                else:
                    _empty(u_result, v_result, space, layout, member, begin, end, turns)
                state += 2
                write_shared(progress, task, state)
                idle = 0
        if unfinished == 0:
            return True
    return False


@njit
def _ready(layout, progress, member, band, state):
    """Whether no thread is at the band and its neighbours have as many turns behind them as it has."""
    if state % 2 == 1 or layout.bands == 1:
        return state % 2 == 0
    before = member * layout.bands + (band - 1) % layout.bands
    after = member * layout.bands + (band + 1) % layout.bands
    return read_shared(progress, before) >= state and read_shared(progress, after) >= state


@njit
def _band(layout, band):
    return band * layout.slabs // layout.bands, (band + 1) * layout.slabs // layout.bands


@njit
def _member(layout, member, turn):
    """Where slab 0 of a member lies before this turn."""
    index = member * (layout.slabs + 2 * layout.slab_ghosts) + layout.slab_ghosts
    return turn % 2 * layout.members + index * layout.slab


@njit(nogil=True)
def _take_turn(space, rates, stencil_u, stencil_v, scheme, layout, worker, member, begin, end, turn, depth):
    """Advance slabs begin..end of a member by `depth` steps."""
    radius, stages = layout.slab_ghosts, len(scheme)
    last = depth * stages
    # Of each level, and of the rates: where slab 0 lies, and which slab lies there again (0: none).
    rings = np.empty((last + 2, 2), np.int64)
    for level in range(last + 1):
        rings[level, 0] = layout.rings + worker * layout.rings_size + (level - 1) * layout.ring * layout.slab
        rings[level, 1] = layout.ring
    for level in (0, last):
        rings[level, 0] = _member(layout, member, turn + (level == last))
        rings[level, 1] = layout.period
    rings[last + 1, 0] = 0
    rings[last + 1, 1] = layout.slabs
    # Where slabs first - 2.. lie: of the field that k is taken of, of y, y1, y2, of the rates, and of the result.
    places = np.zeros((6, layout.chunk + 4), np.int64)

    front = begin - (last - 1) * radius
    while front < end + (last - 1) * radius:
        for level in range(1, last + 1):
            overlap, lag = (last - level) * radius, (level - 1) * radius
            first = max(begin - overlap, front - lag)
            stop = min(end + overlap, front - lag + layout.chunk)
            if layout.boundary != _PERIODIC:
                first, stop = max(first, 0), min(stop, layout.slabs)
            if first >= stop:
                continue
            stage = (level - 1) % stages
            _list_slabs(places, 0, rings, level - 1, first - radius, stop + radius, 2 - radius, layout.slab)
            for i in range(min(stage, 3)):
                _list_slabs(places, 1 + i, rings, level - 1 - stage + i, first, stop, 2, layout.slab)
            if layout.rates_period > 0:
                _list_slabs(places, 4, rings, last + 1, first, stop, 2, layout.slab)
            _list_slabs(places, 5, rings, level, first, stop, 2, layout.slab)
            _advance_stage(scheme, stage, space, rates, stencil_u, stencil_v, layout, places, stop - first)
            for i in range(2, 2 + stop - first):
                _fill_ghosts(space, places[5, i], layout)
            if layout.boundary != _PERIODIC:
                _reflect_slabs(space, rings[level, 0], rings[level, 1], layout, first, stop)
        front += layout.chunk


@njit
def _list_slabs(places, row, rings, level, first, stop, start, slab):
    """Where slabs first..stop of a level lie, into a row of `places` from `start` on."""
    place, period = rings[level, 0], rings[level, 1]
    index = first % period if period > 0 else first
    for i in range(start, start + stop - first):
        places[row, i] = place + index * slab
        index += 1
        if index == period:
            index = 0


def _advance_stage(scheme, stage, space, rates, stencil_u, stencil_v, layout, places, count):
    """`_advance_chunk` by a stage of a scheme."""


@overload(_advance_stage)
def _choose_stage(scheme, stage, space, rates, stencil_u, stencil_v, layout, places, count):
    def one(scheme, stage, space, rates, stencil_u, stencil_v, layout, places, count):
        _advance_chunk(space, rates, scheme[0], stencil_u, stencil_v, layout, places, count)

    def two(scheme, stage, space, rates, stencil_u, stencil_v, layout, places, count):
        if stage == 0:
            _advance_chunk(space, rates, scheme[0], stencil_u, stencil_v, layout, places, count)
        else:
            _advance_chunk(space, rates, scheme[1], stencil_u, stencil_v, layout, places, count)

    def four(scheme, stage, space, rates, stencil_u, stencil_v, layout, places, count):
        if stage == 0:
            _advance_chunk(space, rates, scheme[0], stencil_u, stencil_v, layout, places, count)
        elif stage < 3:
            middle = scheme[1] if stage == 1 else scheme[2]
            _advance_chunk(space, rates, middle, stencil_u, stencil_v, layout, places, count)
        else:
            _advance_chunk(space, rates, scheme[3], stencil_u, stencil_v, layout, places, count)

    return {1: one, 2: two, 4: four}[len(scheme)]


@njit
def _advance_chunk(space, rates, stage, stencil_u, stencil_v, layout, places, count):
    """In strips of columns that the first-level cache holds."""
    far, near = min(layout.slab_ghosts, 2), min(layout.slab_ghosts, 1)
    vectors = -(-layout.columns // layout.lanes)
    for row in range(layout.row_ghosts, layout.row_ghosts + layout.rows):
        for strip in range(0, vectors, _STRIP):
            at = row * layout.pitch + (1 + strip) * layout.lanes
            for i in range(2, count + 2):
                here = places[0]
                row_places = Places(
                    *(here[i - far], here[i - near], here[i], here[i + near], here[i + far]),
                    *(places[1, i], places[2, i], places[3, i], places[4, i], places[5, i]),
                    *(layout.pitch, layout.field),
                )
                width = min(_STRIP, vectors - strip)
                advance_row(space, rates, stage, stencil_u, stencil_v, row_places, at, width, layout.lanes)


@njit(forceinline=True)
def _fill_ghosts(space, slab, layout):
    """The cells of a slab beyond the ends of its rows, and then the rows beyond the first and the last."""
    n, rows, ghosts = layout.columns, layout.rows, layout.row_ghosts
    for wall in range(2):
        field = slab + (1 - wall) * layout.field  # u is 1 at a Dirichlet wall, and v is 0
        for row in range(ghosts, ghosts + rows):
            x = field + row * layout.pitch + layout.lanes
            for j in range(layout.column_ghosts):
                if layout.boundary == _PERIODIC:
                    space[x - 1 - j], space[x + n + j] = space[x + n - 1 - j], space[x + j]
                elif layout.boundary == _NEUMANN:
                    space[x - 1 - j], space[x + n + j] = space[x + j], space[x + n - 1 - j]
                else:
                    space[x - 1 - j], space[x + n + j] = 2 * wall - space[x + j], 2 * wall - space[x + n - 1 - j]
        for j in range(ghosts):
            first, last = ghosts + j, ghosts + rows - 1 - j
            before, after = ghosts - 1 - j, ghosts + rows + j
            if layout.boundary == _PERIODIC:
                first, last = last, first
            for target, source in ((before, first), (after, last)):
                _copy_row(
                    space, field + source * layout.pitch, field + target * layout.pitch, layout.pitch, wall, layout
                )


@njit
def _reflect_slabs(space, place, period, layout, first, stop):
    """The ghost slabs whose images are among slabs first..stop; those above wait until all their images are there."""
    for j in range(layout.slab_ghosts):
        if first <= j < stop:
            _reflect(space, place, period, layout, j, -1 - j)
        if stop == layout.slabs:
            _reflect(space, place, period, layout, stop - 1 - j, stop + j)


@njit
def _reflect(space, place, period, layout, source, target):
    if period > 0:
        source, target = source % period, target % period
    source, target = place + source * layout.slab, place + target * layout.slab
    _copy_row(space, source, target, layout.field, 1, layout)
    _copy_row(space, source + layout.field, target + layout.field, layout.field, 0, layout)


@njit
def _copy_row(space, source, target, size, wall, layout):
    if layout.boundary == _DIRICHLET:
        for x in range(size):
            space[target + x] = 2 * wall - space[source + x]
    else:
        for x in range(size):
            space[target + x] = space[source + x]


@njit(nogil=True)
def _fill(u, v, space, layout, member, begin, end):
    """Copy slabs begin..end into the workspace."""
    first = _member(layout, member, 0)
    for slab in range(begin, end):
        place = first + slab * layout.slab
        for row in range(layout.rows):
            x = place + (layout.row_ghosts + row) * layout.pitch + layout.lanes
            for j in range(layout.columns):
                space[x + j] = u[member, slab, row, j]
                space[x + layout.field + j] = v[member, slab, row, j]
        _fill_ghosts(space, place, layout)
    if layout.boundary != _PERIODIC:
        _reflect_slabs(space, first, layout.period, layout, begin, end)


@njit(nogil=True)
def _empty(u, v, space, layout, member, begin, end, turns):
    """Copy slabs begin..end out of the workspace."""
    for slab in range(begin, end):
        place = _member(layout, member, turns) + slab * layout.slab
        for row in range(layout.rows):
            x = place + (layout.row_ghosts + row) * layout.pitch + layout.lanes
            for j in range(layout.columns):
                u[member, slab, row, j] = space[x + j]
                v[member, slab, row, j] = space[x + layout.field + j]
