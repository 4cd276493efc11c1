// Pooling without a product: the largest value, or the weighted sum, of each window.
#pragma once

#include "pack.h"
#include "program.h"

namespace {

template <bool Normalise, bool Largest>
void pool(const Step &step, int images, float *arena) {
  const Prologue prologue{step.scale, step.shift};
  const Windows &tall = step.rows, &wide = step.columns;
  for (int image = 0; image < images; ++image)
    for (int y = 0; y < step.out.height; ++y)
      for (int x = 0; x < step.out.width; ++x) {
        float *to = at(arena, step.out, image, y, x);
        for (int c = 0; c < step.in.channels; c += kVector) {
          Vec pooled = Largest ? broadcast(-__builtin_inff()) : zero();
          for (int i = y * tall.taps; i < (y + 1) * tall.taps; ++i) {
            Vec row = pooled;  // sums by row: a chain of all of a map's pixels would round once for each
            if (!Largest) row = zero();
            for (int j = x * wide.taps; j < (x + 1) * wide.taps; ++j) {
              const Vec pixel = load(at(arena, step.in, image, tall.index[i], wide.index[j]) + c);
              const Vec value = prologue.apply<Normalise>(pixel, c);
              row = Largest ? larger(row, value) : multiply_add(value, broadcast(wide.weight[j]), row);
            }
            pooled = Largest ? row : multiply_add(row, broadcast(tall.weight[i]), pooled);
          }
          store(to + c, pooled);
        }
      }
}

inline void run_pool(const Step &step, int images, float *arena) {
  const bool largest = step.rows.weight == nullptr;
  if (step.scale)
    largest ? pool<true, true>(step, images, arena) : pool<true, false>(step, images, arena);
  else
    largest ? pool<false, true>(step, images, arena) : pool<false, false>(step, images, arena);
}

}  // namespace
