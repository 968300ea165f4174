#include "models/parse_dtype.h"

#include <fmt/format.h>

#include "core/error.h"

namespace octet {

at::ScalarType parse_dtype(const std::string& name) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  throw UsageError(fmt::format("dtype \"{}\"", name), "float32, bfloat16 or float16",
                   "choose one of them");
}

}  // namespace octet
