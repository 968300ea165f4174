// The CUDA kernels against the naive references, in every element type.
#ifdef OCTET_HAS_CUDA
#include "kernels/cuda/kernels.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/error.h"
#include "tests/kernels/reference.h"

namespace octet::cuda {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

void require(cudaError_t status) {
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

uint16_t bf16_bits(float v) {
  const auto bits = std::bit_cast<uint32_t>(v);
  if (std::isnan(v)) return 0x7fc0;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// The nearest half by search among all of them, ties to even: slow and plain.
uint16_t half_bits(float v) {
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

std::vector<uint8_t> encode(const std::vector<float>& x, Type type) {
  std::vector<uint8_t> out(x.size() * (type == Type::kF32 ? 4 : 2));
  if (type == Type::kF32) std::memcpy(out.data(), x.data(), out.size());
  for (size_t i = 0; type != Type::kF32 && i < x.size(); ++i) {
    const uint16_t bits = type == Type::kF16 ? half_bits(x[i]) : bf16_bits(x[i]);
    std::memcpy(&out[2 * i], &bits, 2);
  }
  return out;
}

std::vector<float> decode(const std::vector<uint8_t>& bytes, Type type) {
  std::vector<float> x(bytes.size() / (type == Type::kF32 ? 4 : 2));
  if (type == Type::kF32) std::memcpy(x.data(), bytes.data(), bytes.size());
  for (size_t i = 0; type != Type::kF32 && i < x.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, &bytes[2 * i], 2);
    x[i] = type == Type::kF16 ? reference::from_half(bits)
                              : std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
  return x;
}

/// x as its type holds it.
std::vector<float> rounded(const std::vector<float>& x, Type type) {
  return decode(encode(x, type), type);
}

std::vector<float> normals(int64_t count, uint64_t seed) {
  const Random random(seed, "cuda_test");
  std::vector<float> x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(random.normal(i));
  return x;
}

std::vector<int8_t> codes(int64_t count) {
  const Random random(3, "cuda_test codes");
  std::vector<int8_t> q(count);
  for (int64_t i = 0; i < count; ++i) q[i] = static_cast<int8_t>(random.bits(i));
  return q;
}

class KernelsGpu : public testing::TestWithParam<Type> {
 protected:
  void SetUp() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) GTEST_SKIP() << "no GPU";
  }
  static std::vector<uint8_t> room_for(int64_t count) {
    return std::vector<uint8_t>(count * (GetParam() == Type::kF32 ? 4 : 2));
  }
};
INSTANTIATE_TEST_SUITE_P(Types, KernelsGpu, testing::Values(Type::kF32, Type::kF16, Type::kBF16),
                         [](const auto& info) {
                           return std::string(info.param == Type::kF32   ? "F32"
                                              : info.param == Type::kF16 ? "F16"
                                                                         : "BF16");
                         });

TEST_P(KernelsGpu, QuantizeRows) {
  for (int64_t k : {1, 2, 31, 32, 33, 257, 576, 4096}) {
    const int64_t rows = 9;
    std::vector<float> x = normals(rows * k, k);
    std::fill_n(x.begin() + k, k, 0.0f);
    x[3 * k] = kNan;
    x[4 * k + k - 1] = -kInf;
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    const OnDevice<int8_t> dq(std::vector<int8_t>(rows * k, 99));
    const OnDevice<float> ds(std::vector<float>(rows, 99.0f));
    quantize_rows(dx.get(), GetParam(), rows, k, dq.get(), ds.get(), nullptr);
    std::vector<int8_t> q(rows * k);
    std::vector<float> s(rows);
    reference::quantize_rows(rounded(x, GetParam()).data(), rows, k, q.data(), s.data());
    EXPECT_EQ(dq.host(), q);
    const std::vector<float> scale = ds.host();
    for (int64_t r = 0; r < rows; ++r) {
      EXPECT_TRUE(std::isnan(s[r]) ? std::isnan(scale[r]) : scale[r] == s[r]) << r;
    }
  }
}

TEST_P(KernelsGpu, QuantizeTensor) {
  for (int64_t count : {1, 33, 100'003}) {
    std::vector<float> x = normals(count, 2);
    x[0] = 1e4f;
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    const OnDevice<int8_t> dq(std::vector<int8_t>(count, 99));
    const OnDevice<float> ds(std::vector<float>{0.015625f});  // many exact halves
    quantize_tensor(dx.get(), GetParam(), count, ds.get(), dq.get(), nullptr);
    const std::vector<float> held = rounded(x, GetParam());
    const std::vector<int8_t> q = dq.host();
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(q[i], reference::code(held[i], 0.015625f)) << i;
  }
}

TEST_P(KernelsGpu, Dequantize) {
  const int64_t m = 5, n = 67, ld = 72;
  const std::vector<float> row = normals(m, 1), column = normals(n, 2), bias = normals(n, 3);
  std::vector<int32_t> acc(m * ld);
  for (size_t i = 0; i < acc.size(); ++i) acc[i] = static_cast<int32_t>(i * 7919) - 1'000'000;
  const OnDevice<int32_t> dacc(acc);
  const OnDevice<float> drow(row), dcolumn(column);
  const OnDevice<uint8_t> dbias(encode(bias, GetParam())), dy(room_for(m * n));
  for (bool per_row : {true, false}) {
    for (bool with_bias : {true, false}) {
      dequantize(dacc.get(), ld, m, n, drow.get(), per_row, dcolumn.get(),
                 with_bias ? dbias.get() : nullptr, GetParam(), dy.get(), nullptr);
      std::vector<float> expected(m * n);
      for (int64_t i = 0; i < m * n; ++i) {
        const float v = static_cast<float>(acc[i / n * ld + i % n]) * row[per_row ? i / n : 0];
        expected[i] = v * column[i % n];
        if (with_bias) expected[i] += rounded(bias, GetParam())[i % n];
      }
      EXPECT_EQ(dy.host(), encode(expected, GetParam()));
    }
  }
}

TEST_P(KernelsGpu, WidenRows) {
  const int64_t rows = 7, k = 129;
  const std::vector<int8_t> q = codes(rows * k);
  const std::vector<float> scale = normals(rows, 5);
  const OnDevice<int8_t> dq(q);
  const OnDevice<float> ds(scale);
  const OnDevice<uint8_t> dy(room_for(rows * k));
  widen_int8_rows(dq.get(), ds.get(), rows, k, GetParam(), dy.get(), nullptr);
  std::vector<float> expected(rows * k);
  for (int64_t i = 0; i < rows * k; ++i) expected[i] = static_cast<float>(q[i]) * scale[i / k];
  EXPECT_EQ(dy.host(), encode(expected, GetParam()));
}

TEST_P(KernelsGpu, FewRowsLinear) {
  for (int64_t k : {1, 15, 16, 576, 1000}) {
    for (int64_t m : {1, 2, 3, 4, 5, 6, 7, 8}) {
      const int64_t n = 37;
      const std::vector<int8_t> q = codes(n * k);
      const std::vector<float> scale = normals(n, 5), x = normals(m * k, 6), bias = normals(n, 7);
      const OnDevice<int8_t> dq(q);
      const OnDevice<float> ds(scale);
      const OnDevice<uint8_t> dx(encode(x, GetParam())), db(encode(bias, GetParam())),
          dy(room_for(m * n));
      w8a16_gemv(dq.get(), ds.get(), m % 2 ? db.get() : nullptr, dx.get(), GetParam(), m, n, k,
                 dy.get(), nullptr);
      const std::vector<float> y = decode(dy.host(), GetParam());
      const std::vector<float> held = rounded(x, GetParam()), held_bias = rounded(bias, GetParam());
      // Half an ulp of the output type, and k / 32 + 5 additions in float32.
      const double ulp = GetParam() == Type::kF32   ? 0x1p-24
                         : GetParam() == Type::kF16 ? 0x1p-11
                                                    : 0x1p-8;
      for (int64_t i = 0; i < m * n; ++i) {
        double sum = m % 2 ? held_bias[i % n] : 0, size = std::abs(sum);
        for (int64_t j = 0; j < k; ++j) {
          const double term = double{held[i / n * k + j]} * q[i % n * k + j] * scale[i % n];
          sum += term;
          size += std::abs(term);
        }
        const double bound = std::abs(sum) * ulp + size * (k / 32.0 + 24) * 0x1p-24;
        ASSERT_NEAR(y[i], sum, bound) << m << " " << k << " " << i;
      }
    }
  }
}

TEST_P(KernelsGpu, MoreThanFewRowsIsRefused) {
  EXPECT_THROW(
      w8a16_gemv(nullptr, nullptr, nullptr, nullptr, GetParam(), 9, 1, 1, nullptr, nullptr), Error);
}

TEST_P(KernelsGpu, ChannelAbsmax) {
  const int64_t rows = 300, k = 301;
  std::vector<float> x = normals(rows * k, 8);
  x[7 * k + 5] = kNan;
  x[8 * k + 6] = -kInf;
  std::vector<float> absmax(k, 0.0f);
  absmax[2] = 1000.0f;
  const OnDevice<uint8_t> dx(encode(x, GetParam()));
  const OnDevice<float> dmax(absmax);
  channel_absmax(dx.get(), GetParam(), rows, k, dmax.get(), nullptr);
  const std::vector<float> held = rounded(x, GetParam()), got = dmax.host();
  for (int64_t j = 0; j < k; ++j) {
    if (j == 5) {
      EXPECT_TRUE(std::isnan(got[j]));
      continue;
    }
    for (int64_t r = 0; r < rows; ++r) absmax[j] = std::max(absmax[j], std::abs(held[r * k + j]));
    ASSERT_EQ(got[j], absmax[j]) << j;
  }
}

TEST_P(KernelsGpu, Histogram) {
  for (int64_t bins : {1, 1024, 20'000}) {  // the last is counted without shared memory
    std::vector<float> x = normals(100'003, 9);
    for (size_t i = 0; i < x.size(); i += 3) x[i] = 0.0f;
    std::vector<int64_t> counts(bins, 5);
    int64_t zeros = 11;
    const OnDevice<uint8_t> dx(encode(x, GetParam()));
    const OnDevice<int64_t> dcounts(counts), dzeros(std::vector<int64_t>{zeros});
    histogram(dx.get(), GetParam(), static_cast<int64_t>(x.size()), 0x1p-9f, dcounts.get(), bins,
              dzeros.get(), nullptr);
    for (float v : rounded(x, GetParam())) {
      if (v == 0) {
        ++zeros;
      } else {
        ++counts[std::min(bins - 1, static_cast<int64_t>(std::abs(v) * 512.0f))];
      }
    }
    EXPECT_EQ(dcounts.host(), counts);
    EXPECT_EQ(dzeros.host()[0], zeros);
  }
}

TEST_P(KernelsGpu, NoRowsIsNothing) {
  quantize_rows(nullptr, GetParam(), 0, 8, nullptr, nullptr, nullptr);
  quantize_tensor(nullptr, GetParam(), 0, nullptr, nullptr, nullptr);
  dequantize(nullptr, 8, 0, 8, nullptr, true, nullptr, nullptr, GetParam(), nullptr, nullptr);
  widen_int8_rows(nullptr, nullptr, 0, 8, GetParam(), nullptr, nullptr);
  w8a16_gemv(nullptr, nullptr, nullptr, nullptr, GetParam(), 0, 8, 8, nullptr, nullptr);
  channel_absmax(nullptr, GetParam(), 0, 8, nullptr, nullptr);
  histogram(nullptr, GetParam(), 0, 1.0f, nullptr, 8, nullptr, nullptr);
}

}  // namespace
}  // namespace octet::cuda
#endif  // OCTET_HAS_CUDA
