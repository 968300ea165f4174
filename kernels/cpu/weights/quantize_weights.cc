#include "kernels/cpu/weights/quantize_weights.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/dtype.h"
#include "kernels/codebook.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/weights/quantize_weights_rows.h"

namespace octet::cpu {
namespace {

constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

const WeightKernels& kernels() {
  static const WeightKernels& best = weight_kernels(best_level());
  return best;
}

// Where an Error may still leave: not in a parallel region.
void check_type(Dtype type, const char* what) {
  if (!is_compute_dtype(type)) refuse_dtype(type, what, "F16, BF16 or F32");
}

/// The first value whose magnitude reaches `limit`, or kNone; `limit` also caps the mask.
template <typename Bits>
int64_t first_from(const void* w, int64_t count, Bits limit) {
  constexpr Bits kMask = std::numeric_limits<Bits>::max();
  const auto* bits = static_cast<const Bits*>(w);
  constexpr int64_t kPiece = 4096;
  for (int64_t begin = 0; begin < count; begin += kPiece) {
    const int64_t end = std::min(count, begin + kPiece);
    Bits top = 0;
    for (int64_t i = begin; i < end; ++i) {
      const Bits magnitude = static_cast<Bits>(bits[i] & kMask);
      top = magnitude > top ? magnitude : top;
    }
    if (top < limit) continue;
    for (int64_t i = begin; i < end; ++i) {
      if (static_cast<Bits>(bits[i] & kMask) >= limit) return i;
    }
  }
  return kNone;
}

int64_t first_nonfinite(const void* w, Dtype type, int64_t count) {
  switch (type) {
    case Dtype::kF16:
      return first_from<int16_t>(w, count, 0x7c00);
    case Dtype::kBF16:
      return first_from<int16_t>(w, count, 0x7f80);
    default:
      return first_from<int32_t>(w, count, 0x7f800000);
  }
}

// Of a packed code.
int packed_bits(Dtype element) {
  if (element != Dtype::kI8 && element != Dtype::kI4) refuse_dtype(element, "codes", "I8 or I4");
  return bits(element);
}

// The largest weight: what is left to blame in a finite row that cannot be encoded.
int64_t largest(const float* x, int64_t k) {
  return std::max_element(x, x + k, [](float a, float b) { return std::abs(a) < std::abs(b); }) - x;
}

}  // namespace

int64_t quantize_weights(const void* w, Dtype type, int64_t rows, int64_t k,
                         const WeightCoding& coding, int8_t* codes, float* scales) {
  check_type(type, "weights");
  check_type(coding.scale_type, "scales");
  codebook(coding.element);
  const auto* bytes = static_cast<const std::byte*>(w);
  const int64_t groups = k == 0 ? 0 : coding.group > 0 ? k / coding.group : 1;
  int64_t bad = kNone;
#pragma omp parallel for schedule(static) reduction(min : bad) if (rows * k >= kSerialWork)
  for (int64_t r = 0; r < rows; ++r) {
    const std::byte* row = bytes + r * k * byte_size(type);
    float* x = thread_scratch<float>(kRowScratch, k);
    kernels().widen(row, type, k, x);
    if (kernels().quantize(x, k, coding, codes + r * k, scales + r * groups)) continue;
    const int64_t first = first_nonfinite(row, type, k);
    bad = std::min(bad, r * k + (first == kNone ? largest(x, k) : first));
  }
  return bad == kNone ? -1 : bad;
}

void round_trip(const float* w, int64_t rows, int64_t k, const WeightCoding& coding,
                const float* scales, float* values, uint8_t* inside) {
  codebook(coding.element);
  const int64_t groups = coding.group > 0 ? k / coding.group : 1;
#pragma omp parallel for schedule(static) if (rows * k >= kSerialWork)
  for (int64_t r = 0; r < rows; ++r) {
    kernels().round_trip(w + r * k, k, coding, scales + r * groups, values + r * k, inside + r * k);
  }
}

int64_t find_nonfinite(const void* w, Dtype type, int64_t count) {
  check_type(type, "values");
  const int64_t first = first_nonfinite(w, type, count);
  return first == kNone ? -1 : first;
}

void store_scales(const float* scales, int64_t count, Dtype type, void* out) {
  check_type(type, "scales");
  if (type == Dtype::kF32) {
    std::memcpy(out, scales, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  auto* halves = static_cast<uint16_t*>(out);
  for (int64_t i = 0; i < count; ++i) {
    halves[i] = type == Dtype::kF16 ? float_to_half(scales[i]) : float_to_bfloat16(scales[i]);
  }
}

void pack_qweight(const int8_t* codes, int64_t rows, int64_t k, Dtype element, int32_t* packed) {
  const int width = packed_bits(element);
  const int64_t words = (k * width + 31) / 32;
#pragma omp parallel for schedule(static) if (rows * k >= kSerialWork)
  for (int64_t r = 0; r < rows; ++r) {
    const auto* q = reinterpret_cast<const uint8_t*>(codes + r * k);
    auto* out = reinterpret_cast<uint8_t*>(packed + r * words);
    const int64_t used = width == 8 ? k : (k + 1) / 2;
    if (width == 8) {
      for (int64_t j = 0; j < k; ++j) out[j] = q[j] ^ 0x80;
    } else {
      for (int64_t j = 0; j < k / 2; ++j) {
        uint16_t pair = 0;
        std::memcpy(&pair, q + 2 * j, sizeof pair);
        pair = (pair & 0x0f0f) ^ 0x0808;
        out[j] = static_cast<uint8_t>(pair | pair >> 4);
      }
      if (k % 2 != 0) out[k / 2] = (q[k - 1] & 0x0f) ^ 0x08;
    }
    std::memset(out + used, 0, static_cast<size_t>(words * 4 - used));
  }
}

void unpack_qweight(const int32_t* packed, int64_t rows, int64_t k, Dtype element, int8_t* codes) {
  const int width = packed_bits(element);
  const int64_t words = (k * width + 31) / 32;
#pragma omp parallel for schedule(static) if (rows * k >= kSerialWork)
  for (int64_t r = 0; r < rows; ++r) {
    const auto* in = reinterpret_cast<const uint8_t*>(packed + r * words);
    int8_t* q = codes + r * k;
    if (width == 8) {
      for (int64_t j = 0; j < k; ++j) q[j] = static_cast<int8_t>(in[j] ^ 0x80);
    } else {
      for (int64_t j = 0; j < k; ++j) {
        q[j] = static_cast<int8_t>((in[j / 2] >> (j % 2 * 4) & 0x0f) - 8);
      }
    }
  }
}

}  // namespace octet::cpu
