// Matrix product: packed rows times a matrix in panels, as Goto and van de Geijn block it.
//
// The left matrix is packed one block of kBlock rows and kDepth columns at a time (pack.h), which is where a norm and
// ReLU, a pooling or the collecting of a window's pixels happen. Its rows lie kRow floats apart, a constant, so that
// the kernel reaches every row by one pointer; kRow is no multiple of a page, so that rows don't share cache sets.
// The right matrix comes in panels of 2 vectors' columns: [panel][depth][2 vectors], the last panel 1 vector wide if
// that is enough.
#pragma once

#include "simd.h"

namespace {

constexpr int kDepth = 256;           // columns of a packed block: with a panel of the right matrix in L1 and L2
constexpr int kRow = kDepth + 16;     // floats from a packed row to the next
// Sums that stay in registers: kRows x 2 vectors. AVX-512 has 32 registers, AVX2 16.
constexpr int kRows = kVector == 16 ? 14 : 6;
constexpr int kBlock = kVector == 16 ? 112 : 96;  // packed rows: a quarter of a small L2
constexpr int64_t kPacked = static_cast<int64_t>(kBlock) * kRow;  // floats of a packed block

// Where a product goes, and what happens to it there.
struct Output {
  float *first;        // of the first row
  int64_t stride;      // floats from a row to the next
  const float *bias;   // [columns] in whole vectors, or null
  bool relu;
};

// Computes a tile of `Rows` x `Vectors` vectors of the output over `depth` products.
template <int Rows, int Vectors>
inline void multiply_tile(const float *a, const float *b, int depth, const Output &out, float *c, const float *bias,
                          bool first, bool last) {
  Vec sum[Rows][Vectors];
  for (int v = 0; v < Vectors; ++v) {
    const Vec start = first && bias ? load(bias + v * kVector) : zero();
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) sum[r][v] = first ? start : load(c + r * out.stride + v * kVector);
  }
#pragma GCC unroll 2
  for (int k = 0; k < depth; ++k) {
    Vec right[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) right[v] = load(b + v * kVector);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const Vec left = broadcast(a[r * kRow]);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sum[r][v] = multiply_add(left, right[v], sum[r][v]);
    }
    a += 1;
    b += Vectors * kVector;
  }
  const bool relu = last && out.relu;
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v)
      store(c + r * out.stride + v * kVector, relu ? larger(sum[r][v], zero()) : sum[r][v]);
}

// The same for a number of rows that is known at run time, at most `Rows`.
template <int Rows, int Vectors>
inline void multiply_rows(int rows, const float *a, const float *b, int depth, const Output &out, float *c,
                          const float *bias, bool first, bool last) {
  if (rows == Rows)
    multiply_tile<Rows, Vectors>(a, b, depth, out, c, bias, first, last);
  else if constexpr (Rows > 1)
    multiply_rows<Rows - 1, Vectors>(rows, a, b, depth, out, c, bias, first, last);
}

template <int Vectors>
void multiply_panel(const float *a, int rows, const float *b, int depth, const Output &out, int column, bool first,
                    bool last) {
  const float *bias = out.bias ? out.bias + column : nullptr;
  for (int row = 0; row < rows; row += kRows)
    multiply_rows<kRows, Vectors>(min(kRows, rows - row), a + row * kRow, b, depth, out,
                                  out.first + row * out.stride + column, bias, first, last);
}

// Multiplies packed rows by one block of a matrix and adds the product to the output.
//   a: [rows][kRow], of which the first min(kDepth, depth - start) are used.
//   weights: the whole matrix in panels, `depth` x `columns`.
//   start: the block's first row of the matrix; at 0 the output is set, after the last block it is finished.
void multiply(const float *a, int rows, const float *weights, int depth, int columns, int start, const Output &out) {
  const int length = min(kDepth, depth - start);
  const bool first = start == 0, last = start + length == depth;
  for (int column = 0; column < columns; column += 2 * kVector) {
    const float *panel = weights + static_cast<int64_t>(depth) * column;
    if (columns - column > kVector)
      multiply_panel<2>(a, rows, panel + start * 2 * kVector, length, out, column, first, last);
    else
      multiply_panel<1>(a, rows, panel + start * kVector, length, out, column, first, last);
  }
}

}  // namespace
