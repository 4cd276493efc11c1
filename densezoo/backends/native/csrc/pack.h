// Convolutions as matrix products: fills blocks of packed rows (gemm.h) from a feature map, and multiplies them.
#pragma once

#include "gemm.h"
#include "program.h"

namespace {

inline int64_t place(const Map &map, int image, int y, int x) {
  return map.offset + image * map.image_stride + y * map.row_stride + static_cast<int64_t>(x) * map.stride;
}

inline const float *at(const float *arena, const Map &map, int image, int y, int x) {
  return arena + place(map, image, y, x);
}

inline float *at(float *arena, const Map &map, int image, int y, int x) { return arena + place(map, image, y, x); }

// A pixel of several images' maps; a product's rows are all pixels of its output, counted over the images.
struct Pixel {
  int image, y, x;

  static Pixel of(int row, const Map &map) {
    const int in_image = row % (map.height * map.width);
    return {row / (map.height * map.width), in_image / map.width, in_image % map.width};
  }

  void advance(const Map &map) {
    if (++x == map.width) {
      x = 0;
      if (++y == map.height) {
        y = 0;
        ++image;
      }
    }
  }
};

// The first channels of pixels `row` to `row + rows`, counted in `map`, at their places in `where`.
template <class Float>
void find_pixels(const Map &map, const Map &where, Float *arena, int row, int rows, Float **pixels) {
  Pixel pixel = Pixel::of(row, map);
  for (int r = 0; r < rows; ++r, pixel.advance(map)) pixels[r] = at(arena, where, pixel.image, pixel.y, pixel.x);
}

// One block of a convolution's rows: columns `start` to `start + length` of rows `row` to `row + rows`.
struct Block {
  int row, rows, start, length;
};

// A 1x1 convolution's rows: the channels of each pixel, normed.
template <bool Normalise>
void pack_pixels(const Step &step, const float *const *pixels, const Block &block, float *packed) {
  const Prologue prologue{step.scale, step.shift};
  for (int r = 0; r < block.rows; ++r)
    for (int c = 0; c < block.length; c += kVector) {
      const Vec value = load(pixels[r] + block.start + c);
      store(packed + r * kRow + c, prologue.apply<Normalise>(value, block.start + c));
    }
}

// The image's convolution: the pixels of each window, row after row. The map has no unused floats, so the pixels of a
// window's row are one run, and has the padding already.
void pack_windows(const Step &step, const float *arena, const Block &block, float *packed) {
  const int run = step.kernel[1] * step.in.channels;
  const int first_row = block.start / run, first_skipped = block.start % run;
  Pixel pixel = Pixel::of(block.row, step.out);
  for (int r = 0; r < block.rows; ++r, pixel.advance(step.out)) {
    const float *window = at(arena, step.in, pixel.image, pixel.y * step.strides[0], pixel.x * step.strides[1]);
    const float *from = window + first_row * step.in.row_stride;
    for (int k = 0, skipped = first_skipped; k < block.length; skipped = 0, from += step.in.row_stride) {
      const int taken = min(run - skipped, block.length - k);
      float *to = packed + r * kRow + k;
      // What a run's last vector writes behind it is overwritten by the next run, or lies behind the packed row.
      for (int c = 0; c < taken; c += kVector) store(to + c, load(from + skipped + c));
      k += taken;
    }
  }
}

// A transition's rows: the weighted sums of each window's normed pixels. Pooling and 1x1 convolution are both linear,
// so the order is free, and after the pooling there is a quarter of the work.
template <bool Normalise>
void pack_pooled(const Step &step, const float *arena, const Block &block, float *packed) {
  const Prologue prologue{step.scale, step.shift};
  const Windows &tall = step.rows, &wide = step.columns;
  Pixel pixel = Pixel::of(block.row, step.out);
  for (int r = 0; r < block.rows; ++r, pixel.advance(step.out)) {
    float *sums = packed + r * kRow;
    for (int c = 0; c < block.length; c += kVector) store(sums + c, zero());
    for (int i = pixel.y * tall.taps; i < (pixel.y + 1) * tall.taps; ++i)
      for (int j = pixel.x * wide.taps; j < (pixel.x + 1) * wide.taps; ++j) {
        const float *from = at(arena, step.in, pixel.image, tall.index[i], wide.index[j]);
        const Vec weight = broadcast(tall.weight[i] * wide.weight[j]);
        for (int c = 0; c < block.length; c += kVector) {
          const Vec value = prologue.apply<Normalise>(load(from + block.start + c), block.start + c);
          store(sums + c, multiply_add(value, weight, load(sums + c)));
        }
      }
  }
}

inline void pack(const Step &step, const float *arena, const float *const *pixels, const Block &block, float *packed) {
  if (step.kind == kPatches) return pack_windows(step, arena, block, packed);
  if (step.kind == kPooled && step.scale) return pack_pooled<true>(step, arena, block, packed);
  if (step.kind == kPooled) return pack_pooled<false>(step, arena, block, packed);
  if (step.scale) return pack_pixels<true>(step, pixels, block, packed);
  pack_pixels<false>(step, pixels, block, packed);
}

// Rows `first` to `end` of a convolution's product.
//   out: where the output's pixels lie, as many to a row and an image as step.out has.
void multiply_pixels(const Step &step, int first, int end, const Map &out, float *arena, float *packed) {
  const int depth = step.in.channels * step.kernel[0] * step.kernel[1];
  const bool pixelwise = step.kind == kProduct;
  float *outputs[kBlock];
  const float *pixels[kBlock], *next[kBlock];
  for (int row = first, rows; row < end; row += rows) {
    const int blocks = ceil_div(end - row, kBlock);
    rows = min(end - row, round_up(ceil_div(end - row, blocks), kRows));  // all blocks about equally high
    const int after = pixelwise ? min(rows, end - row - rows) : 0;
    find_pixels(step.out, out, arena, row, rows, outputs);
    if (pixelwise) find_pixels<const float>(step.in, step.in, arena, row, rows, pixels);
    find_pixels<const float>(step.in, step.in, arena, row + rows, after, next);
    for (int start = 0; start < depth; start += kDepth) {
      const Block block{row, rows, start, min(kDepth, depth - start)};
      pack(step, arena, pixels, block, packed);
      const int pieces = panels_of(step.out.channels) * pieces_of(rows, block.length);
      const int later = start + kDepth;  // of these rows; after the last of their blocks come the next rows
      const bool cold = row == first;  // weights, which the later rows find in L2
      Ahead ahead = later < depth
                        ? Ahead(pixels, pixelwise ? rows : 0, later, min(kDepth, depth - later), pieces, cold)
                        : Ahead(next, after, 0, min(kDepth, depth), pieces, cold);
      multiply(packed, rows, step.weights, depth, step.out.channels, start, {outputs, step.bias, step.relu != 0}, ahead);
    }
  }
}

// A convolution whose output is a map.
void run_product(const Step &step, int images, float *arena, float *scratch) {
  const int total = images * step.out.height * step.out.width;
  multiply_pixels(step, 0, total, step.out, arena, scratch);
}

}  // namespace
