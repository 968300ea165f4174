#include "quant/export/compressed_tensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/linear.h"
#include "models/weight_sources.h"
#include "quant/qparams.h"

namespace octet {
namespace {

using nlohmann::json;

json weight_args() {
  return {{"num_bits", 8},         {"type", "int"},
          {"symmetric", true},     {"strategy", "channel"},
          {"group_size", nullptr}, {"dynamic", false},
          {"actorder", nullptr},   {"block_structure", nullptr},
          {"observer", "minmax"},  {"observer_kwargs", json::object()}};
}

json activation_args(ActivationQuant activation) {
  if (activation == ActivationQuant::kNone) return nullptr;
  const bool dynamic = activation == ActivationQuant::kDynamicToken;
  json args = weight_args();
  args["strategy"] = dynamic ? "token" : "tensor";
  args["dynamic"] = dynamic;
  args["observer"] = dynamic ? json() : json("minmax");
  return args;
}

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

using Tensors = std::map<std::string, at::Tensor>;

void add(std::vector<TensorInfo>& infos, const std::string& name, at::ScalarType dtype,
         std::vector<int64_t> shape) {
  infos.push_back({name, container_dtype(dtype), std::move(shape)});
}

// One pass declares all tensors, the next writes them: the header stands before the data.
class Writer {
 public:
  Writer(const Topology& topology, const Scheme& scheme, WeightSource& source,
         const StaticInputs& inputs)
      : topology_(topology), scheme_(scheme), source_(source), inputs_(inputs) {
    for (const ModulePlan& module : plan_modules(topology))
      quantized_[module.module] = module.quantized;
  }

  void write(const std::filesystem::path& path, const std::function<void()>& done) {
    dtype_ = source_.get(topology_.tables.front().name).dense.scalar_type();
    SafetensorsWriter file(path, declare());
    const auto put = [&file](const std::string& name, const at::Tensor& tensor) {
      file.write(name, bytes_of(tensor.contiguous()));
    };
    for (const std::string& name : kept_names()) put(name, source_.get(name).dense);
    for (const Site& site : topology_.sites) {
      for (size_t i = 0; i < site.matrices.size(); ++i) {
        for (const auto& [name, tensor] : matrix_tensors(site, i)) put(name, tensor);
        done();
      }
    }
    file.commit();
  }

 private:
  std::vector<std::string> kept_names() const {
    std::vector<std::string> names;
    for (const Table& table : topology_.tables) names.push_back(table.name);
    for (const Norm& norm : topology_.norms) {
      names.push_back(norm.name + ".weight");
      if (!norm.rms) names.push_back(norm.name + ".bias");
    }
    for (const Site& site : topology_.sites) {
      for (const Matrix& matrix : site.matrices) {
        if (matrix.bias) names.push_back(matrix.name + ".bias");
      }
    }
    return names;
  }

  std::vector<TensorInfo> declare() {
    std::vector<TensorInfo> infos;
    for (const std::string& name : kept_names()) {
      const at::Tensor tensor = source_.get(name).dense;
      add(infos, name, tensor.scalar_type(), tensor.sizes().vec());
    }
    for (const Site& site : topology_.sites) {
      if (!site.tied_to.empty()) continue;
      for (const Matrix& matrix : site.matrices) declare_matrix(infos, site, matrix);
    }
    return infos;
  }

  void declare_matrix(std::vector<TensorInfo>& infos, const Site& site, const Matrix& matrix) {
    if (!quantized_.at(matrix.name)) {
      const at::Tensor tensor = source_.get(matrix.name + ".weight").dense;
      add(infos, matrix.name + ".weight", tensor.scalar_type(), tensor.sizes().vec());
      return;
    }
    add(infos, matrix.name + ".weight_scale", dtype_, {matrix.n, 1});
    if (scheme_.activation == ActivationQuant::kNone) {
      add(infos, matrix.name + ".weight_packed", at::kInt, {matrix.n, (matrix.k + 3) / 4});
      add(infos, matrix.name + ".weight_shape", at::kLong, {2});
    } else {
      add(infos, matrix.name + ".weight", at::kChar, {matrix.n, matrix.k});
    }
    if (has_input_scale(site)) {
      add(infos, matrix.name + ".input_scale", dtype_, {1});
    }
  }

  Tensors matrix_tensors(const Site& site, size_t i) {
    const Matrix& matrix = site.matrices[i];
    if (!site.tied_to.empty()) return {};
    const at::Tensor weight = source_.get(matrix.name + ".weight").dense;
    if (!weight.defined() || weight.sizes() != at::IntArrayRef({matrix.n, matrix.k})) {
      throw Error(
          fmt::format("tensor {}.weight of another shape or already quantized", matrix.name),
          fmt::format("a float tensor [{}, {}]", matrix.n, matrix.k),
          "quantize from the float checkpoint");
    }
    if (!quantized_.at(matrix.name)) return {{matrix.name + ".weight", weight}};
    const QuantizedWeight coded = quantize_per_channel(weight, dtype_);
    Tensors tensors = {{matrix.name + ".weight_scale", coded.scale}};
    if (scheme_.activation == ActivationQuant::kNone) {
      tensors[matrix.name + ".weight_packed"] = pack_int8(coded.q);
      tensors[matrix.name + ".weight_shape"] = at::tensor({matrix.n, matrix.k}, at::kLong);
    } else {
      tensors[matrix.name + ".weight"] = coded.q;
    }
    if (has_input_scale(site)) {
      tensors[matrix.name + ".input_scale"] = input_scale(site);
    }
    return tensors;
  }

  const StaticInput& input_of(const Site& site) const {
    const auto found = inputs_.find(site.name);
    if (found != inputs_.end()) return found->second;
    throw Error(fmt::format("no activation range of {} in the calibration", site.name),
                "a range for every quantized site",
                "calibrate this model again with octet calibrate");
  }

  bool has_input_scale(const Site& site) const {
    return scheme_.activation == ActivationQuant::kStaticTensor && !input_of(site).per_token;
  }

  at::Tensor input_scale(const Site& site) const {
    return scales_of_ranges(at::full({1}, input_of(site).range, at::kFloat), dtype_);
  }

  const Topology& topology_;
  const Scheme& scheme_;
  WeightSource& source_;
  const StaticInputs& inputs_;
  std::map<std::string, bool> quantized_;
  at::ScalarType dtype_ = at::kHalf;
};

}  // namespace

std::vector<ModulePlan> plan_modules(const Topology& topology, const StaticInputs& inputs) {
  std::vector<ModulePlan> plan;
  for (const Site& site : topology.sites) {
    for (const Matrix& matrix : site.matrices) {
      if (site.block == kOutside) {
        plan.push_back({matrix.name, false,
                        site.tied_to.empty()
                            ? "output head: kept by default"
                            : "output head: tied to the embedding, kept by default"});
        continue;
      }
      const auto input = inputs.find(site.name);
      const bool per_token = input != inputs.end() && input->second.per_token;
      plan.push_back({matrix.name, true, per_token ? input->second.reason : "", per_token});
    }
  }
  return plan;
}

std::string quantized_config(const std::string& config_text, const Scheme& scheme,
                             const std::vector<ModulePlan>& plan) {
  json config = parse_json(config_text, "config.json");
  json ignore = json::array(), per_token = json::array(), like_scheme = json::array();
  for (const ModulePlan& module : plan) {
    (!module.quantized  ? ignore
     : module.per_token ? per_token
                        : like_scheme)
        .push_back(module.module);
  }
  const char* format =
      scheme.activation == ActivationQuant::kNone ? "pack-quantized" : "int-quantized";
  const auto group = [format](const json& targets, ActivationQuant activation) {
    return json{{"targets", targets},
                {"format", format},
                {"weights", weight_args()},
                {"input_activations", activation_args(activation)},
                {"output_activations", nullptr}};
  };
  // Two groups name their modules: a class name would claim the other group's, too.
  json groups = {
      {"group_0", group(per_token.empty() ? json{"Linear"} : like_scheme, scheme.activation)}};
  if (!per_token.empty()) groups["group_1"] = group(per_token, ActivationQuant::kDynamicToken);
  config["quantization_config"] = {{"quant_method", "compressed-tensors"},
                                   {"format", format},
                                   {"quantization_status", "compressed"},
                                   {"global_compression_ratio", nullptr},
                                   {"kv_cache_scheme", nullptr},
                                   {"ignore", ignore},
                                   {"config_groups", groups}};
  return config.dump(2) + "\n";
}

void write_compressed_tensors(const std::filesystem::path& directory, const Topology& topology,
                              const Scheme& scheme, WeightSource& source,
                              const StaticInputs& inputs, const std::function<void()>& done) {
  Writer(topology, scheme, source, inputs).write(directory / "model.safetensors", done);
}

}  // namespace octet
