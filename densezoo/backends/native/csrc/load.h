// Pixels [image][channel][row][column], as decoders and resizers give them, into a normalised map with a border of zeros.
#pragma once

#include "pack.h"
#include "program.h"

namespace {

template <class Value, class Normalise>
void load_images(const Step &step, const Value *pixels, int images, float *arena, const Normalise &normalise) {
  const Map &from = step.in, &to = step.out;
  for (int image = 0; image < images; ++image) {
    float *first = at(arena, to, image, 0, 0);
    for (int64_t i = 0; i < static_cast<int64_t>(to.height) * to.width * to.channels; ++i) first[i] = 0.0f;
    for (int y = 0; y < from.height; ++y)
      for (int c = 0; c < to.channels; ++c) {
        const Value *row = pixels + ((static_cast<int64_t>(image) * to.channels + c) * from.height + y) * from.width;
        float *out = at(arena, to, image, y + step.pads[0], step.pads[1]) + c;
        for (int x = 0; x < from.width; ++x) out[static_cast<int64_t>(x) * to.channels] = normalise(row[x], c);
      }
  }
}

inline void run_load(const Step &step, const void *pixels, bool floats, int images, float *arena) {
  if (floats)
    load_images(step, static_cast<const float *>(pixels), images, arena,
                [&](float value, int c) { return (value - step.mean[c]) / step.deviation[c]; });
  else
    load_images(step, static_cast<const uint8_t *>(pixels), images, arena,
                [&](uint8_t value, int c) { return step.table[c * 256 + value]; });
}

}  // namespace
