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
constexpr int kPiece = 32;                                        // of a tile's depth, between two fetches
constexpr int kBlock = kVector == 16 ? 84 : 78;                   // packed rows: a third of a small L2
constexpr int64_t kPacked = static_cast<int64_t>(kBlock) * kRow;  // floats of a packed block

// Where a product goes, and what happens to it there.
struct Output {
  float *const *rows;  // the first column of each packed row's output
  const float *bias;   // [columns] in whole vectors, or null
  bool relu;
};

// How many pieces one panel's tiles have.
inline int pieces_of(int rows, int depth) { return ceil_div(rows, kRows) * ceil_div(depth, kPiece); }

// How many panels a matrix has.
inline int panels_of(int columns) { return ceil_div(columns, 2 * kVector); }

// What is needed next, fetched into the cache while the processor multiplies: a part before each piece, since loads wait
// behind a burst. Of the rows it is a few cache lines, and what is too much for that is left to the packing.
class Ahead {
 public:
  // rows: packed next, `count` of them, of each `length` floats from `start` on.
  // pieces: that will be multiplied meanwhile.
  // panels: whether the right matrix is fetched, too, a panel ahead: where it isn't in L2 yet.
  Ahead(const float *const *rows, int count, int start, int length, int pieces, bool panels)
      : rows_(rows), end_(rows + count), start_(start), length_(length), panels_(panels) {
    lines_ = min(kMost, ceil_div(count * ceil_div(length, kLine), pieces));
  }

  // next: what lies behind the panel that begins now, of `length` floats: mostly the one that is multiplied after it.
  //       After a matrix's last panel it is Winograd's next matrix, or nothing of use; a fetch never faults.
  // pieces: of the one that begins now.
  void begin_panel(const float *next, int length, int pieces) {
    if (!panels_) return;
    panel_ = next;
    panel_end_ = next + length;
    panel_lines_ = ceil_div(length / kLine, pieces);
  }

  void fetch() {
    for (int i = 0; i < panel_lines_ && panel_ < panel_end_; ++i, panel_ += kLine) __builtin_prefetch(panel_, 0, 2);
    for (int i = 0; i < lines_ && rows_ < end_; ++i) {
      __builtin_prefetch(*rows_ + start_ + fetched_, 0, 3);
      fetched_ += kLine;
      if (fetched_ < length_) continue;
      fetched_ = 0;
      ++rows_;
    }
  }

 private:
  static constexpr int kLine = 16;  // floats in a line of the cache
  static constexpr int kMost = 8;   // lines of rows before a piece
  const float *const *rows_, *const *end_, *panel_ = nullptr, *panel_end_ = nullptr;
  int start_, length_, lines_, fetched_ = 0, panel_lines_ = 0;
  bool panels_;
};

// Computes a tile of `Rows` x `Vectors` vectors of the output over `depth` products.
template <int Rows, int Vectors>
void multiply_tile(const float *a, const float *b, int depth, const Output &out, int row, int column, Ahead &ahead,
                   bool first, bool last) {
  Vec sum[Rows][Vectors];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      const int c = column + v * kVector;
      sum[r][v] = !first ? load(out.rows[row + r] + c) : out.bias ? load(out.bias + c) : zero();
    }
  for (int k = 0; k < depth;) {
    ahead.fetch();
    const int end = min(depth, k + kPiece);
#pragma GCC unroll 4
    for (; k < end; ++k) {
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
                          Ahead &ahead, bool first, bool last) {
  if (rows == Rows)
    multiply_tile<Rows, Vectors>(a, b, depth, out, row, column, ahead, first, last);
  else if constexpr (Rows > 1)
    multiply_rows<Rows - 1, Vectors>(rows, a, b, depth, out, row, column, ahead, first, last);
}

template <int Vectors>
void multiply_panel(const float *a, int rows, const float *b, int depth, const Output &out, int column,
                    Ahead &ahead, bool first, bool last) {
  const int tiles = ceil_div(rows, kRows);
  for (int tile = 0, row = 0; tile < tiles; ++tile) {
    const int number = ceil_div(rows - row, tiles - tile);  // all tiles about equally high
    multiply_rows<kRows, Vectors>(number, a + row * kRow, b, depth, out, row, column, ahead, first, last);
    row += number;
  }
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
    const int width = min(2 * kVector, round_up(columns - column, kVector));
    const float *panel = weights + static_cast<int64_t>(depth) * column + start * width;
    ahead.begin_panel(panel + depth * width, length * width, pieces_of(rows, length));
    if (width == 2 * kVector)
      multiply_panel<2>(a, rows, panel, length, out, column, ahead, first, last);
    else
      multiply_panel<1>(a, rows, panel, length, out, column, ahead, first, last);
  }
}

}  // namespace
