#include "models/torch_dtype.h"

#include <fmt/format.h>

#include "core/error.h"

namespace octet {

at::ScalarType torch_dtype(Dtype dtype, const std::string& tensor) {
  switch (dtype) {
    case Dtype::kBool:
      return at::kBool;
    case Dtype::kU8:
      return at::kByte;
    case Dtype::kI8:
      return at::kChar;
    case Dtype::kI16:
      return at::kShort;
    case Dtype::kF16:
      return at::kHalf;
    case Dtype::kBF16:
      return at::kBFloat16;
    case Dtype::kI32:
      return at::kInt;
    case Dtype::kF32:
      return at::kFloat;
    case Dtype::kF64:
      return at::kDouble;
    case Dtype::kI64:
      return at::kLong;
    default:
      throw Error(fmt::format("{} of dtype {}", tensor.empty() ? "values" : "tensor " + tensor,
                              name(dtype)),
                  "F16, BF16, F32, F64 or an integer dtype", "convert the checkpoint to F16 first");
  }
}

Dtype container_dtype(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBool:
      return Dtype::kBool;
    case at::kByte:
      return Dtype::kU8;
    case at::kChar:
      return Dtype::kI8;
    case at::kShort:
      return Dtype::kI16;
    case at::kHalf:
      return Dtype::kF16;
    case at::kBFloat16:
      return Dtype::kBF16;
    case at::kInt:
      return Dtype::kI32;
    case at::kFloat:
      return Dtype::kF32;
    case at::kDouble:
      return Dtype::kF64;
    case at::kLong:
      return Dtype::kI64;
    default:
      throw Error(fmt::format("a tensor of type {}", c10::toString(dtype)),
                  "a dtype of safetensors", "this is a defect in octet: please report it");
  }
}

}  // namespace octet
