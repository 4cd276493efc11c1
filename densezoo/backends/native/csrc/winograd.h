// 3x3 convolution of stride 1 and padding 1 by Winograd's minimal filtering F(4x4,3x3): Lavin and Gray, Fast Algorithms
// for Convolutional Neural Networks, https://arxiv.org/abs/1509.09308.
//
// A tile of 4x4 outputs takes 6x6 inputs. Both transforms are sums along the columns, then along the rows; between them
// each of the 36 positions is a matrix product of its own over channels: 36 products for 16 outputs, where the
// convolution as written takes 144.
//
// The input lies in a strip: the rows that one or a few rows of tiles need, with a border of zeros, small enough for
// L2. A dense layer's 1x1 convolution writes it there, just before it is used. From one strip to the next the last two
// rows are kept.
#pragma once

#include "pack.h"
#include "program.h"

namespace {

constexpr int kTile = 4;                // side of a tile's outputs, pixels
constexpr int kSide = kTile + 2;        // of its inputs
constexpr int kPositions = kSide * kSide;
constexpr int kTiles = 16;              // that are transformed and multiplied together: what L2 holds beside the weights

// B^T d of one column or row.
inline void transform_inputs(const Vec (&d)[6], Vec (&t)[6]) {
  const Vec four = broadcast(4.0f), minus_four = broadcast(-4.0f), minus_five = broadcast(-5.0f), two = broadcast(2.0f);
  const Vec even = multiply_add(d[2], minus_four, d[4]), odd = multiply_add(d[1], minus_four, d[3]);
  const Vec outer = d[4] - d[2], inner = (d[3] - d[1]) * two;
  t[0] = multiply_add(d[0], four, multiply_add(d[2], minus_five, d[4]));
  t[1] = even + odd;
  t[2] = even - odd;
  t[3] = outer + inner;
  t[4] = outer - inner;
  t[5] = multiply_add(d[1], four, multiply_add(d[3], minus_five, d[5]));
}

// A^T m of one column or row.
inline void transform_outputs(const Vec (&m)[6], Vec (&y)[4]) {
  const Vec sum = m[1] + m[2], difference = m[1] - m[2], far_sum = m[3] + m[4], far = m[3] - m[4];
  y[0] = m[0] + sum + far_sum;
  y[1] = multiply_add(far, broadcast(2.0f), difference);
  y[2] = multiply_add(far_sum, broadcast(4.0f), sum);
  y[3] = multiply_add(far, broadcast(8.0f), difference) + m[5];
}

// Sizes of a step's scratch memory, in floats, and how its map is cut into strips.
struct Layout {
  int channels;      // of the input
  int columns;       // of a position's products, whole vectors
  int down, across;  // tiles of an image
  int images, rows;  // of a strip: either whole images, or some rows of tiles of one
  int stride;        // from a pixel of a strip to the next
  int64_t row_stride, image_stride;

  explicit Layout(const Step &step)
      : channels(step.producer ? step.producer->out.channels : step.in.channels),
        columns(round_up(step.out.channels, kVector)),
        down(ceil_div(step.out.height, kTile)),
        across(ceil_div(step.out.width, kTile)),
        images(down * across < kTiles ? kTiles / (down * across) : 1),
        rows(min(down, across < kTiles ? kTiles / across : 1)),
        stride(round_up(channels, 16) + 16),
        row_stride(static_cast<int64_t>(across * kTile + 2) * stride),
        image_stride((rows * kTile + 2) * row_stride) {}

  int blocks() const { return ceil_div(channels, kDepth); }
  int64_t strip() const { return images * image_stride; }
  // + 16: not all positions in the same cache sets
  int64_t block() const { return kTiles * kRow + 16; }
  int64_t product() const { return kTiles * columns + 16; }
  int64_t position() const { return blocks() * block(); }
  int64_t inputs() const { return kPositions * position(); }
  int64_t products() const { return kPositions * product(); }
  int64_t scratch() const { return strip() + inputs() + products() + kPacked; }
};

// A strip's part of the map: rows of tiles `tile_row` to `tile_row + rows` of images `image` to `image + images`.
struct Strip {
  int image, images, tile_row, rows;
};

// Fills [first, end) of the input's pixels into a strip, normed.
template <bool Normalise>
void copy_pixels(const Step &step, int first, int end, const Map &strip, float *arena) {
  const Prologue prologue{step.scale, step.shift};
  Pixel pixel = Pixel::of(first, step.in);
  for (int i = first; i < end; ++i, pixel.advance(step.in)) {
    const float *from = at(arena, step.in, pixel.image, pixel.y, pixel.x);
    float *to = at(arena, strip, pixel.image, pixel.y, pixel.x);
    for (int c = 0; c < step.in.channels; c += kVector) store(to + c, prologue.apply<Normalise>(load(from + c), c));
  }
}

inline void fill(float *to, int64_t length, float value) {
  for (int64_t i = 0; i < length; ++i) to[i] = value;
}

// Computes or copies a strip's input; what lies outside of the map is zero.
//   returns: the first pixel, counted over the images, that the strip after it needs besides.
int fill_strip(const Step &step, const Layout &layout, const Strip &part, float *arena, float *memory, float *packed) {
  const int height = step.out.height, width = step.out.width;
  const int top = part.tile_row * kTile - 1, bottom = (part.tile_row + part.rows) * kTile + 1;  // rows, half open
  // The whole map's pixels at their places in the strip: row `top` is its first, column -1 its first.
  const Map strip{memory - arena - part.image * layout.image_stride - top * layout.row_stride + layout.stride,
                  layout.image_stride, layout.row_stride, height, width, layout.stride, layout.channels};
  int from = top + 2;
  if (part.tile_row == 0) {
    from = 0;
    for (int image = 0; image < part.images; ++image) fill(memory + image * layout.image_stride, layout.row_stride, 0.0f);
  } else {  // a strip of one image: its first two rows were the last two
    const float *kept = memory + layout.rows * kTile * layout.row_stride;
    for (int64_t i = 0; i < 2 * layout.row_stride; i += kVector) store(memory + i, load(kept + i));
  }
  for (int image = 0; image < part.images; ++image)
    if (bottom > height)
      fill(memory + image * layout.image_stride + (height - top) * layout.row_stride,
           (bottom - height) * layout.row_stride, 0.0f);
  const int first = (part.image * height + from) * width;
  const int end = ((part.image + part.images - 1) * height + min(bottom, height)) * width;
  if (step.producer)
    multiply_pixels(*step.producer, first, end, strip, arena, packed);
  else if (step.scale)
    copy_pixels<true>(step, first, end, strip, arena);
  else
    copy_pixels<false>(step, first, end, strip, arena);
  return end;
}

// Transforms one tile's inputs, all channels.
//   corner: its first input pixel in the strip.
//   inputs: [position][block of channels][tile][kRow], from this tile on.
void transform_input(const Layout &layout, const float *corner, float *inputs) {
  for (int c = 0; c < layout.channels; c += kVector) {
    float *to = inputs + c / kDepth * layout.block() + c % kDepth;
    Vec columns[kSide][kSide];
#pragma GCC unroll 6
    for (int x = 0; x < kSide; ++x) {
      Vec pixels[kSide], sums[kSide];
#pragma GCC unroll 6
      for (int y = 0; y < kSide; ++y) pixels[y] = load(corner + y * layout.row_stride + x * layout.stride + c);
      transform_inputs(pixels, sums);
#pragma GCC unroll 6
      for (int y = 0; y < kSide; ++y) columns[y][x] = sums[y];
    }
#pragma GCC unroll 6
    for (int y = 0; y < kSide; ++y) {
      Vec sums[kSide];
      transform_inputs(columns[y], sums);
#pragma GCC unroll 6
      for (int x = 0; x < kSide; ++x) store(to + (y * kSide + x) * layout.position(), sums[x]);
    }
  }
}

// Transforms one tile's products into its outputs, of which those outside of the map are dropped.
//   pixel: its first output.
//   products: [position][tile][columns], from this tile on.
void transform_output(const Step &step, const Layout &layout, float *arena, const Pixel &pixel, const float *products) {
  const int height = min(kTile, step.out.height - pixel.y), width = min(kTile, step.out.width - pixel.x);
  float *corner = at(arena, step.out, pixel.image, pixel.y, pixel.x);
  const Vec floor = step.relu ? zero() : broadcast(-__builtin_inff());
  for (int c = 0; c < step.out.channels; c += kVector) {
    const Vec bias = step.bias ? load(step.bias + c) : zero();
    Vec columns[kTile][kSide];
#pragma GCC unroll 6
    for (int x = 0; x < kSide; ++x) {
      Vec values[kSide], sums[kTile];
#pragma GCC unroll 6
      for (int y = 0; y < kSide; ++y) values[y] = load(products + (y * kSide + x) * layout.product() + c);
      transform_outputs(values, sums);
#pragma GCC unroll 4
      for (int y = 0; y < kTile; ++y) columns[y][x] = sums[y];
    }
#pragma GCC unroll 4
    for (int y = 0; y < kTile; ++y) {
      Vec sums[kTile];
      transform_outputs(columns[y], sums);
      if (y < height)
#pragma GCC unroll 4
        for (int x = 0; x < kTile; ++x)
          if (x < width)
            store(corner + y * step.out.row_stride + x * step.out.stride + c, at_least(floor, sums[x] + bias));
    }
  }
}

// Multiplies transformed tiles by the weights, which are a matrix in panels for each position.
void multiply_positions(const Step &step, const Layout &layout, int tiles, const float *inputs, float *products,
                        Ahead &ahead) {
  float *rows[kTiles];
  for (int p = 0; p < kPositions; ++p) {
    const float *weights = step.weights + static_cast<int64_t>(p) * layout.channels * layout.columns;
    for (int t = 0; t < tiles; ++t) rows[t] = products + p * layout.product() + t * layout.columns;
    for (int b = 0; b < layout.blocks(); ++b)
      multiply(inputs + p * layout.position() + b * layout.block(), tiles, weights, layout.channels,
               step.out.channels, b * kDepth, {rows, nullptr, false}, ahead);
  }
}

// Convolves a strip.
//   inputs, products: scratch memory.
//   next, count: input pixels of the strip after it.
void convolve_strip(const Step &step, const Layout &layout, const Strip &part, const float *strip, float *arena,
                    float *inputs, float *products, const float *const *next, int count) {
  const int in_image = part.rows * layout.across, total = part.images * in_image;
  const int pieces = kPositions * panels_of(step.out.channels) * pieces_of(total, layout.channels);
  const bool cold = part.image == 0 && part.tile_row == 0;  // weights, which the strips after the first find in L2
  Ahead ahead(next, count, 0, min(kDepth, step.in.channels), pieces, cold);
  for (int first = 0; first < total; first += kTiles) {
    const int tiles = min(kTiles, total - first);
    Pixel pixels[kTiles];  // each tile's first output
    for (int t = 0; t < tiles; ++t) {
      const int image = (first + t) / in_image, row = (first + t) % in_image / layout.across;
      const int column = (first + t) % layout.across;
      pixels[t] = {part.image + image, (part.tile_row + row) * kTile, column * kTile};
      transform_input(layout, strip + image * layout.image_stride + row * kTile * layout.row_stride +
                                  static_cast<int64_t>(column) * kTile * layout.stride, inputs + t * kRow);
    }
    multiply_positions(step, layout, tiles, inputs, products, ahead);
    for (int t = 0; t < tiles; ++t) transform_output(step, layout, arena, pixels[t], products + t * layout.columns);
  }
}

void run_winograd(const Step &step, int images, float *arena, float *scratch) {
  const Layout layout(step);
  float *strip = scratch, *inputs = strip + layout.strip(), *products = inputs + layout.inputs();
  float *packed = products + layout.products();
  const float *next[kBlock];
  fill(strip, layout.strip(), 0.0f);  // its left and right columns stay so
  for (int image = 0; image < images; image += layout.images)
    for (int row = 0; row < layout.down; row += layout.rows) {
      const Strip part{image, min(layout.images, images - image), row, min(layout.rows, layout.down - row)};
      const int end = fill_strip(step, layout, part, arena, strip, packed);
      const int count = min(kBlock, images * step.in.height * step.in.width - end);
      find_pixels<const float>(step.in, step.in, arena, end, count, next);
      convolve_strip(step, layout, part, strip, arena, inputs, products, next, count);
    }
}

}  // namespace
