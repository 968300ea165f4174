#include "quant/load_model.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <set>

#include "core/error.h"
#include "kernels/cuda/gemm/autotuner.h"
#include "models/run/device.h"
#include "models/source_model.h"
#include "quant/formats/compressed_tensors/quantized_source.h"

namespace octet {
namespace {

// The scheme of a site whose weights are stored; its matrices run as one linear.
Scheme site_scheme(const Site& site, const QuantizedSource& source) {
  const Scheme scheme = source.scheme_of(site.matrices.front().name);
  for (const Matrix& matrix : site.matrices) {
    const Scheme other = source.scheme_of(matrix.name);
    if (other == scheme) continue;
    throw Error(fmt::format("{} in {} and {} in {}", site.matrices.front().name, scheme.name,
                            matrix.name, other.name),
                "one scheme for all matrices that read the same input",
                "quantize the model again, with these layers alike");
  }
  return scheme;
}

// Each site as it is stored.
LinearFactory stored_factory(std::shared_ptr<const QuantizedSource> quantized,
                             LinearContext context) {
  return [=](const Site& site, WeightSource& source) -> std::unique_ptr<Linear> {
    const bool tied = !site.tied_to.empty();
    if (tied || !site_scheme(site, *quantized).quantized()) {
      return std::make_unique<KeptLinear>(site, source, context);
    }
    return make_quantized_linear(load_quantized_site(site, source, context), context);
  };
}

// The one scheme of the blocks, else "mixed"; a quantized head is told behind it.
std::string stored_scheme(const Topology& topology, const QuantizedSource& source) {
  std::set<std::string> blocks;
  std::string head;
  for (const Site& site : topology.sites) {
    if (!site.tied_to.empty()) continue;
    const Scheme scheme = site_scheme(site, source);
    if (site.block != kOutside) {
      blocks.insert(scheme.name);
    } else if (scheme.quantized()) {
      head = "+head-" + scheme.name;
    }
  }
  // Static directories may quantize single sites per token (quantize --outlier-ratio).
  if (blocks.contains("w8a8-static")) blocks.erase("w8a8-dynamic");
  return (blocks.size() == 1 ? *blocks.begin() : "mixed") + head;
}

}  // namespace

LoadedModel load_model(const std::filesystem::path& path, const LoadOptions& options) {
  return load_model(SourceModel(path), options);
}

LoadedModel load_model(const SourceModel& model, const LoadOptions& options) {
  LoadedModel loaded;
  loaded.config = model.config();
  loaded.model = make_model(loaded.config);
  loaded.counters = std::make_shared<RunCounters>();
  const at::Device device = open_device(options.device);
  ExecutorOptions execution{options.compute, device, false};
  if (!loaded.config.quantized) {
    loaded.scheme = options.compute == at::kFloat  ? "float32"
                    : options.compute == at::kHalf ? "float16"
                                                   : "bfloat16";
    loaded.executor = std::make_unique<Executor>(loaded.model->topology(), model.weights(),
                                                 float_factory(options.compute, device), execution);
  } else {
    auto source = std::make_shared<QuantizedSource>(model);
    execution.compute = device.is_cpu()                 ? at::kFloat
                        : options.compute == at::kFloat ? at::kHalf
                                                        : options.compute;
    execution.keep_stored_tables = device.is_cpu();
    loaded.scheme = stored_scheme(loaded.model->topology(), *source);
    LinearContext context{execution.compute, device, loaded.counters, nullptr};
    if (device.is_cuda()) context.gemm = std::make_shared<cuda::GemmAutotuner>(options.gemm_file);
    loaded.executor = std::make_unique<Executor>(loaded.model->topology(), source,
                                                 stored_factory(source, context), execution);
  }
  if (options.load) loaded.executor->load_all();
  return loaded;
}

}  // namespace octet
