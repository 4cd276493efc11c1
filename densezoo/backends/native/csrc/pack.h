// Fills a block of packed rows (gemm.h) from a feature map: columns `start` to `start + length` of `rows` rows.
#pragma once

#include "gemm.h"
#include "program.h"

namespace {

// Where a row of a product comes from: rows are counted over all pixels of all images.
struct Pixel {
  int image, y, x;
};

inline Pixel pixel_of(int row, const Map &map) {
  const int in_image = row % (map.height * map.width);
  return {row / (map.height * map.width), in_image / map.width, in_image % map.width};
}

inline void advance(Pixel &pixel, const Map &map) {
  if (++pixel.x == map.width) {
    pixel.x = 0;
    if (++pixel.y == map.height) {
      pixel.y = 0;
      ++pixel.image;
    }
  }
}

inline const float *at(const float *arena, const Map &map, int image, int y, int x) {
  return arena + map.offset + image * map.image_stride + (static_cast<int64_t>(y) * map.width + x) * map.stride;
}

inline float *at(float *arena, const Map &map, int image, int y, int x) {
  return arena + map.offset + image * map.image_stride + (static_cast<int64_t>(y) * map.width + x) * map.stride;
}

// A 1x1 convolution's rows: the channels of each pixel, normed.
template <bool Normalise>
void pack_pixels(const Step &step, const float *arena, int row, int rows, int start, int length, float *packed) {
  const Prologue prologue{step.scale, step.shift};
  Pixel pixel = pixel_of(row, step.in);
  for (int r = 0; r < rows; ++r, advance(pixel, step.in)) {
    const float *x = at(arena, step.in, pixel.image, pixel.y, pixel.x) + start;
    for (int c = 0; c < length; c += kVector)
      store(packed + r * kRow + c, prologue.apply<Normalise>(load(x + c), start + c));
  }
}

// The image's convolution: the pixels of each window, row after row. The map has no unused floats, so the pixels of a
// window's row are one run, and has the padding already.
void pack_windows(const Step &step, const float *arena, int row, int rows, int start, int length, float *packed) {
  const int run = step.kernel[1] * step.in.channels;
  Pixel pixel = pixel_of(row, step.out);
  for (int r = 0; r < rows; ++r, advance(pixel, step.out)) {
    const float *window = at(arena, step.in, pixel.image, pixel.y * step.strides[0], pixel.x * step.strides[1]);
    float *to = packed + r * kRow;
    for (int k = start; k < start + length;) {
      const int y = k / run, skipped = k % run, taken = min(run - skipped, start + length - k);
      const float *from = window + static_cast<int64_t>(y) * step.in.width * step.in.channels + skipped;
      // What a run's last vector writes behind it is overwritten by the next run, or lies behind the packed row.
      for (int c = 0; c < taken; c += kVector) store(to + k - start + c, load(from + c));
      k += taken;
    }
  }
}

// A transition's rows: the weighted sums of each window's normed pixels. Pooling and 1x1 convolution are both linear,
// so the order is free, and after the pooling there is a quarter of the work.
template <bool Normalise>
void pack_pooled(const Step &step, const float *arena, int row, int rows, int start, int length, float *packed) {
  const Prologue prologue{step.scale, step.shift};
  const Windows &tall = step.rows, &wide = step.columns;
  Pixel pixel = pixel_of(row, step.out);
  for (int r = 0; r < rows; ++r, advance(pixel, step.out)) {
    for (int c = 0; c < length; c += kVector) {
      Vec sum = zero();
      for (int i = pixel.y * tall.taps; i < (pixel.y + 1) * tall.taps; ++i) {
        Vec across = zero();
        for (int j = pixel.x * wide.taps; j < (pixel.x + 1) * wide.taps; ++j) {
          const Vec value = load(at(arena, step.in, pixel.image, tall.index[i], wide.index[j]) + start + c);
          across = multiply_add(prologue.apply<Normalise>(value, start + c), broadcast(wide.weight[j]), across);
        }
        sum = multiply_add(across, broadcast(tall.weight[i]), sum);
      }
      store(packed + r * kRow + c, sum);
    }
  }
}

using Pack = void (*)(const Step &, const float *, int row, int rows, int start, int length, float *packed);

inline Pack packer(const Step &step) {
  if (step.kind == kPatches) return pack_windows;
  if (step.kind == kPooled) return step.scale ? pack_pooled<true> : pack_pooled<false>;
  return step.scale ? pack_pixels<true> : pack_pixels<false>;
}

// A convolution whose rows `packer` packs, for all images at once.
void run_product(const Step &step, int images, float *arena, float *scratch) {
  const Pack pack = packer(step);
  const int depth = step.in.channels * step.kernel[0] * step.kernel[1];
  const int total = images * step.out.height * step.out.width;
  for (int row = 0; row < total; row += kBlock) {
    const int rows = min(kBlock, total - row);
    // Pixels of one map are evenly spaced, also from one image to the next.
    const Output out{arena + step.out.offset + static_cast<int64_t>(row) * step.out.stride, step.out.stride, step.bias,
                     step.relu != 0};
    for (int start = 0; start < depth; start += kDepth) {
      pack(step, arena, row, rows, start, min(kDepth, depth - start), scratch);
      multiply(scratch, rows, step.weights, depth, step.out.channels, start, out);
    }
  }
}

}  // namespace
