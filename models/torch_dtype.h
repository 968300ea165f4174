// Element types of octet and of torch.
#pragma once
#include <c10/core/ScalarType.h>

#include <string>

#include "core/dtype.h"

namespace octet {

/// Error for those that octet does not hold in tensors, naming the tensor if there is one.
at::ScalarType torch_dtype(Dtype dtype, const std::string& tensor = "");
/// Error for those that safetensors lacks.
Dtype container_dtype(at::ScalarType dtype);

}  // namespace octet
