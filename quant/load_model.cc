#include "quant/load_model.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <set>

#include "core/error.h"
#include "models/device.h"
#include "models/open.h"
#include "quant/quantized_source.h"

namespace octet {
namespace {

std::string activation_of(const Weight& weight) {
  if (weight.dynamic) return "w8a8-dynamic";
  return weight.input_scale.defined() ? "w8a8-static" : "w8a16";
}

// Each site as it is stored.
LinearFactory stored_factory(const QuantizedSource* quantized, LinearContext context) {
  return [=](const Site& site, WeightSource& source) -> std::unique_ptr<Linear> {
    if (!site.tied_to.empty() || !quantized->quantized(site.matrices.front().name)) {
      return std::make_unique<KeptLinear>(site, source, context);
    }
    const SiteCodes codes = load_codes(site, source, context);
    const bool integer = codes.dynamic || codes.input_scale.defined();
    if (integer) return std::make_unique<Int8Linear>(codes, context);
    return std::make_unique<PackedLinear>(codes, context);
  };
}

// The scheme of a directory from its first and last quantized sites, before anything is loaded.
std::string stored_scheme(const Topology& topology, QuantizedSource& source) {
  std::set<std::string> schemes;
  for (const Site& site : topology.sites) {
    if (site.tied_to.empty() && source.quantized(site.matrices.front().name)) {
      if (site.block == 0 || site.block == topology.blocks - 1) {
        schemes.insert(activation_of(source.get(site.weight_name(0))));
      }
    }
  }
  if (schemes.empty()) return "fp16";
  // Static directories may quantize single sites per token (quantize --outlier-ratio).
  if (schemes.contains("w8a8-static")) schemes.erase("w8a8-dynamic");
  return schemes.size() == 1 ? *schemes.begin() : "mixed";
}

}  // namespace

LoadedModel load_model(const std::filesystem::path& path, const LoadOptions& options) {
  LoadedModel loaded;
  loaded.config = open_config(path);
  loaded.model = make_model(loaded.config);
  loaded.counters = std::make_shared<RunCounters>();
  const at::Device device = open_device(options.device);
  ExecutorOptions execution{options.compute, device, false};
  if (!loaded.config.quantized) {
    loaded.scheme = options.compute == at::kFloat  ? "float32"
                    : options.compute == at::kHalf ? "float16"
                                                   : "bfloat16";
    loaded.executor = std::make_unique<Executor>(loaded.model->topology(), open_weights(path),
                                                 float_factory(options.compute, device), execution);
  } else {
    auto source = std::make_shared<QuantizedSource>(path);
    execution.compute = device.is_cpu()                 ? at::kFloat
                        : options.compute == at::kFloat ? at::kHalf
                                                        : options.compute;
    execution.keep_stored_tables = device.is_cpu();
    loaded.scheme = stored_scheme(loaded.model->topology(), *source);
    const LinearContext context{execution.compute, device, loaded.counters};
    loaded.executor = std::make_unique<Executor>(loaded.model->topology(), source,
                                                 stored_factory(source.get(), context), execution);
  }
  if (options.load) loaded.executor->load_all();
  return loaded;
}

}  // namespace octet
