// What the tests of the CUDA kernels share: arrays on the device and element types on the host.
#pragma once
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/random.h"
#include "kernels/cuda/kernels.h"
#include "tests/environment.h"
#include "tests/kernels/reference.h"

namespace octet::cuda {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

inline void require(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

/// An array on the device, copied in and out.
template <typename T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& host) : count_(host.size()) {
    require(cudaMalloc(&data_, std::max<size_t>(count_, 1) * sizeof(T)));
    require(cudaMemcpy(data_, host.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~OnDevice() { cudaFree(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  T* get() const { return static_cast<T*>(data_); }
  std::vector<T> host() const {
    std::vector<T> out(count_);
    require(cudaMemcpy(out.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
    return out;
  }

 private:
  size_t count_;
  void* data_ = nullptr;
};

inline uint16_t bf16_bits(float v) {
  const auto bits = std::bit_cast<uint32_t>(v);
  if (std::isnan(v)) return 0x7fc0;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// The nearest half by search among all of them, ties to even: slow and plain.
inline uint16_t half_bits(float v) {
  if (std::isnan(v)) return 0x7e00;
  const uint16_t sign = std::signbit(v) ? 0x8000 : 0;
  const float size = std::abs(v);
  if (size >= 65520.0f) return sign | 0x7c00;
  int low = 0, high = 0x7c00;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (reference::from_half(static_cast<uint16_t>(middle)) <= size ? low : high) = middle;
  }
  const double below = size - double{reference::from_half(static_cast<uint16_t>(low))};
  const double top = high == 0x7c00 ? 65536.0 : reference::from_half(static_cast<uint16_t>(high));
  const double above = top - size;
  const bool up = above < below || (above == below && low % 2 == 1);
  return static_cast<uint16_t>(sign | (up ? high : low));
}

inline std::vector<uint8_t> encode(const std::vector<float>& x, Dtype type) {
  std::vector<uint8_t> out(x.size() * (type == Dtype::kF32 ? 4 : 2));
  if (type == Dtype::kF32) std::memcpy(out.data(), x.data(), out.size());
  for (size_t i = 0; type != Dtype::kF32 && i < x.size(); ++i) {
    const uint16_t bits = type == Dtype::kF16 ? half_bits(x[i]) : bf16_bits(x[i]);
    std::memcpy(&out[2 * i], &bits, 2);
  }
  return out;
}

inline std::vector<float> decode(const std::vector<uint8_t>& bytes, Dtype type) {
  std::vector<float> x(bytes.size() / (type == Dtype::kF32 ? 4 : 2));
  if (type == Dtype::kF32) std::memcpy(x.data(), bytes.data(), bytes.size());
  for (size_t i = 0; type != Dtype::kF32 && i < x.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, &bytes[2 * i], 2);
    x[i] = type == Dtype::kF16 ? reference::from_half(bits)
                               : std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
  return x;
}

/// x as its type holds it.
inline std::vector<float> rounded(const std::vector<float>& x, Dtype type) {
  return decode(encode(x, type), type);
}

inline std::vector<float> normals(int64_t count, uint64_t seed) {
  const Random random(seed, "cuda_test");
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(random.normal(i));
  return x;
}

inline size_t bytes_of(Dtype type) {
  return type == Dtype::kF32 ? 4 : 2;
}

inline std::string name_of(Dtype type) {
  return type == Dtype::kF32 ? "F32" : type == Dtype::kF16 ? "F16" : "BF16";
}

/// Half a unit in the last place of the type, relative.
inline double half_ulp(Dtype type) {
  return type == Dtype::kF32 ? 0x1p-24 : type == Dtype::kF16 ? 0x1p-11 : 0x1p-8;
}

/// A test in each element type.
class TypedGpu : public testing::TestWithParam<Dtype> {
 protected:
  void SetUp() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0)
      test::without_gpu("no CUDA device");
  }
  static std::vector<uint8_t> room_for(int64_t count) {
    return std::vector<uint8_t>(static_cast<size_t>(count) * bytes_of(GetParam()));
  }
};

}  // namespace octet::cuda
