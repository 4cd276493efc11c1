// The part of a resized image that a crop takes, with the arithmetic of Pillow's src/libImaging/Resample.c, so that the
// bytes are equal: coefficients in doubles, rounded to whole numbers of 22 bits; first across, rounded to bytes, then
// down. Only the columns of the crop and the rows that it depends on are computed. Compiled with AVX2, without fused
// multiply-adds, which would round the coefficients otherwise.
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <vector>

namespace {

constexpr int kBits = 22;              // of a coefficient's fraction
constexpr int32_t kHalf = 1 << (kBits - 1);

double bilinear(double x) {
  x = fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double bicubic(double x) {
  constexpr double a = -0.5;
  x = fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

// What each sample of an axis is made of: `count` samples before the resize from `first` on.
struct Taps {
  std::vector<int32_t> first, count, weights;  // weights: `most` for each sample
  int32_t most;

  // length, size: of the axis before and after the resize; start, samples: those after it that are wanted.
  Taps(int32_t length, int32_t size, int32_t start, int32_t samples, bool cubic)
      : first(samples), count(samples) {
    const double scale = static_cast<double>(length) / size, widened = scale < 1.0 ? 1.0 : scale;
    const double support = (cubic ? 2.0 : 1.0) * widened, inverse = 1.0 / widened;
    most = static_cast<int32_t>(ceil(support)) * 2 + 1;
    weights.assign(static_cast<size_t>(samples) * most, 0);
    std::vector<double> exact(most);
    for (int32_t i = 0; i < samples; i++) {
      const double centre = (start + i + 0.5) * scale;
      int32_t from = static_cast<int32_t>(centre - support + 0.5), to = static_cast<int32_t>(centre + support + 0.5);
      from = from < 0 ? 0 : from;
      to = to > length ? length : to;
      double sum = 0.0;
      for (int32_t j = 0; j < to - from; j++) {
        const double x = (j + from - centre + 0.5) * inverse;
        sum += exact[j] = cubic ? bicubic(x) : bilinear(x);
      }
      for (int32_t j = 0; j < to - from; j++) {
        const double weight = (sum != 0.0 ? exact[j] / sum : exact[j]) * (1 << kBits);
        weights[static_cast<size_t>(i) * most + j] = static_cast<int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
      }
      first[i] = from;
      count[i] = to - from;
    }
  }
};

uint8_t clipped(int32_t sum) {
  sum >>= kBits;
  return static_cast<uint8_t>(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

// One row across: pixels of three bytes -> a row of each of three planes. Reads a byte behind the last pixel.
void across(const uint8_t *row, const Taps &taps, int32_t samples, uint8_t *const planes[3]) {
  for (int32_t i = 0; i < samples; i++) {
    const int32_t *weight = &taps.weights[static_cast<size_t>(i) * taps.most];
    const uint8_t *pixel = row + 3 * taps.first[i];
    __m128i sum = _mm_set1_epi32(kHalf), other = _mm_setzero_si128();
    const int32_t count = taps.count[i];
    int32_t j = 0;
    for (; j + 1 < count; j += 2, pixel += 6) {
      int32_t two[2];
      memcpy(&two[0], pixel, 4);
      memcpy(&two[1], pixel + 3, 4);
      const __m128i left = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(two[0]));
      const __m128i right = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(two[1]));
      sum = _mm_add_epi32(sum, _mm_mullo_epi32(left, _mm_set1_epi32(weight[j])));
      other = _mm_add_epi32(other, _mm_mullo_epi32(right, _mm_set1_epi32(weight[j + 1])));
    }
    if (j < count) {
      int32_t one;
      memcpy(&one, pixel, 4);
      const __m128i last = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(one));
      sum = _mm_add_epi32(sum, _mm_mullo_epi32(last, _mm_set1_epi32(weight[j])));
    }
    sum = _mm_srai_epi32(_mm_add_epi32(sum, other), kBits);
    const __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(sum, sum), sum);
    const uint32_t rgb = static_cast<uint32_t>(_mm_cvtsi128_si32(bytes));
    planes[0][i] = static_cast<uint8_t>(rgb);
    planes[1][i] = static_cast<uint8_t>(rgb >> 8);
    planes[2][i] = static_cast<uint8_t>(rgb >> 16);
  }
}

// One row down: `count` rows of bytes, `stride` bytes apart -> one.
void down(const uint8_t *rows, int64_t stride, const int32_t *weights, int32_t count, int32_t samples, uint8_t *out) {
  int32_t x = 0;
  for (; x + 16 <= samples; x += 16) {
    __m256i low = _mm256_set1_epi32(kHalf), high = low;
    for (int32_t j = 0; j < count; j++) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(rows + j * stride + x));
      const __m256i weight = _mm256_set1_epi32(weights[j]);
      low = _mm256_add_epi32(low, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), weight));
      high = _mm256_add_epi32(high, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)), weight));
    }
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(_mm256_srai_epi32(low, kBits), _mm256_srai_epi32(high, kBits)), 0xd8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out + x), bytes);
  }
  for (; x < samples; x++) {
    int32_t sum = kHalf;
    for (int32_t j = 0; j < count; j++) sum += rows[j * stride + x] * weights[j];
    out[x] = clipped(sum);
  }
}

}  // namespace

// An image's resize, of which only a crop is computed.
struct Crop {
  int32_t height, width;            // of the image, pixels
  int64_t stride;                   // bytes from a row of the image to the next one
  int32_t new_height, new_width;    // after the resize
  int32_t top, left, rows, columns; // of the crop, after the resize
  int32_t cubic;                    // bicubic, else bilinear
  int32_t reversed;                 // the last channel is the first plane
};

// Pixels (height, width, 3) -> planes (3, rows, columns). Returns 0 where the processor lacks AVX2 and nothing is done.
extern "C" __attribute__((visibility("default"))) int32_t densezoo_resize(const uint8_t *pixels, const Crop *crop,
                                                                           uint8_t *planes) {
  if (!__builtin_cpu_supports("avx2")) return 0;
  const int32_t columns = crop->columns, size = crop->rows * columns;
  const Taps sideways(crop->width, crop->new_width, crop->left, columns, crop->cubic);
  const Taps downwards(crop->height, crop->new_height, crop->top, crop->rows, crop->cubic);
  const int32_t from = downwards.first[0], to = downwards.first.back() + downwards.count.back();
  static thread_local std::vector<uint8_t> kept;  // the rows between the passes, in three planes
  static thread_local std::vector<uint8_t> last;
  const int64_t plane = static_cast<int64_t>(to - from) * columns;
  if (kept.size() < static_cast<size_t>(3 * plane)) kept.resize(3 * plane);
  for (int32_t y = from; y < to; y++) {
    const uint8_t *row = pixels + y * crop->stride;
    if (y == crop->height - 1) {  // a byte may be read behind the image's last one
      last.assign(row, row + 3 * crop->width);
      last.push_back(0);
      row = last.data();
    }
    uint8_t *const out[3] = {&kept[(y - from) * columns], &kept[plane + (y - from) * columns],
                             &kept[2 * plane + (y - from) * columns]};
    if (crop->new_width != crop->width) {
      across(row, sideways, columns, out);
      continue;
    }
    for (int32_t x = 0; x < columns; x++)  // Pillow leaves out a pass that changes nothing
      for (int32_t c = 0; c < 3; c++) out[c][x] = row[3 * (crop->left + x) + c];
  }
  for (int32_t c = 0; c < 3; c++) {
    uint8_t *const target = planes + (crop->reversed ? 2 - c : c) * static_cast<int64_t>(size);
    for (int32_t y = 0; y < crop->rows; y++) {
      const uint8_t *rows = &kept[c * plane + static_cast<int64_t>(downwards.first[y] - from) * columns];
      if (crop->new_height != crop->height)
        down(rows, columns, &downwards.weights[static_cast<size_t>(y) * downwards.most], downwards.count[y], columns,
             target + static_cast<int64_t>(y) * columns);
      else  // a pass that changes nothing
        memcpy(target + static_cast<int64_t>(y) * columns,
               &kept[c * plane + static_cast<int64_t>(crop->top + y - from) * columns], columns);
    }
  }
  return 1;
}
