// The engine's interface to Python: what densezoo/backends/native/library.py fills in, and the functions that it calls.
//
// A program is a list of steps over one arena of floats, made for one image size. Feature maps lie in the arena as
// [image][row][column][channel] (NHWC). A dense block is one such map: each layer writes its new channels beside those
// that it read, so nothing is ever concatenated.
//
// Every pixel is followed by enough unused floats (Map::stride) that kernels load and store whole vectors and handle
// no tail: what they write behind a slice of channels is padding, or is written again by a later step.
#pragma once

#include <stdint.h>

extern "C" {

// A slice of the channels of a feature map.
struct Map {
  int64_t offset;        // floats from the arena's start to the slice's first channel of the first pixel
  int64_t image_stride;  // floats from an image to the next one
  int64_t row_stride;    // floats from a row to the next one
  int32_t height, width; // pixels
  int32_t stride;        // floats from a pixel to the next one
  int32_t channels;
};

// What each row (or column) of a pooled map is made of: `taps` input rows with a weight each. A window that is cut off
// by the map's edge has fewer; it repeats a row, with weight 0.
struct Windows {
  const int32_t *index;  // [output rows][taps]
  const float *weight;   // the same; null where the largest value is taken
  int32_t taps;
};

enum Kind {
  kLoad,     // pixels -> normalised floats with a border of zeros
  kProduct,  // each pixel's channels times a matrix: 1x1 convolution, linear layer
  kPatches,  // each window's pixels times a matrix: convolution of the input image
  kPooled,   // each pooled window's channels times a matrix: a transition
  kWinograd, // 3x3 convolution of stride 1 and padding 1
  kPool,     // largest value, or weighted sum, of each window
};

struct Step {
  int32_t kind;
  int32_t relu;                    // whether the output goes through a ReLU
  Map in, out;
  const float *scale, *shift;      // [in.channels]: the input is max(0, scale x + shift); null: as it is
  const float *weights;            // in panels: see gemm.h; kWinograd: a matrix for each position of a tile
  const Step *producer;            // kWinograd: the 1x1 convolution that makes its input, strip by strip; null: the
                                   // input is a map
  const float *bias;               // [out.channels], in whole vectors; null: none
  int32_t kernel[2], strides[2];   // kPatches: height, width
  int32_t pads[2];                 // kLoad: rows above, columns to the left
  Windows rows, columns;           // kPool, kPooled
  const float *table;              // kLoad: [channel][256], what a byte means
  const float *mean, *deviation;   // kLoad of floats: [channel]
};

struct Program {
  const Step *steps;
  int32_t count;
  int32_t input_is_float;
  int64_t scratch;  // floats from the arena's start to what a step may overwrite
  Map logits;       // one pixel for each image
};

// What an instruction set offers: compiled once for each (engine.cpp), chosen from at run time (dispatch.cpp).
struct Engine {
  int32_t vector;        // floats in a vector
  // Runs steps on `images` images. `seconds` [count]: what each step took is added; null: isn't measured.
  void (*run)(const Program *, const void *pixels, int32_t images, float *arena, float *logits, double *seconds);
  // Floats of scratch that a step needs.
  int64_t (*scratch_of)(const Step *);
  // Runs `rounds` of fused multiply-adds on registers alone; returns their number of floating point operations.
  double (*peak)(int64_t rounds);
};
}
