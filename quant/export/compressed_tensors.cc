#include "quant/export/compressed_tensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>

#include "core/error.h"
#include "models/linear.h"
#include "models/weight_sources.h"
#include "quant/qparams.h"

namespace octet {
namespace {

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
  Writer(const Topology& topology, const std::vector<ModulePlan>& plan, WeightSource& source)
      : topology_(topology), source_(source) {
    for (const ModulePlan& module : plan) plan_[module.module] = module;
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
      for (const Matrix& matrix : site.matrices) {
        const ModulePlan& plan = plan_.at(matrix.name);
        if (stored(site, plan)) declare_matrix(infos, plan);
      }
    }
    return infos;
  }

  // A kept head that is tied has no tensor of its own.
  static bool stored(const Site& site, const ModulePlan& plan) {
    return site.tied_to.empty() || plan.quantized();
  }

  void declare_matrix(std::vector<TensorInfo>& infos, const ModulePlan& plan) {
    if (!plan.quantized()) {
      const at::Tensor tensor = source_.get(plan.source).dense;
      add(infos, plan.module + ".weight", tensor.scalar_type(), tensor.sizes().vec());
      return;
    }
    const Scheme& scheme = plan.scheme;
    const int64_t groups = scheme.group > 0 ? plan.k / scheme.group : 1;
    add(infos, plan.module + ".weight_scale", dtype_, {plan.n, groups});
    if (scheme.activation == ActivationQuant::kNone) {
      const int64_t words = (plan.k * scheme.weight_bits + 31) / 32;
      add(infos, plan.module + ".weight_packed", at::kInt, {plan.n, words});
      add(infos, plan.module + ".weight_shape", at::kLong, {2});
    } else {
      add(infos, plan.module + ".weight", at::kChar, {plan.n, plan.k});
    }
    if (scheme.activation == ActivationQuant::kStaticTensor) {
      add(infos, plan.module + ".input_scale", dtype_, {1});
    }
  }

  Tensors matrix_tensors(const Site& site, size_t i) {
    const ModulePlan& plan = plan_.at(site.matrices[i].name);
    if (!stored(site, plan)) return {};
    const at::Tensor weight = source_.get(plan.source).dense;
    if (!weight.defined() || weight.sizes() != at::IntArrayRef({plan.n, plan.k})) {
      throw Error(fmt::format("tensor {} of another shape or already quantized", plan.source),
                  fmt::format("a float tensor [{}, {}]", plan.n, plan.k),
                  "quantize from the float checkpoint");
    }
    if (!plan.quantized()) return {{plan.module + ".weight", weight}};
    const Scheme& scheme = plan.scheme;
    const QuantizedWeight coded =
        quantize_weight(weight, {scheme.weight_bits, scheme.group, plan.clip_search}, dtype_);
    Tensors tensors = {{plan.module + ".weight_scale", coded.scale}};
    if (scheme.activation == ActivationQuant::kNone) {
      tensors[plan.module + ".weight_packed"] = pack_codes(coded.q, scheme.weight_bits);
      tensors[plan.module + ".weight_shape"] = at::tensor({plan.n, plan.k}, at::kLong);
    } else {
      tensors[plan.module + ".weight"] = coded.q;
    }
    if (scheme.activation == ActivationQuant::kStaticTensor) {
      tensors[plan.module + ".input_scale"] =
          scales_of_ranges(at::full({1}, plan.input_range, at::kFloat), dtype_);
    }
    return tensors;
  }

  const Topology& topology_;
  WeightSource& source_;
  std::map<std::string, ModulePlan> plan_;
  at::ScalarType dtype_ = at::kHalf;
};

}  // namespace

void write_compressed_tensors(const std::filesystem::path& directory, const Topology& topology,
                              const std::vector<ModulePlan>& plan, WeightSource& source,
                              const std::function<void()>& done) {
  Writer(topology, plan, source).write(directory / "model.safetensors", done);
}

}  // namespace octet
