// The device as a parameter of a suite: instances are named Cpu and Gpu, and those on a GPU are
// skipped where there is none.
#pragma once
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "models/run/device.h"
#include "tests/environment.h"

namespace octet::test {

/// Where a test runs, and the type it computes in.
struct Place {
  std::string device = "cpu";
  at::ScalarType compute = at::kFloat;
};

/// Also the name of the test's instance.
inline std::string name_of(const Place& place) {
  return place.device + (place.compute == at::kFloat      ? "_float32"
                         : place.compute == at::kHalf     ? "_float16"
                         : place.compute == at::kBFloat16 ? "_bfloat16"
                                                          : "_float64");
}
inline void PrintTo(const Place& place, std::ostream* out) {
  *out << name_of(place);
}

/// Why no GPU can be used; empty where one can.
inline const std::string& gpu_problem() {
  static const std::string problem = []() -> std::string {
    try {
      open_device("cuda");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }();
  return problem;
}

/// For a test's SetUp(): the device, opened.
inline at::Device device_under_test(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (gpu_problem().empty()) return open_device(name);
  without_gpu(gpu_problem());
  return at::kCPU;
}

/// Largest relative error of rounding to nearest in this type.
inline double unit_roundoff(at::ScalarType type) {
  return type == at::kHalf ? 0x1p-11 : type == at::kBFloat16 ? 0x1p-8 : 0x1p-24;
}

/// Root mean square of what `count` roundings to this type add, relative, where each is spread
/// evenly over its interval and none depends on another.
inline double rounding_noise(at::ScalarType type, double count) {
  return std::sqrt(count / 3) * unit_roundoff(type);
}

}  // namespace octet::test
