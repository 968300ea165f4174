#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/containers/gguf.h"
#include "core/containers/safetensors.h"
#include "core/error.h"
#include "core/json.h"
#include "models/run/model.h"
#include "models/source_model.h"
#include "quant/schemes/plan.h"
#include "report/table.h"
#include "tools/commands.h"
#include "tools/inspect_by_name.h"

namespace octet {
namespace {

struct InspectOptions : Options {
  std::string model, config;
  void visit(OptionVisitor& v) override {
    v.positional("[MODEL]", "a Hugging Face directory or a .gguf file; only headers are read",
                 model);
    v.field("config", "a config.json to inspect instead of MODEL, without weights", config);
  }
};

struct Stored {
  int64_t tensors = 0, elements = 0;
  uint64_t bytes = 0;
};

int64_t count_of(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

using StoredByDtype = std::map<std::string, Stored>;

StoredByDtype stored_by_dtype(const SourceModel& model) {
  StoredByDtype by_dtype;
  const auto add = [&by_dtype](const std::string& dtype, const std::vector<int64_t>& shape,
                               uint64_t bytes) {
    Stored& sum = by_dtype[dtype];
    ++sum.tensors;
    sum.elements += count_of(shape);
    sum.bytes += bytes;
  };
  if (model.is_gguf()) {
    for (const auto& [name, tensor] : model.gguf()->tensors())
      add(traits(tensor.type).name, tensor.shape, tensor.size);
  } else {
    for (const auto& [name, location] : model.checkpoint()->tensors()) {
      add(std::string(octet::name(location.entry.info.dtype)), location.entry.info.shape,
          location.entry.end - location.entry.begin);
    }
  }
  return by_dtype;
}

// The schemes to compare: all without a group, and four bits in the largest usual group that fits.
std::vector<Scheme> inspected_schemes(const Topology& topology) {
  std::vector<Scheme> schemes;
  for (const char* name : {"fp16", "w8a8-dynamic", "w8a8-static", "w8a16"}) {
    schemes.push_back(parse_scheme(name));
  }
  for (const char* name : {"w4a16-g128", "w4a16-g64", "w4a16-g32"}) {
    const Scheme scheme = parse_scheme(name);
    const bool fits =
        std::all_of(topology.sites.begin(), topology.sites.end(), [&](const Site& site) {
          return site.block == kOutside || site.k() % scheme.weight.group == 0;
        });
    if (!fits) continue;
    schemes.push_back(scheme);
    break;
  }
  return schemes;
}

// Bytes of the tensors as `scheme` would store them, kept ones in 16 bits.
int64_t bytes_under(const Topology& topology, const Scheme& scheme) {
  int64_t bytes = 2 * parameter_count(topology);
  for (const Site& site : topology.sites) {
    if (site.block == kOutside) continue;
    for (const Matrix& matrix : site.matrices) {
      bytes += stored_bytes(scheme, matrix.n, matrix.k) - 2 * matrix.n * matrix.k;
    }
  }
  return bytes;
}

std::string megabytes(double bytes) {
  return fmt::format("{:.1f} MB", bytes / 1e6);
}

class InspectCommand : public Command {
 public:
  std::string name() const override { return "inspect"; }
  std::string summary() const override {
    return "show architecture, parameter count and size, now and under each scheme";
  }
  std::vector<std::string> examples() const override {
    return {"octet inspect model-fp16", "octet inspect model.gguf --json",
            "octet inspect --config config.json"};
  }
  Options& options() override { return options_; }

  int run(const CommonOptions& common, Context&) override {
    const bool bare = !options_.config.empty();
    if (bare != options_.model.empty()) {
      throw UsageError(bare ? "both MODEL and --config" : "neither MODEL nor --config",
                       "one of them", "see octet inspect --help");
    }
    const SourceModel model(options_.model);
    if (!bare && is_named_only(model)) {
      inspect_by_name(model, common.json);
      return 0;
    }
    const nlohmann::json result = report(model, bare);
    if (common.json)
      fmt::print("{}\n", result.dump());
    else
      print(result);
    return 0;
  }

 private:
  // bare: of --config, not of MODEL.
  nlohmann::json report(const SourceModel& model, bool bare) const {
    const ModelConfig config =
        bare ? parse_config(read_json(options_.config), options_.config) : model.config();
    const Topology topology = make_model(config)->topology();
    const auto stored = bare ? StoredByDtype() : stored_by_dtype(model);
    nlohmann::json kept = nlohmann::json::object(), by_dtype = nlohmann::json::object(), schemes;
    int64_t quantized = 0;
    for (const ModulePlan& module :
         plan_modules(topology, default_rules(config.architecture, "w8a16"))) {
      if (module.quantized())
        ++quantized;
      else
        kept[module.module] = module.reason;
    }
    for (const Table& table : topology.tables) kept[table.name] = "embedding";
    kept["norms"] = fmt::format("{} normalization weights", topology.norms.size());
    for (const auto& [dtype, sum] : stored) {
      by_dtype[dtype] = {
          {"tensors", sum.tensors}, {"elements", sum.elements}, {"bytes", sum.bytes}};
    }
    for (const Scheme& scheme : inspected_schemes(topology))
      schemes[scheme.name] = bytes_under(topology, scheme);
    return {{"model", bare ? options_.config : options_.model},
            {"architecture", config.architecture},
            {"parameters", parameter_count(topology)},
            {"blocks", topology.blocks},
            {"tied_embeddings", config.tied},
            {"quantized_already", config.quantized},
            {"dtypes", by_dtype},
            {"bytes_now", bare ? 0 : model.weight_file_bytes()},
            {"bytes_under", schemes},
            {"linear_layers_to_quantize", quantized},
            {"kept", kept}};
  }

  static void print(const nlohmann::json& r) {
    fmt::print("{}\n{}, {} blocks, {:.1f} M parameters{}{}\n\n", r["model"].get<std::string>(),
               r["architecture"].get<std::string>(), r["blocks"].get<int64_t>(),
               r["parameters"].get<double>() / 1e6, r["tied_embeddings"] ? ", tied embeddings" : "",
               r["quantized_already"] ? ", quantized already" : "");
    TextTable dtypes(std::vector<TextTable::Column>{{"dtype", Align::kLeft},
                                                    {"tensors", Align::kRight},
                                                    {"elements", Align::kRight},
                                                    {"bytes", Align::kRight}});
    for (const auto& [dtype, sum] : r["dtypes"].items()) {
      dtypes.add({dtype, sum["tensors"].dump(), sum["elements"].dump(),
                  megabytes(sum["bytes"].get<double>())});
    }
    TextTable schemes(std::vector<TextTable::Column>{
        {"scheme", Align::kLeft}, {"weights", Align::kRight}, {"of fp16", Align::kRight}});
    const double fp16 = r["bytes_under"]["fp16"].get<double>();
    for (const auto& [scheme, bytes] : r["bytes_under"].items()) {
      schemes.add({scheme, megabytes(bytes.get<double>()),
                   fmt::format("{:.1f} %", 100 * bytes.get<double>() / fp16)});
    }
    if (!r["dtypes"].empty()) {
      fmt::print("{}\non disk now {}\n\n", dtypes.text(), megabytes(r["bytes_now"].get<double>()));
    }
    fmt::print("{}\n{} linear layers would be quantized; kept:\n", schemes.text(),
               r["linear_layers_to_quantize"].get<int64_t>());
    for (const auto& [module, reason] : r["kept"].items())
      fmt::print("  {}: {}\n", module, reason.get<std::string>());
  }
  InspectOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_inspect_command() {
  return std::make_unique<InspectCommand>();
}

}  // namespace octet
