// Chooses among the engines at run time; compiled for any x86-64 processor.
#include "program.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

extern "C" const Engine engine_avx2, engine_avx512;

// Whether this processor and its operating system have an instruction set.
static bool runs(int instruction_set) {
  if (instruction_set == 512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

// The engine of an instruction set, 256 or 512 bits wide; null where the processor has no such instructions.
EXPORT const Engine *densezoo_engine(int32_t bits) {
  if (!runs(bits)) return nullptr;
  return bits == 512 ? &engine_avx512 : &engine_avx2;
}

// Of a Step, so that the other side of the interface can compare it with its own.
EXPORT int64_t densezoo_step_size() { return sizeof(Step); }

// The hash of the sources that this was compiled from.
EXPORT const char *densezoo_sources() { return SOURCES; }
