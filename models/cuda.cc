#ifdef OCTET_HAS_CUDA
#include "models/cuda.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include "core/error.h"

namespace octet {

cuda::Type cuda_type(const at::Tensor& x) {
  switch (x.scalar_type()) {
    case at::kFloat:
      return cuda::Type::kF32;
    case at::kHalf:
      return cuda::Type::kF16;
    case at::kBFloat16:
      return cuda::Type::kBF16;
    default:
      throw Error(fmt::format("a {} tensor on the GPU", c10::toString(x.scalar_type())),
                  "float32, float16 or bfloat16", "choose another --dtype");
  }
}

void* current_cuda_stream() {
  // Through the device guard interface: libc10_cuda is loaded at run time only.
  const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
  return guard.getStreamNativeHandle(guard.getStream(guard.getDevice()));
}

void cuda_quantize(const at::Tensor& x, Format format, Activation& out) {
  if (format == Format::kInt8Token) {
    cuda::quantize_rows(x.data_ptr(), cuda_type(x), x.size(0), x.size(1), out.q.data_ptr<int8_t>(),
                        out.scale.data_ptr<float>(), current_cuda_stream());
  } else {
    cuda::quantize_tensor(x.data_ptr(), cuda_type(x), x.numel(), out.scale.data_ptr<float>(),
                          out.q.data_ptr<int8_t>(), current_cuda_stream());
  }
}

}  // namespace octet
#endif
