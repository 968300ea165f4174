// Float dtypes by the names of config.json and --dtype.
#pragma once
#include <c10/core/ScalarType.h>

#include <string>

namespace octet {

/// "float32", "bfloat16", "float16"; UsageError otherwise.
at::ScalarType parse_dtype(const std::string& name);

}  // namespace octet
