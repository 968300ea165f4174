#include <ATen/ATen.h>
#include <fmt/format.h>

#include <memory>

#include "core/error.h"
#include "kernels/cuda/gemm/autotuner.h"
#include "kernels/cuda/gemm/small_m.h"
#include "kernels/cuda/rows/row_kernels.h"
#include "models/run/cuda.h"
#include "tools/bench/kernel_bench.h"

namespace octet {
namespace {

// N x K of Llama-3-8B's and -70B's projections.
constexpr int64_t kShapes[][2] = {{6144, 4096}, {28672, 4096}, {4096, 14336}, {8192, 8192}};
constexpr double kColdBytes = 3e8;  // several times the L2 cache of any card

const auto kHalf = at::TensorOptions(at::kHalf).device(at::kCUDA);

int64_t copies_for(double bytes) {
  return std::max<int64_t>(2, static_cast<int64_t>(kColdBytes / bytes) + 1);
}

/// Weights in every precision, one for each copy, made of the same normal values.
struct Weights {
  at::Tensor half, codes, scale, packed, packed_scale;  // [n, k], [n, k], [n], as pack_w4 writes
};
constexpr int64_t kGroup = 128;

struct Layer {
  int64_t n, k;
  std::vector<Weights> weights;
  std::shared_ptr<cuda::GemmAutotuner> autotuner;
};

void quantize(const at::Tensor& x, at::Tensor& q, at::Tensor& scale) {
  cuda::quantize_rows(x.data_ptr(), Dtype::kF16, x.size(0), x.size(1), q.data_ptr<int8_t>(),
                      scale.data_ptr<float>(), current_cuda_stream());
}

Weights make_weights(int64_t n, int64_t k) {
  Weights w;
  w.half = at::randn({n, k}, kHalf).mul_(0.02);
  w.codes = at::empty({n, k}, kHalf.dtype(at::kChar));
  w.scale = at::empty({n}, kHalf.dtype(at::kFloat));
  quantize(w.half, w.codes, w.scale);
  const at::Tensor four = w.codes.div(16, "floor");
  const at::Tensor scales = at::rand({n, k / kGroup}, w.scale.options());
  w.packed = at::empty({cuda::packed_w4_bytes(n, k)}, kHalf.dtype(at::kByte));
  w.packed_scale = at::empty({cuda::packed_w4_scales(n, k, kGroup)}, kHalf);
  cuda::pack_w4(four.data_ptr<int8_t>(), scales.data_ptr<float>(), n, k, kGroup, Dtype::kF16,
                w.packed.data_ptr<uint8_t>(), w.packed_scale.data_ptr(), current_cuda_stream());
  return w;
}

struct Operands {
  at::Tensor x, q, scale, y;
};

Operands make_operands(int64_t m, const Layer& layer) {
  Operands o;
  o.x = at::randn({m, layer.k}, kHalf);
  o.q = at::empty({m, layer.k}, kHalf.dtype(at::kChar));
  o.scale = at::empty({m}, kHalf.dtype(at::kFloat));
  o.y = at::empty({m, layer.n}, kHalf);
  quantize(o.x, o.q, o.scale);
  return o;
}

void int8_gemm(const Layer& layer, const Weights& w, const Operands& o, bool overlap) {
  cuda::Int8Gemm g;
  g.x = o.q.data_ptr<int8_t>(), g.w = w.codes.data_ptr<int8_t>();
  g.row_scale = o.scale.data_ptr<float>(), g.col_scale = w.scale.data_ptr<float>();
  g.m = o.x.size(0), g.n = layer.n, g.k = layer.k, g.y = o.y.data_ptr();
  if (layer.autotuner->run(g, overlap, current_cuda_stream())) return;
  throw Error(fmt::format("no tile config for {} x {} x {}", g.m, g.n, g.k), "one for every shape",
              "this is a defect in octet: please report it");
}

KernelCase linear_case(const std::string& kernel, int64_t m, const std::shared_ptr<Layer>& layer,
                       double weight_bytes, bool integers) {
  KernelCase c;
  const auto n = static_cast<double>(layer->n), k = static_cast<double>(layer->k),
             rows = static_cast<double>(m);
  c.kernel = kernel, c.shape = fmt::format("{}x{}", layer->n, layer->k), c.m = m;
  c.copies = static_cast<int64_t>(layer->weights.size());
  c.bytes = weight_bytes * n * k + rows * (2 * n + (integers ? 1 : 2) * k);
  c.operations = 2 * rows * n * k;
  const Operands o = make_operands(m, *layer);
  c.base = [layer, o](int64_t i) {
    at::Tensor y = o.y;
    at::mm_out(y, o.x, layer->weights[i].half.t());
  };
  if (kernel == "w8a8 gemm") {
    c.call = [layer, o](int64_t i) { int8_gemm(*layer, layer->weights[i], o, false); };
  } else if (kernel == "w8a8 layer") {
    c.call = [layer, o](int64_t i) {
      at::Tensor q = o.q, scale = o.scale;
      quantize(o.x, q, scale);
      int8_gemm(*layer, layer->weights[i], o, true);
    };
  } else if (kernel == "w8a16") {
    c.call = [layer, o](int64_t i) {
      const Weights& w = layer->weights[i];
      cuda::w8a16_small_m(o.x.data_ptr(), w.codes.data_ptr<int8_t>(), w.scale.data_ptr<float>(),
                          nullptr, Dtype::kF16, o.x.size(0), layer->n, layer->k, o.y.data_ptr(),
                          current_cuda_stream(), true);
    };
  } else {
    c.call = [layer, o](int64_t i) {
      const Weights& w = layer->weights[i];
      cuda::w4a16_small_m(o.x.data_ptr(), w.packed.data_ptr<uint8_t>(), w.packed_scale.data_ptr(),
                          Dtype::kF16, kGroup, nullptr, Dtype::kF16, o.x.size(0), layer->n,
                          layer->k, o.y.data_ptr(), current_cuda_stream(), true);
    };
  }
  return c;
}

void add_linears(const std::string& name, const std::vector<int64_t>& rows, const Context& context,
                 std::vector<KernelCase>& cases) {
  const bool all = name == "all";
  for (const auto& shape : kShapes) {
    const auto layer = std::make_shared<Layer>();
    layer->n = shape[0], layer->k = shape[1];
    layer->autotuner = std::make_shared<cuda::GemmAutotuner>(context.gemm_file);
    const int64_t copies = copies_for(static_cast<double>(layer->n * layer->k) /
                                      (all || name == "weight-only" ? 2 : 1));
    for (int64_t i = 0; i < copies; ++i) layer->weights.push_back(make_weights(layer->n, layer->k));
    for (const int64_t m : rows) {
      if (all || name == "gemm") cases.push_back(linear_case("w8a8 gemm", m, layer, 1, true));
      if (all || name == "layer") cases.push_back(linear_case("w8a8 layer", m, layer, 1, false));
      if (!(all || name == "weight-only") || m > cuda::kSmallMMost) continue;
      cases.push_back(linear_case("w8a16", m, layer, 1, false));
      cases.push_back(linear_case("w4a16-g128", m, layer, 0.5 + 2.0 / kGroup, false));
    }
  }
}

struct RowBuffers {
  at::Tensor x, delta, q, scale, weight, counts, zeros, absmax;
};

void add_row_kernels(std::vector<KernelCase>& cases) {
  constexpr int64_t kRows = 8192, kColumns = 4096;
  const auto values = static_cast<double>(kRows * kColumns);
  std::vector<RowBuffers> sets(copies_for(4 * values));
  for (RowBuffers& b : sets) {
    b.x = at::randn({kRows, 2 * kColumns}, kHalf), b.delta = at::randn({kRows, kColumns}, kHalf);
    b.q = at::empty({kRows, kColumns}, kHalf.dtype(at::kChar));
    b.scale = at::empty({kRows}, kHalf.dtype(at::kFloat));
    b.weight = at::rand({kColumns}, kHalf);
    b.counts = at::zeros({4096}, kHalf.dtype(at::kLong)),
    b.zeros = at::zeros({1}, kHalf.dtype(at::kLong));
    b.absmax = at::zeros({kColumns}, kHalf.dtype(at::kFloat));
  }
  const auto shared = std::make_shared<std::vector<RowBuffers>>(std::move(sets));
  const auto add = [&](const char* kernel, double bytes_a_value, auto call) {
    KernelCase c;
    c.kernel = kernel, c.shape = fmt::format("{}x{}", kRows, kColumns), c.m = kRows;
    c.copies = static_cast<int64_t>(shared->size());
    c.bytes = bytes_a_value * values;
    c.call = [shared, call](int64_t i) {
      const RowBuffers& b = (*shared)[i];
      call(b, cuda::RowTarget{b.q.data_ptr<int8_t>(), b.scale.data_ptr<float>(), true, nullptr},
           current_cuda_stream());
    };
    cases.push_back(c);
  };
  constexpr auto kF16 = Dtype::kF16;
  add("quantize", 3, [](const RowBuffers& b, const cuda::RowTarget& to, void* stream) {
    cuda::quantize_rows(b.x.data_ptr(), kF16, kRows, kColumns, to.q, to.scale, stream);
  });
  add("rms norm + quantize", 3, [](const RowBuffers& b, const cuda::RowTarget& to, void* stream) {
    cuda::rms_norm_rows(b.x.data_ptr(), nullptr, b.weight.data_ptr(), 1e-6F, kF16, kRows, kColumns,
                        nullptr, to, stream);
  });
  add("add + rms norm + quantize", 7,
      [](const RowBuffers& b, const cuda::RowTarget& to, void* stream) {
        cuda::rms_norm_rows(b.x.data_ptr(), b.delta.data_ptr(), b.weight.data_ptr(), 1e-6F, kF16,
                            kRows, kColumns, b.delta.data_ptr(), to, stream);
      });
  add("layer norm + quantize", 3, [](const RowBuffers& b, const cuda::RowTarget& to, void* stream) {
    cuda::layer_norm_rows(b.x.data_ptr(), nullptr, b.weight.data_ptr(), b.weight.data_ptr(), 1e-6F,
                          kF16, kRows, kColumns, nullptr, to, stream);
  });
  add("silu * up + quantize", 5, [](const RowBuffers& b, const cuda::RowTarget& to, void* stream) {
    cuda::gate_rows(cuda::RowActivation::kSilu, b.x.data_ptr(), kF16, kRows, kColumns, to, stream);
  });
  add("gelu + quantize", 3, [](const RowBuffers& b, const cuda::RowTarget& to, void* stream) {
    cuda::activate_rows(cuda::RowActivation::kGelu, b.x.data_ptr(), kF16, kRows, kColumns, to,
                        stream);
  });
  add("histogram", 2, [](const RowBuffers& b, const cuda::RowTarget&, void* stream) {
    cuda::histogram(b.x.data_ptr(), kF16, kRows * kColumns, 0x1p-9F, b.counts.data_ptr<int64_t>(),
                    4096, b.zeros.data_ptr<int64_t>(), stream);
  });
  add("channel absmax", 2, [](const RowBuffers& b, const cuda::RowTarget&, void* stream) {
    cuda::channel_absmax(b.x.data_ptr(), kF16, kRows, kColumns, b.absmax.data_ptr<float>(), stream);
  });
}

}  // namespace

std::vector<KernelCase> kernel_cases(const std::string& name, const std::vector<int64_t>& rows,
                                     const Context& context) {
  const std::vector<std::string> names = {"all", "gemm", "layer", "weight-only", "rows"};
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw UsageError(fmt::format("--kernel {}", name), "all, gemm, layer, weight-only or rows",
                     "choose one of them");
  }
  std::vector<KernelCase> cases;
  const std::vector<int64_t> usual = {1, 8, 16, 64, 256, 1024, 4096};
  if (name != "rows") add_linears(name, rows.empty() ? usual : rows, context, cases);
  if (name == "all" || name == "rows") add_row_kernels(cases);
  return cases;
}

}  // namespace octet
