// A tensor as a container lists it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"

namespace octet {

/// The dtype that safetensors calls `name`.
std::optional<Dtype> dtype_from_name(std::string_view name);

/// C order, outermost dimension first.
struct TensorInfo {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
};

/// Product of the shape; throws Error on overflow of int64.
int64_t element_count(const TensorInfo& info);
/// Bytes of the data; throws Error on overflow or when bits do not fill whole bytes.
uint64_t byte_count(const TensorInfo& info);

}  // namespace octet
