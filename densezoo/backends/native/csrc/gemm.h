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

constexpr int kDepth = 256;        // columns of a packed block: with a panel of the right matrix in L1 and L2
constexpr int kRow = kDepth + 16;  // floats from a packed row to the next
// Sums that stay in registers: kRows x 2 vectors. AVX-512 has 32 registers, AVX2 16.
constexpr int kRows = kVector == 16 ? 14 : 6;
constexpr int kBlock = 112;                                       // packed rows: a quarter of a small L2
constexpr int64_t kPacked = static_cast<int64_t>(kBlock) * kRow;  // floats of a packed block

// Where a product goes, and what happens to it there.
struct Output {
  float *const *rows;  // the first column of each packed row's output
  const float *bias;   // [columns] in whole vectors, or null
  bool relu;
};

// What is packed next: fetched into L2 while the processor multiplies, a few cache lines before each tile.
class Ahead {
 public:
  // rows: `count` of them, of each `length` floats from `start` on.
  // tiles: that will be multiplied meanwhile.
  Ahead(const float *const *rows, int count, int start, int length, int tiles)
      : rows_(rows), end_(rows + count), start_(start), length_(length) {
    lines_ = (count * ((length + 15) / 16) + tiles - 1) / tiles;
  }

  void fetch() {
    for (int i = 0; i < lines_ && rows_ < end_; ++i) {
      __builtin_prefetch(*rows_ + start_ + fetched_, 0, 2);
      fetched_ += 16;
      if (fetched_ < length_) continue;
      fetched_ = 0;
      ++rows_;
    }
  }

 private:
  const float *const *rows_, *const *end_;
  int start_, length_, lines_, fetched_ = 0;
};

// Computes a tile of `Rows` x `Vectors` vectors of the output over `depth` products.
template <int Rows, int Vectors>
void multiply_tile(const float *a, const float *b, int depth, const Output &out, int row, int column, bool first,
                   bool last) {
  Vec sum[Rows][Vectors];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      const int c = column + v * kVector;
      sum[r][v] = !first ? load(out.rows[row + r] + c) : out.bias ? load(out.bias + c) : zero();
    }
#pragma GCC unroll 4
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
      store(out.rows[row + r] + column + v * kVector, relu ? at_least(zero(), sum[r][v]) : sum[r][v]);
}

// The same for a number of rows that is known at run time, at most `Rows`.
template <int Rows, int Vectors>
inline void multiply_rows(int rows, const float *a, const float *b, int depth, const Output &out, int row, int column,
                          bool first, bool last) {
  if (rows == Rows)
    multiply_tile<Rows, Vectors>(a, b, depth, out, row, column, first, last);
  else if constexpr (Rows > 1)
    multiply_rows<Rows - 1, Vectors>(rows, a, b, depth, out, row, column, first, last);
}

template <int Vectors>
void multiply_panel(const float *a, int rows, const float *b, int depth, const Output &out, int column,
                    Ahead &ahead, bool first, bool last) {
  const int tiles = (rows + kRows - 1) / kRows;
  for (int tile = 0, row = 0; tile < tiles; ++tile) {
    const int number = (rows - row + tiles - tile - 1) / (tiles - tile);  // all tiles about equally high
    ahead.fetch();
    multiply_rows<kRows, Vectors>(number, a + row * kRow, b, depth, out, row, column, first, last);
    row += number;
  }
}

// How many tiles a product has.
inline int tiles_of(int rows, int columns) {
  return ((rows + kRows - 1) / kRows) * ((columns + 2 * kVector - 1) / (2 * kVector));
}

// Multiplies packed rows by one block of a matrix and adds the product to the output.
//   a: [rows][kRow], of which the first min(kDepth, depth - start) are used.
//   weights: the whole matrix in panels, `depth` x `columns`.
//   start: the block's first row of the matrix; at 0 the output is set, after the last block it is finished.
void multiply(const float *a, int rows, const float *weights, int depth, int columns, int start, const Output &out,
              Ahead &ahead) {
  const int length = min(kDepth, depth - start);
  const bool first = start == 0, last = start + length == depth;
  for (int column = 0; column < columns; column += 2 * kVector) {
    const float *panel = weights + static_cast<int64_t>(depth) * column;
    if (columns - column > kVector)
      multiply_panel<2>(a, rows, panel + start * 2 * kVector, length, out, column, ahead, first, last);
    else
      multiply_panel<1>(a, rows, panel + start * kVector, length, out, column, ahead, first, last);
  }
}

}  // namespace
