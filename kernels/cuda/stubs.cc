// What kernels/cuda declares, in a build without it: compiled instead of its other sources, so that
// nothing outside has to know. Only tensors on a GPU lead here, and no GPU can be opened then.
#include "core/error.h"
#include "kernels/cuda/built.h"
#include "kernels/cuda/gemm/autotuner.h"
#include "kernels/cuda/gemm/small_m.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/recording.h"
#include "kernels/cuda/rows/fake_quant.h"
#include "kernels/cuda/rows/row_kernels.h"

namespace octet::cuda {
namespace {

[[noreturn]] void not_built() {
  throw Error("this octet was built without CUDA", "a build with nvcc",
              "use --device cpu, or build where nvcc is found");
}

}  // namespace

bool is_built() {
  return false;
}

// kernels.h
void quantize_rows(const void*, Dtype, int64_t, int64_t, int8_t*, float*, void*) {
  not_built();
}
void quantize_tensor(const void*, Dtype, int64_t, const float*, int8_t*, void*) {
  not_built();
}
void dequantize(const int32_t*, int64_t, int64_t, int64_t, const float*, bool, const float*,
                const void*, Dtype, void*, void*) {
  not_built();
}
void widen_int8_rows(const int8_t*, const float*, int64_t, int64_t, Dtype, void*, void*) {
  not_built();
}
void w8a16_gemv(const int8_t*, const float*, const void*, const void*, Dtype, int64_t, int64_t,
                int64_t, void*, void*) {
  not_built();
}
void channel_absmax(const void*, Dtype, int64_t, int64_t, float*, void*) {
  not_built();
}
void histogram(const void*, Dtype, int64_t, float, int64_t*, int64_t, int64_t*, void*) {
  not_built();
}

// rows/row_kernels.h
void rms_norm_rows(const void*, const void*, const void*, float, Dtype, int64_t, int64_t, void*,
                   const RowTarget&, void*) {
  not_built();
}
void layer_norm_rows(const void*, const void*, const void*, const void*, float, Dtype, int64_t,
                     int64_t, void*, const RowTarget&, void*) {
  not_built();
}
void gate_rows(RowActivation, const void*, Dtype, int64_t, int64_t, const RowTarget&, void*) {
  not_built();
}
void activate_rows(RowActivation, const void*, Dtype, int64_t, int64_t, const RowTarget&, void*) {
  not_built();
}

// rows/fake_quant.h
void fake_quant_weights(const float*, const float*, int64_t, int64_t, int64_t, Dtype, Dtype, void*,
                        uint8_t*, void*) {
  not_built();
}
void mask_gradient(const void*, Dtype, const uint8_t*, int64_t, float*, void*) {
  not_built();
}
void fake_quant_rows(const void*, Dtype, int64_t, int64_t, Dtype, void*, float*, void*) {
  not_built();
}
void fake_quant_tensor(const void*, Dtype, int64_t, const float*, Dtype, void*, void*) {
  not_built();
}
void mask_beyond(const void*, Dtype, float, int64_t, void*, void*) {
  not_built();
}

// gemm/small_m.h
void w8a8_small_m(const int8_t*, const float*, bool, const int8_t*, const float*, const void*,
                  Dtype, int64_t, int64_t, int64_t, void*, void*, bool) {
  not_built();
}
void w8a16_small_m(const void*, const int8_t*, const float*, const void*, Dtype, int64_t, int64_t,
                   int64_t, void*, void*, bool) {
  not_built();
}
int64_t packed_w4_bytes(int64_t, int64_t) {
  not_built();
}
int64_t packed_w4_scales(int64_t, int64_t, int64_t) {
  not_built();
}
void pack_w4(const int8_t*, const float*, int64_t, int64_t, int64_t, Dtype, uint8_t*, void*,
             void*) {
  not_built();
}
void unpack_w4(const uint8_t*, const void*, Dtype, int64_t, int64_t, int64_t, int64_t, Dtype, void*,
               void*) {
  not_built();
}
void w4a16_small_m(const void*, const uint8_t*, const void*, Dtype, int64_t, const void*, Dtype,
                   int64_t, int64_t, int64_t, void*, void*, bool) {
  not_built();
}

// gemm/autotuner.h
GemmAutotuner::GemmAutotuner(std::string) {
  not_built();
}
GemmAutotuner::~GemmAutotuner() = default;
bool GemmAutotuner::run(const Int8Gemm&, bool, void*) {
  not_built();
}

// recording.h
Recording::Recording(void*, const std::function<void()>&) : stream_(nullptr) {
  not_built();
}
Recording::~Recording() = default;
double Recording::microseconds() const {
  not_built();
}

}  // namespace octet::cuda
