"""What a solver finds out about figures from what is published: by linear programming (GLPK)."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import swiglpk as glpk

K = TypeVar("K", bound=Hashable)
# Terms and their factors: the sum is zero, or at least zero.
Terms = Sequence[tuple[K, int]]


def ranges(
    bounds: Mapping[K, tuple[int, int]],
    equal: Iterable[Terms[K]],
    at_least: Iterable[Terms[K]],
    asked: Iterable[K],
) -> Iterator[tuple[K, float, float]]:
    """The least and the largest value of each figure that is asked for."""
    columns = {key: place for place, key in enumerate(bounds, start=1)}
    problem = glpk.glp_create_prob()
    glpk.glp_add_cols(problem, len(columns))
    for key, (low, high) in bounds.items():
        kind = glpk.GLP_FX if low == high else glpk.GLP_DB
        glpk.glp_set_col_bnds(problem, columns[key], kind, low, high)
    rows = [(terms, glpk.GLP_FX) for terms in equal] + [(terms, glpk.GLP_LO) for terms in at_least]
    for terms, kind in rows:
        row = glpk.glp_add_rows(problem, 1)
        glpk.glp_set_row_bnds(problem, row, kind, 0, 0)
        _fill(problem, row, [(columns[key], factor) for key, factor in terms])
    for key in asked:
        least = _best(problem, columns[key], glpk.GLP_MIN)
        yield key, least, _best(problem, columns[key], glpk.GLP_MAX)
    glpk.glp_delete_prob(problem)


def _fill(problem: Any, row: int, terms: Sequence[tuple[int, int]]) -> None:
    places, factors = glpk.intArray(len(terms) + 1), glpk.doubleArray(len(terms) + 1)
    for number, (column, factor) in enumerate(terms, start=1):
        places[number], factors[number] = column, factor
    glpk.glp_set_mat_row(problem, row, len(terms), places, factors)


def _best(problem: Any, column: int, way: int) -> float:
    options = glpk.glp_smcp()
    glpk.glp_init_smcp(options)
    options.msg_lev = glpk.GLP_MSG_OFF
    glpk.glp_set_obj_dir(problem, way)
    glpk.glp_set_obj_coef(problem, column, 1)
    glpk.glp_simplex(problem, options)
    assert glpk.glp_get_status(problem) == glpk.GLP_OPT
    found: float = glpk.glp_get_obj_val(problem)
    glpk.glp_set_obj_coef(problem, column, 0)
    return found
