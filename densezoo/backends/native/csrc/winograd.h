// 3x3 convolution of stride 1 and padding 1 by Winograd's minimal filtering, F(2x2,3x3) and F(4x4,3x3): Lavin and Gray,
// Fast Algorithms for Convolutional Neural Networks, https://arxiv.org/abs/1509.09308.
//
// A tile of Tile x Tile outputs takes side x side inputs, side = Tile + 2. Both transforms are sums along the columns,
// then along the rows; between them each of the side x side positions is a matrix product of its own over channels.
// 36 products for 16 outputs, where the convolution as written takes 144.
#pragma once

#include "gemm.h"
#include "pack.h"
#include "program.h"

namespace {

template <int Tile>
struct Transform;

template <>
struct Transform<2> {
  static constexpr int side = 4;
  static void input(const Vec (&d)[4], Vec (&t)[4]) {
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[1] - d[3];
  }
  static void output(const Vec (&m)[4], Vec (&y)[2]) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
  }
};

template <>
struct Transform<4> {
  static constexpr int side = 6;
  static void input(const Vec (&d)[6], Vec (&t)[6]) {
    const Vec four = broadcast(4.0f), five = broadcast(-5.0f), two = broadcast(2.0f), less_four = broadcast(-4.0f);
    const Vec even = multiply_add(d[2], less_four, d[4]), odd = multiply_add(d[1], less_four, d[3]);
    const Vec outer = d[4] - d[2], inner = d[3] - d[1];
    t[0] = multiply_add(d[0], four, multiply_add(d[2], five, d[4]));
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = multiply_add(inner, two, outer);
    t[4] = outer - inner * two;
    t[5] = multiply_add(d[1], four, multiply_add(d[3], five, d[5]));
  }
  static void output(const Vec (&m)[6], Vec (&y)[4]) {
    const Vec sum = m[1] + m[2], difference = m[1] - m[2], far_sum = m[3] + m[4], far = m[3] - m[4];
    y[0] = m[0] + sum + far_sum;
    y[1] = multiply_add(far, broadcast(2.0f), difference);
    y[2] = multiply_add(far_sum, broadcast(4.0f), sum);
    y[3] = multiply_add(far, broadcast(8.0f), difference) + m[5];
  }
};

// Tiles that are transformed and multiplied together: their products are what L2 holds beside the weights.
constexpr int kTiles = kVector == 16 ? 14 : 12;

// Where the transformed tiles lie: [position][block of channels][tile][kRow], and their products [position][tile][row].
struct Layout {
  int positions, blocks, row;
  explicit Layout(const Step &step)
      : positions((step.tile + 2) * (step.tile + 2)),
        blocks((step.in.channels + kDepth - 1) / kDepth),
        row(round_up(step.out.channels, kVector)) {}
  int64_t block() const { return static_cast<int64_t>(kTiles) * kRow; }
  int64_t inputs() const { return positions * blocks * block(); }
  int64_t products() const { return static_cast<int64_t>(positions) * kTiles * row; }
};

// A tile's place: its first output pixel.
struct Place {
  int image, y, x;
};

// Transforms one tile's inputs, all channels. `Edge`: pixels outside of the map are zeros.
template <int Tile, bool Normalise, bool Edge>
void transform_input(const Step &step, const float *arena, const Place &place, const Layout &layout, float *inputs) {
  constexpr int side = Transform<Tile>::side;
  const Map &map = step.in;
  const Prologue prologue{step.scale, step.shift};
  const float *corner = at(arena, map, place.image, place.y - 1, place.x - 1);
  const int64_t row = static_cast<int64_t>(map.width) * map.stride;
  for (int c = 0; c < map.channels; c += kVector) {
    float *to = inputs + c / kDepth * layout.block() + c % kDepth;
    Vec columns[side][side];
#pragma GCC unroll 6
    for (int x = 0; x < side; ++x) {
      Vec pixels[side], sums[side];
#pragma GCC unroll 6
      for (int y = 0; y < side; ++y) {
        const unsigned map_y = place.y - 1 + y, map_x = place.x - 1 + x;
        const bool outside =
            Edge && (map_y >= static_cast<unsigned>(map.height) || map_x >= static_cast<unsigned>(map.width));
        pixels[y] = outside ? zero() : prologue.apply<Normalise>(load(corner + y * row + x * map.stride + c), c);
      }
      Transform<Tile>::input(pixels, sums);
#pragma GCC unroll 6
      for (int y = 0; y < side; ++y) columns[y][x] = sums[y];
    }
#pragma GCC unroll 6
    for (int y = 0; y < side; ++y) {
      Vec sums[side];
      Transform<Tile>::input(columns[y], sums);
#pragma GCC unroll 6
      for (int x = 0; x < side; ++x) store(to + (y * side + x) * layout.blocks * layout.block(), sums[x]);
    }
  }
}

// Transforms one tile's products into its outputs, of which those outside of the map are dropped.
template <int Tile>
void transform_output(const Step &step, float *arena, const Place &place, const Layout &layout, const float *products) {
  constexpr int side = Transform<Tile>::side;
  const Map &map = step.out;
  const int height = min(Tile, map.height - place.y), width = min(Tile, map.width - place.x);
  float *corner = at(arena, map, place.image, place.y, place.x);
  const int64_t row = static_cast<int64_t>(map.width) * map.stride;
  for (int c = 0; c < map.channels; c += kVector) {
    const Vec bias = step.bias ? load(step.bias + c) : zero();
    const Vec floor = step.relu ? zero() : broadcast(-__builtin_inff());
    Vec columns[Tile][side];
#pragma GCC unroll 6
    for (int x = 0; x < side; ++x) {
      Vec values[side], sums[Tile];
#pragma GCC unroll 6
      for (int y = 0; y < side; ++y)
        values[y] = load(products + static_cast<int64_t>(y * side + x) * kTiles * layout.row + c);
      Transform<Tile>::output(values, sums);
#pragma GCC unroll 4
      for (int y = 0; y < Tile; ++y) columns[y][x] = sums[y];
    }
#pragma GCC unroll 4
    for (int y = 0; y < Tile; ++y) {
      Vec sums[Tile];
      Transform<Tile>::output(columns[y], sums);
      if (y < height)
#pragma GCC unroll 4
        for (int x = 0; x < Tile; ++x)
          if (x < width) store(corner + y * row + x * map.stride + c, larger(sums[x] + bias, floor));
    }
  }
}

template <int Tile, bool Normalise>
void transform_inputs(const Step &step, const float *arena, const Place *places, int tiles, const Layout &layout,
                      float *inputs) {
  for (int t = 0; t < tiles; ++t) {
    const Place &place = places[t];
    const bool edge = place.y == 0 || place.x == 0 || place.y + Tile >= step.in.height || place.x + Tile >= step.in.width;
    if (edge)
      transform_input<Tile, Normalise, true>(step, arena, place, layout, inputs + t * kRow);
    else
      transform_input<Tile, Normalise, false>(step, arena, place, layout, inputs + t * kRow);
  }
}

// Multiplies the transformed tiles by the weights of their positions, [position] of a matrix in panels.
void multiply_positions(const Step &step, int tiles, const Layout &layout, const float *inputs, float *products) {
  const int depth = step.in.channels, columns = step.out.channels;
  for (int p = 0; p < layout.positions; ++p) {
    const float *weights = step.weights + static_cast<int64_t>(p) * depth * layout.row;
    const Output out{products + static_cast<int64_t>(p) * kTiles * layout.row, layout.row, nullptr, false};
    for (int b = 0; b < layout.blocks; ++b)
      multiply(inputs + (p * layout.blocks + b) * layout.block(), tiles, weights, depth, columns, b * kDepth, out);
  }
}

template <int Tile>
void run_winograd(const Step &step, int images, float *arena, float *scratch) {
  const Layout layout(step);
  const int down = (step.out.height + Tile - 1) / Tile, across = (step.out.width + Tile - 1) / Tile;
  const int total = images * down * across;
  float *inputs = scratch, *products = scratch + layout.inputs();
  for (int first = 0; first < total; first += kTiles) {
    const int tiles = min(kTiles, total - first);
    Place places[kTiles];
    for (int t = 0; t < tiles; ++t) {
      const int index = first + t, in_image = index % (down * across);
      places[t] = {index / (down * across), in_image / across * Tile, in_image % across * Tile};
    }
    if (step.scale)
      transform_inputs<Tile, true>(step, arena, places, tiles, layout, inputs);
    else
      transform_inputs<Tile, false>(step, arena, places, tiles, layout, inputs);
    multiply_positions(step, tiles, layout, inputs, products);
    for (int t = 0; t < tiles; ++t) transform_output<Tile>(step, arena, places[t], layout, products + t * layout.row);
  }
}

inline int64_t winograd_scratch(const Step &step) {
  const Layout layout(step);
  return layout.inputs() + layout.products();
}

}  // namespace
