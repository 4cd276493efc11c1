// Every kernel under one instruction set; build.py compiles this file once for each and names it by -DENGINE.
// Uses nothing of C++'s library: an inline function of it, compiled here, could be linked into code for older processors.
#include <time.h>

#include "load.h"
#include "pack.h"
#include "pool.h"
#include "program.h"
#include "winograd.h"

namespace {

double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void run_step(const Step &step, const Program &program, const void *pixels, int images, float *arena) {
  float *scratch = arena + program.scratch;
  switch (step.kind) {
    case kLoad:
      return run_load(step, pixels, program.input_is_float != 0, images, arena);
    case kProduct:
    case kPatches:
    case kPooled:
      return run_product(step, images, arena, scratch);
    case kWinograd:
      return run_winograd(step, images, arena, scratch);
    case kPool:
      return run_pool(step, images, arena);
  }
}

void run(const Program *program, const void *pixels, int32_t images, float *arena, float *logits, double *seconds) {
  for (int i = 0; i < program->count; ++i) {
    const double begin = seconds ? now() : 0.0;
    run_step(program->steps[i], *program, pixels, images, arena);
    if (seconds) seconds[i] += now() - begin;
  }
  const Map &map = program->logits;
  for (int image = 0; image < images; ++image)
    for (int c = 0; c < map.channels; ++c) logits[image * map.channels + c] = at(arena, map, image, 0, 0)[c];
}

int64_t scratch_of(const Step *step) { return step->kind == kWinograd ? Layout(*step).scratch() : kPacked; }

double peak(int64_t rounds) {
  constexpr int chains = 12;  // latency 4 to 5 x 2 a cycle
  Vec sums[chains];
#pragma GCC unroll 12
  for (int i = 0; i < chains; ++i) sums[i] = broadcast(static_cast<float>(i));
  const Vec factor = broadcast(0.999f), added = broadcast(0.001f);
  for (int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) {
      sums[i] = multiply_add(sums[i], factor, added);
      asm volatile("" : "+v"(sums[i]));  // keeps the compiler from shortening the loop
    }
  return 2.0 * kVector * chains * static_cast<double>(rounds);
}

}  // namespace

extern "C" const Engine ENGINE;
const Engine ENGINE = {kVector, run, scratch_of, peak};
