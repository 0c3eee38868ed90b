"""What processors do and the compiler has no word for, and how it is handed a tuple."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

T = TypeVar("T", bound=tuple[object, ...])
_READ, _INTO_L2, _DATA = 0, 2, 1
_LINE: Final = 16  # of float32 in what is fetched at once
AHEAD: Final = 8  # rows: so far ahead of where it is read a row is fetched


def _popcount(context: Any, word: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), emit


def _prefetch(context: Any, array: Any, place: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        laid_out = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, whole = ir.IntType(8).as_pointer(), ir.IntType(32)
        offset = builder.mul(builder.extract_value(laid_out.strides, 0), arguments[1])
        at = builder.gep(builder.bitcast(laid_out.data, byte), [offset])
        kind = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
        call = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, kind, "llvm.prefetch.p0"
        )
        builder.call(call, [at, *(ir.Constant(whole, n) for n in (_READ, _INTO_L2, _DATA))])
        return context.get_dummy_value()

    return types.none(array, types.int64), emit


# How many bits of a 64-bit word are set.
popcount = cast("Callable[[np.uint64], int]", intrinsic(_popcount))
# Have `array[place]` fetched from memory, and go on; of a row, the line it begins in.
prefetch = cast("Callable[[NDArray[Any], int], None]", intrinsic(_prefetch))


def plain(named: T) -> T:
    """A tuple without its names, for handing over: of each that has names numba asks Python what
    it is, which costs as much again. The compiled step names it anew, which costs nothing."""
    return cast("T", tuple(named))


@njit(cache=True)
def fetch_ahead(vectors: NDArray[np.float32], rows: NDArray[np.int32], i: int) -> None:
    """Have the row that comes `AHEAD` places after `rows[i]` fetched; rows lie far apart.

    vectors: [n, d] in rows without gaps.
    """
    if i + AHEAD < len(rows):
        row = vectors[rows[i + AHEAD]]
        for j in range(0, len(row), _LINE):
            prefetch(row, j)
